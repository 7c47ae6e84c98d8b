import { assert } from '../../base/assert.ts'

/** Doubles of a full chunk: one megabyte. */
const chunkSize = 2 ** 17
const firstChunkSize = 32
/** An address is a chunk's number times `chunkSize`, plus an offset, and fits 32 bits: 32 GB. */
const chunkCountMax = 2 ** 15

/**
 * Blocks of doubles inside few large arrays. A freed block is handed out again to the next who wants one of its size:
 * whoever asks for few different sizes leaves no holes. A block is not cleared when it is handed out.
 */
export class Arena {
  readonly #chunks: Float64Array<ArrayBuffer>[] = []
  readonly #bytes: Uint8Array<ArrayBuffer>[] = []
  readonly #free = new Map<number, number[]>()
  /** Numbers of chunks whose memory was given back. */
  readonly #vacant: number[] = []
  /** The chunk that is being handed out, and how much of it was. */
  #chunk = -1
  #used = 0
  #size = 0
  #handedOut = 0

  /** Bytes held, handed out or not. */
  get bytes(): number {
    return this.#size * 8
  }

  /** Bytes of the blocks that are handed out. */
  get usedBytes(): number {
    return this.#handedOut * 8
  }

  /** The address of a block of `size` doubles. */
  allocate(size: number): number {
    this.#handedOut += size
    const again = this.#free.get(size)?.pop()
    if (again !== undefined) return again
    if (size > chunkSize) return this.#addChunk(size) * chunkSize
    if (this.#chunk < 0 || this.#used + size > this.#chunks[this.#chunk]!.length) {
      const least = this.#chunk < 0 ? firstChunkSize : this.#chunks[this.#chunk]!.length * 2
      this.#chunk = this.#addChunk(Math.min(chunkSize, Math.max(least, size)))
      this.#used = 0
    }
    const address = this.#chunk * chunkSize + this.#used
    this.#used += size
    return address
  }

  free(address: number, size: number): void {
    this.#handedOut -= size
    if (size > chunkSize) {
      this.#dropChunk(address / chunkSize)
      return
    }
    const list = this.#free.get(size)
    if (list === undefined) this.#free.set(size, [address])
    else list.push(address)
  }

  /** The array that a block lies in, at `offsetOf`. */
  chunkOf(address: number): Float64Array {
    return this.#chunks[Math.floor(address / chunkSize)]!
  }

  /** The same memory as bytes: a block begins at `8 · offsetOf`. */
  bytesOf(address: number): Uint8Array {
    return this.#bytes[Math.floor(address / chunkSize)]!
  }

  offsetOf(address: number): number {
    return address % chunkSize
  }

  #addChunk(size: number): number {
    const chunk = this.#vacant.pop() ?? this.#chunks.length
    assert(chunk < chunkCountMax, 'the states of a view fit 32 GB')
    const doubles = new Float64Array(size)
    this.#chunks[chunk] = doubles
    this.#bytes[chunk] = new Uint8Array(doubles.buffer)
    this.#size += size
    return chunk
  }

  #dropChunk(chunk: number): void {
    this.#size -= this.#chunks[chunk]!.length
    this.#chunks[chunk] = new Float64Array(0)
    this.#bytes[chunk] = new Uint8Array(0)
    this.#vacant.push(chunk)
  }
}
