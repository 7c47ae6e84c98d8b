import { assert } from './assert.ts'

/** The bytes are not what a `ByteWriter` wrote: too short, or not in canonical form. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes'
}

/** Strings up to this length are copied by a plain loop, which beats the call into native code. */
const shortLengthMax = 32

const varintMax = Number.MAX_SAFE_INTEGER
/** Of seven bits each. */
const fourDigits = 2 ** 28

const scratch = new DataView(new ArrayBuffer(8))
const scratchBytes = new Uint8Array(scratch.buffer)
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A varint of an integer in [0, 2^53), where there is room for eight bytes. Gives the position behind it. */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let p = at
  let rest = value
  if (value >= fourDigits) {
    // Shifts cut at 32 bits, and a remainder of doubles is dear: the lowest digits are split off at once.
    rest = Math.floor(value / fourDigits)
    const low = value - rest * fourDigits
    bytes[p++] = low | 0x80
    bytes[p++] = (low >>> 7) | 0x80
    bytes[p++] = (low >>> 14) | 0x80
    bytes[p++] = (low >>> 21) | 0x80
  }
  for (; rest >= 0x80; rest >>>= 7) bytes[p++] = rest | 0x80
  bytes[p++] = rest
  return p
}

/** As `putVarint`, of a safe integer as `zigzag` writes it. */
export function putZigzag(bytes: Uint8Array, at: number, value: number): number {
  const sign = value < 0 ? 1 : 0
  const magnitude = value < 0 ? -(value + 1) : value
  if (magnitude < fourDigits) return putVarint(bytes, at, magnitude * 2 + sign)
  // Twice the magnitude may be unsafe, so the lowest byte, which holds the sign, is split off first.
  const high = Math.floor(magnitude / 0x40)
  bytes[at] = ((magnitude - high * 0x40) << 1) | sign | 0x80
  return putVarint(bytes, at + 1, high)
}

