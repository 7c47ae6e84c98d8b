import { assert } from '../../base/assert.ts'

/** The bytes are not what the schema says, or nest deeper than allowed. */
export class AvroFault extends Error {
  override readonly name = 'AvroFault'
  readonly code: 'AVRO' | 'DEPTH'

  constructor(message: string, code: 'AVRO' | 'DEPTH' = 'AVRO') {
    super(message)
    this.code = code
  }
}

/**
 * The bytes of one Avro value, read from front to back. Every length is checked against what is left, so that nothing is
 * read, kept or walked that is not there.
 */
export class AvroInput {
  #bytes: Uint8Array = new Uint8Array()
  #view = new DataView(this.#bytes.buffer)
  #at = 0
  #end = 0
  /** The 64 bits of the last number of more than one byte. */
  #low = 0
  #high = 0

  /** Takes the bytes `[at, end)`; does not copy them. */
  load(bytes: Uint8Array, at: number, end: number): void {
    assert(end <= bytes.length, 'a value lies inside its bytes')
    if (bytes.buffer !== this.#view.buffer || bytes.byteOffset !== this.#view.byteOffset) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  get bytes(): Uint8Array {
    return this.#bytes
  }

  get at(): number {
    return this.#at
  }

  /** Reads once more from a place that was read from before. */
  back(at: number): void {
    this.#at = at
  }

  get left(): number {
    return this.#end - this.#at
  }

  boolean(): boolean {
    const byte = this.#byte()
    if (byte > 1) throw new AvroFault(`a boolean is the byte ${byte}`)
    return byte === 1
  }

  /** An int or long of at most 2^53 in magnitude; NaN for one beyond that. */
  number(): number {
    const first = this.#byte()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    // Low and high 32 bits of the zigzag, seven at a time: ten bytes are the most that 64 bits take.
    let low = first & 0x7f
    let high = 0
    for (let shift = 7; ; shift += 7) {
      const byte = this.#byte()
      const bits = byte & 0x7f
      if (shift === 63 && byte > 1) throw new AvroFault('a number has more than 64 bits')
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) break
    }
    const isNegative = (low & 1) === 1
    const magnitudeLow = ((low >>> 1) | (high << 31)) >>> 0
    const magnitudeHigh = high >>> 1
    this.#low = isNegative ? ~magnitudeLow >>> 0 : magnitudeLow
    this.#high = isNegative ? ~magnitudeHigh : magnitudeHigh
    const value = this.#high * 0x1_0000_0000 + this.#low
    return Number.isSafeInteger(value) ? value : Number.NaN
  }

  /** The last number, where `number` gave NaN. */
  get wide(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low)
  }

  /** An int: 32 bits. */
  int(): number {
    const value = this.number()
    if (!(value >= -0x8000_0000 && value <= 0x7fff_ffff)) throw new AvroFault('an int has more than 32 bits')
    return value
  }

  float(): number {
    const at = this.take(4)
    return this.#view.getFloat32(at, true)
  }

  double(): number {
    const at = this.take(8)
    return this.#view.getFloat64(at, true)
  }

  /** The length of bytes or text, all of which is there. */
  length(): number {
    const length = this.number()
    if (!(length >= 0 && length <= this.left)) {
      throw new AvroFault(
        `a length is ${Number.isNaN(length) ? 'beyond 2^53' : length}, and ${this.left} bytes are left`,
      )
    }
    return length
  }

  /** Steps over so many bytes and gives where they begin. */
  take(count: number): number {
    if (count > this.left) throw new AvroFault(`${count} bytes are missing their last ${count - this.left}`)
    const at = this.#at
    this.#at += count
    return at
  }

  /** The head of a block of an array or a map: how many items, 0 at the end; `skippedBlock` for one stepped over whole. */
  block(maySkip: boolean): number {
    const count = this.number()
    if (Number.isNaN(count)) throw new AvroFault('a block has more than 2^53 items')
    if (count >= 0) return count
    const size = this.length()
    if (!maySkip) return -count
    this.take(size)
    return skippedBlock
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new AvroFault('it ends too early')
    return this.#bytes[this.#at++]!
  }
}

export const skippedBlock = -1
