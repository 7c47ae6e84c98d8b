const entriesMin = 32
const bytesPerEntry = 16

/** So many entries are forgotten together. */
export const chunkEntries = 1_024

/** Remembered ids in the order in which they came, one after the other in typed arrays. Grows to so many entries. */
export class IdChunk {
  readonly #entriesMax: number
  #size = 0
  #newestTs = -1
  #ts: Float64Array
  #hashes: Int32Array
  /** Where the bytes of an entry end; they begin where those of the one before end. */
  #ends: Uint32Array
  #bytes: Uint8Array

  /** @param expected entries that there is room for at once. */
  constructor(entriesMax: number, expected: number = entriesMin) {
    this.#entriesMax = entriesMax
    this.#ts = new Float64Array(expected)
    this.#hashes = new Int32Array(expected)
    this.#ends = new Uint32Array(expected)
    this.#bytes = new Uint8Array(expected * bytesPerEntry)
  }

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size === this.#entriesMax
  }

  /** Time of the newest entry; -1 without one. */
  get newestTs(): number {
    return this.#newestTs
  }

  /** Memory that it holds. */
  get byteLength(): number {
    return this.#ts.byteLength + this.#hashes.byteLength + this.#ends.byteLength + this.#bytes.byteLength
  }

  /** Of the entries' ids; see `start` and `end`. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  start(entry: number): number {
    return entry === 0 ? 0 : this.#ends[entry - 1]!
  }

  end(entry: number): number {
    return this.#ends[entry]!
  }

  ts(entry: number): number {
    return this.#ts[entry]!
  }

  /** Of its payload. */
  hash(entry: number): number {
    return this.#hashes[entry]!
  }

  /** Whether an entry's id is these bytes. */
  is(entry: number, id: IdBytes): boolean {
    const start = this.start(entry)
    const { bytes, start: from, end } = id
    if (this.#ends[entry]! - start !== end - from) return false
    const own = this.#bytes
    for (let index = from; index < end; index++) if (own[start + index - from] !== bytes[index]) return false
    return true
  }

  /** Adds an entry, which there is room for; gives its number. */
  add({ bytes, start, end }: IdBytes, ts: number, hash: number): number {
    const entry = this.#size
    if (entry === this.#ts.length) this.#growEntries()
    const from = this.start(entry)
    const size = end - start
    if (from + size > this.#bytes.length) this.#growBytes(from + size)
    const own = this.#bytes
    for (let index = 0; index < size; index++) own[from + index] = bytes[start + index]!
    this.#ends[entry] = from + size
    this.#ts[entry] = ts
    this.#hashes[entry] = hash
    if (ts > this.#newestTs) this.#newestTs = ts
    this.#size += 1
    return entry
  }

  /** Forgets its entries and keeps the memory. */
  reset(): void {
    this.#size = 0
    this.#newestTs = -1
  }

  #growEntries(): void {
    const length = Math.min(Math.max(entriesMin, this.#entriesMax), this.#ts.length * 4)
    this.#ts = copied(this.#ts, new Float64Array(length))
    this.#hashes = copied(this.#hashes, new Int32Array(length))
    this.#ends = copied(this.#ends, new Uint32Array(length))
  }

  /** To what all entries will need if those to come are as long as those that are there, and a little more. */
  #growBytes(needed: number): void {
    const expected = Math.ceil((needed / (this.#size + 1)) * this.#ts.length * 1.05)
    this.#bytes = copied(this.#bytes, new Uint8Array(Math.max(needed, expected)))
  }
}

/** An id as bytes `[start, end)`. */
export type IdBytes = { bytes: Uint8Array; start: number; end: number }

function copied<Numbers extends { set(from: Numbers): void }>(from: Numbers, to: Numbers): Numbers {
  to.set(from)
  return to
}