/**
 * Writes values one after another into bytes that grow as needed. Each value has exactly one encoding. Nothing
 * names or types a value: whoever reads knows the order.
 */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #size = 0

  constructor(sizeHint = 64) {
    this.#bytes = new Uint8Array(sizeHint)
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size
  }

  /** An integer in [0, 256). */
  u8(value: number): void {
    if (this.#size === this.#bytes.length) this.#grow(1)
    this.#bytes[this.#size++] = value
  }

  /** A safe integer that is not negative: seven bits a byte, lowest first. */
  varint(value: number): void {
    assert(value >= 0 && value <= varintMax && Number.isInteger(value), 'a varint holds an integer in [0, 2^53)')
    if (this.#bytes.length - this.#size < 8) this.#grow(8)
    this.#size = putVarint(this.#bytes, this.#size, value)
  }

  /** Any safe integer: 0, -1, 1, -2 … become 0, 1, 2, 3 … and are written as a varint of up to 54 bits. */
  zigzag(value: number): void {
    assert(Number.isSafeInteger(value), 'a zigzag varint holds a safe integer')
    if (this.#bytes.length - this.#size < 8) this.#grow(8)
    this.#size = putZigzag(this.#bytes, this.#size, value)
  }

  /** Room for so many bytes from `size` on, for whoever puts many values one after the other; then `advance`. */
  reserve(size: number): Uint8Array {
    if (this.#bytes.length - this.#size < size) this.#grow(size)
    return this.#bytes
  }

  /** What was put into the bytes of `reserve` ends here. */
  advance(size: number): void {
    assert(size >= this.#size && size <= this.#bytes.length, 'what was put lies in what was reserved')
    this.#size = size
  }

  /** The eight bytes of a double, lowest first. */
  f64(value: number): void {
    if (this.#bytes.length - this.#size < 8) this.#grow(8)
    scratch.setFloat64(0, value, true)
    const bytes = this.#bytes
    for (let index = 0; index < 8; index++) bytes[this.#size++] = scratchBytes[index]!
  }

  /**
   * The size in bytes as a varint, then UTF-8. A lone surrogate is written as if it were a character (WTF-8): a
   * string that is not well formed must still read back as itself, and not as another one.
   */
  string(value: string): void {
    if (value.length <= shortLengthMax && this.#asciiString(value)) return
    this.bytes(value.isWellFormed() ? encoder.encode(value) : encodeIllFormed(value))
  }

  /** The size as a varint, then the bytes. */
  bytes(value: Uint8Array): void {
    this.varint(value.length)
    if (this.#bytes.length - this.#size < value.length) this.#grow(value.length)
    this.#bytes.set(value, this.#size)
    this.#size += value.length
  }

  /** As `bytes`, of those in `[start, end)`. For few of them: one after the other. */
  bytesBetween(value: Uint8Array, start: number, end: number): void {
    const size = end - start
    this.varint(size)
    if (this.#bytes.length - this.#size < size) this.#grow(size)
    const bytes = this.#bytes
    const from = this.#size
    for (let index = 0; index < size; index++) bytes[from + index] = value[start + index]!
    this.#size = from + size
  }

  /** Where everything written so far lies, with room behind it; only until more is written. */
  get written(): Uint8Array {
    return this.#bytes
  }

  /** Takes back what was written after so many bytes. */
  truncate(size: number): void {
    assert(size <= this.#size, 'what is taken back was written')
    this.#size = size
  }

  /** A copy of what was written. The writer may go on. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#size)
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.#size = 0
  }

  /** Writes the string and says true, or finds that it is not ASCII and writes nothing. */
  #asciiString(value: string): boolean {
    const length = value.length
    if (this.#bytes.length - this.#size < length + 1) this.#grow(length + 1)
    const bytes = this.#bytes
    const start = this.#size + 1
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit >= 0x80) return false
      bytes[start + index] = unit
    }
    bytes[start - 1] = length
    this.#size = start + length
    return true
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + size, 16))
    grown.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = grown
  }
}

/**
 * Reads what a `ByteWriter` wrote, in the same order. Every read checks the bounds, and refuses an encoding that a
 * writer would not have chosen. After a `MalformedBytes` the position has no meaning.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  #position: number
  readonly #end: number

  /** Reads `[start, end)` of the bytes, which must not change meanwhile. */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    assert(start >= 0 && start <= end && end <= bytes.length, 'a reader stays inside its bytes')
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  /** Where the next read starts, counted from the start of the bytes handed in. */
  get position(): number {
    return this.#position
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#end - this.#position
  }

  u8(): number {
    if (this.#position >= this.#end) throw this.#short(1)
    return this.#bytes[this.#position++]!
  }

  varint(): number {
    const first = this.u8()
    if (first < 0x80) return first
    let value = first & 0x7f
    let scale = 0x80
    for (let index = 1; index < 8; index++) {
      const byte = this.u8()
      if (byte >= 0x80) {
        value += (byte & 0x7f) * scale
        scale *= 0x80
        continue
      }
      if (byte === 0) throw this.#malformed('a varint is longer than it has to be')
      value += byte * scale
      if (value > varintMax) break
      return value
    }
    throw this.#malformed('a varint is 2^53 or more')
  }

  zigzag(): number {
    const low = this.u8()
    let magnitude = (low & 0x7f) >>> 1
    if (low >= 0x80) {
      const high = this.varint()
      if (high === 0) throw this.#malformed('a varint is longer than it has to be')
      magnitude += high * 0x40
    }
    const value = (low & 1) === 1 ? -magnitude - 1 : magnitude
    if (!Number.isSafeInteger(value)) throw this.#malformed('a zigzag varint is not a safe integer')
    return value
  }

  f64(): number {
    if (this.remaining < 8) throw this.#short(8)
    for (let index = 0; index < 8; index++) scratchBytes[index] = this.#bytes[this.#position++]!
    return scratch.getFloat64(0, true)
  }

  string(): string {
    const size = this.#takeSize()
    const start = this.#position - size
    if (size <= shortLengthMax) {
      let text = ''
      for (let index = start; index < this.#position; index++) {
        const byte = this.#bytes[index]!
        if (byte >= 0x80) return this.#decode(start)
        text += String.fromCharCode(byte)
      }
      return text
    }
    return this.#decode(start)
  }

  /** A view, not a copy, of the bytes handed in. */
  bytes(): Uint8Array {
    const size = this.#takeSize()
    return this.#bytes.subarray(this.#position - size, this.#position)
  }

  /** Throws when anything is left. */
  expectEnd(): void {
    if (this.remaining !== 0) throw this.#malformed(`${this.remaining} bytes are left over`)
  }

  /** Reads a size and steps over as many bytes. */
  #takeSize(): number {
    const size = this.varint()
    if (size > this.remaining) throw this.#short(size)
    this.#position += size
    return size
  }

  #decode(start: number): string {
    const encoded = this.#bytes.subarray(start, this.#position)
    try {
      return decoder.decode(encoded)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
    }
    // Not UTF-8: either damaged, or a string with lone surrogates. One that encodes to the same bytes is the latter.
    const text = decodeIllFormed(encoded)
    if (text === null) throw this.#malformed('a string is not UTF-8')
    return text
  }

  #short(size: number): MalformedBytes {
    return this.#malformed(`${size} more bytes are needed and ${this.remaining} are left`)
  }

  #malformed(detail: string): MalformedBytes {
    return new MalformedBytes(`${detail}, before byte ${this.#position}`)
  }
}

/** UTF-8 in which a lone surrogate counts as a character of three bytes. */
function encodeIllFormed(text: string): Uint8Array {
  const bytes: number[] = []
  for (const character of text) {
    const point = character.codePointAt(0)!
    if (point < 0x80) bytes.push(point)
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(point))
    else if (point < 0x1_0000) bytes.push(0xe0 | (point >> 12), tail(point >> 6), tail(point))
    else bytes.push(0xf0 | (point >> 18), tail(point >> 12), tail(point >> 6), tail(point))
  }
  return Uint8Array.from(bytes)
}

function tail(bits: number): number {
  return 0x80 | (bits & 0x3f)
}

/** The reverse, or null when the bytes are not what `encodeIllFormed` gives for some string. */
function decodeIllFormed(bytes: Uint8Array): string | null {
  let text = ''
  for (let index = 0; index < bytes.length; ) {
    const first = bytes[index]!
    const size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    let point = size === 1 ? first : first & (0xff >> (size + 1))
    for (let step = 1; step < size; step++) point = (point << 6) | ((bytes[index + step] ?? 0) & 0x3f)
    if (point > 0x10_ffff) return null
    text += String.fromCodePoint(point)
    index += size
  }
  const again = encodeIllFormed(text)
  return again.length === bytes.length && again.every((byte, index) => byte === bytes[index]) ? text : null
}
