import { assert } from '../base/assert.ts'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { hashKey } from './fold-batch.ts'
import { type IdBytes, IdChunk, chunkEntries } from './id-chunk.ts'

export type SeenId = { readonly ts: number; readonly hash: number }
export type Id = string | number

/**
 * The ids that a judge remembers, each with the time of its first event and a hash of its payload. Exact: a hash finds
 * a place, and the bytes of the id decide. Text and numbers stay apart.
 *
 * Entries lie in chunks in the order in which they came, and whole chunks are forgotten, at most one at a time: the
 * longest pause is that of a chunk, or of one shard of the index that grows, however many ids there are.
 */
export class IdTable {
  /** By slot two integers: number of an entry plus one, or 0 for none; then the hash of its id. Linear probing. */
  readonly #shards: Int32Array[] = Array.from({ length: shardCount }, () => empty)
  readonly #counts = new Uint32Array(shardCount)
  /** By the high bits of an entry's number. */
  readonly #chunks: IdChunk[] = []
  /** Numbers of the chunks that hold entries, oldest first. */
  #order: number[] = []
  readonly #free: number[] = []
  #size = 0
  /** Entries that `take` has not given yet are not forgotten; null: nobody takes any. */
  #untaken: number | null = null
  readonly #numberBytes = new Uint8Array(9)
  readonly #numberView = new DataView(this.#numberBytes.buffer)
  readonly #chunkEntries: number
  /** An entry's number is that of its chunk, then so many bits. */
  readonly #chunkBits: number
  readonly #chunkMask: number
  readonly #sought: IdBytes = { bytes: new Uint8Array(), start: 0, end: 0 }
  #soughtHash = 0
  /** Entry that was found, plus one; 0: none. */
  #found = 0

  /** @param entries of a chunk, a power of two. */
  constructor(entries: number = chunkEntries) {
    assert(entries > 0 && (entries & (entries - 1)) === 0, 'a chunk has a power of two of entries')
    this.#chunkEntries = entries
    this.#chunkBits = Math.log2(entries)
    this.#chunkMask = entries - 1
  }

  get size(): number {
    return this.#size
  }

  /** Memory that it holds. */
  get byteLength(): number {
    let sum = 0
    for (const shard of this.#shards) sum += shard.byteLength
    for (const chunk of this.#chunks) sum += chunk.byteLength
    return sum
  }

  /** Looks for an id: `ts`, `hash` and `put` are then about it. Says whether it is there. */
  seek(id: Id): boolean {
    const bytes = typeof id === 'number' ? this.#bytesOf(id) : bytesOfText(id)
    return this.seekText(bytes, 0, bytes.length)
  }

  /** As `seek`, for a text given as its UTF-8. The bytes must not change before `put`. */
  seekText(bytes: Uint8Array, start: number, end: number): boolean {
    const sought = this.#sought
    sought.bytes = bytes
    sought.start = start
    sought.end = end
    this.#soughtHash = hashKey(bytes, start, end) | 0
    this.#found = this.#find(this.#soughtHash)
    return this.#found !== 0
  }

  get isFound(): boolean {
    return this.#found !== 0
  }

  /** Time of the entry that was found. */
  get ts(): number {
    return this.#chunks[(this.#found - 1) >>> this.#chunkBits]!.ts((this.#found - 1) & this.#chunkMask)
  }

  /** Hash of the payload of the entry that was found. */
  get hash(): number {
    return this.#chunks[(this.#found - 1) >>> this.#chunkBits]!.hash((this.#found - 1) & this.#chunkMask)
  }

  /** Remembers the id that was looked for last, from now on with these. */
  put(ts: number, hash: number): void {
    const number = this.#chunkWithRoom()
    const entry = this.#chunks[number]!.add(this.#sought, ts, hash)
    const reference = ((number << this.#chunkBits) | entry) + 1
    if (this.#untaken !== null) this.#untaken += 1
    if (this.#found === 0) {
      this.#insert(reference, this.#soughtHash)
      this.#size += 1
    } else {
      // What lies in the older chunk is nobody's now, and goes with it.
      const shard = this.#shards[this.#soughtHash >>> shardShift]!
      shard[this.#slotOf(this.#found, this.#soughtHash)] = reference
    }
    this.#found = reference
  }

  set(id: Id, { ts, hash }: SeenId): void {
    this.seek(id)
    this.put(ts, hash)
  }

  get(id: Id): SeenId | undefined {
    return this.seek(id) ? { ts: this.ts, hash: this.hash } : undefined
  }

  /** Forgets some of what is older than an instant: the oldest chunk, when all of it is. Costs nothing otherwise. */
  forgetBefore(ts: number): void {
    const number = this.#order[0]
    if (number === undefined) return
    const chunk = this.#chunks[number]!
    if (!chunk.isFull || chunk.newestTs >= ts || this.untaken > this.#total - chunk.size) return
    for (let entry = 0; entry < chunk.size; entry++) this.#remove(number, entry)
    // A few are kept for entries to come; more would be the memory of busier times.
    if (this.#free.length < freeChunksMax) chunk.reset()
    else this.#chunks[number] = new IdChunk(this.#chunkEntries)
    this.#order.shift()
    this.#free.push(number)
  }

  clear(): void {
    this.#shards.fill(empty)
    this.#counts.fill(0)
    this.#chunks.length = 0
    this.#order.length = 0
    this.#free.length = 0
    this.#size = 0
    if (this.#untaken !== null) this.#untaken = 0
  }

  /** How many entries `take` would give. */
  get untaken(): number {
    return this.#untaken ?? 0
  }

  /** From now on what is put is kept at least until it was taken. What is there counts as taken. */
  keepUntilTaken(): void {
    this.#untaken = 0
  }

  /** Gives everything that was put since the last call, in order. The id is one object for all: copy what is kept. */
  take(each: (id: IdBytes, ts: number, hash: number) => void): void {
    this.#visit(this.#total - this.untaken, each)
    if (this.#untaken !== null) this.#untaken = 0
  }

  /** Everything that is remembered, in the order in which it came. */
  *[Symbol.iterator](): Generator<readonly [Id, SeenId]> {
    const all: Id[] = []
    this.#visit(0, (id) => all.push(idOf(id)))
    // One that was put again has an older entry too, which counts for nothing.
    for (const id of [...new Set(all.toReversed())].toReversed()) yield [id, this.get(id)!]
  }

  /** Entries in chunks, those that were replaced among them. */
  get #total(): number {
    const last = this.#order.at(-1)
    return last === undefined ? 0 : (this.#order.length - 1) * this.#chunkEntries + this.#chunks[last]!.size
  }

  #visit(from: number, each: (id: IdBytes, ts: number, hash: number) => void): void {
    const id: IdBytes = { bytes: new Uint8Array(), start: 0, end: 0 }
    for (let index = Math.floor(from / this.#chunkEntries); index < this.#order.length; index++) {
      const chunk = this.#chunks[this.#order[index]!]!
      id.bytes = chunk.bytes
      for (let entry = Math.max(0, from - index * this.#chunkEntries); entry < chunk.size; entry++) {
        id.start = chunk.start(entry)
        id.end = chunk.end(entry)
        each(id, chunk.ts(entry), chunk.hash(entry))
      }
    }
  }

  /** Number of the chunk that the next entry goes to. */
  #chunkWithRoom(): number {
    const last = this.#order[this.#order.length - 1]
    if (last !== undefined && !this.#chunks[last]!.isFull) return last
    // Where one was filled the next one will be.
    const expected = last === undefined ? undefined : this.#chunkEntries
    const number = this.#free.pop() ?? this.#chunks.push(new IdChunk(this.#chunkEntries, expected)) - 1
    this.#order.push(number)
    return number
  }

  /** Reference to the entry of the sought id, or 0. */
  #find(hash: number): number {
    const shard = this.#shards[hash >>> shardShift]!
    const mask = shard.length - 1
    for (let slot = homeOf(hash) & mask; mask > 0; slot = (slot + 2) & mask) {
      const reference = shard[slot]!
      if (reference === 0) break
      if (shard[slot + 1] !== hash) continue
      if (this.#chunks[(reference - 1) >>> this.#chunkBits]!.is((reference - 1) & this.#chunkMask, this.#sought))
        return reference
    }
    return 0
  }

  /** Where a reference lies in the shard of its hash; -1 when it was replaced. */
  #slotOf(reference: number, hash: number): number {
    const shard = this.#shards[hash >>> shardShift]!
    const mask = shard.length - 1
    for (let slot = homeOf(hash) & mask; mask > 0; slot = (slot + 2) & mask) {
      if (shard[slot] === reference) return slot
      if (shard[slot] === 0) break
    }
    return -1
  }

  #insert(reference: number, hash: number): void {
    const number = hash >>> shardShift
    this.#counts[number]! += 1
    let shard = this.#shards[number]!
    // Three quarters of its slots at most.
    if (this.#counts[number]! * 8 > shard.length * 3) {
      shard = resized(shard, Math.max(16, shard.length * 2))
      this.#shards[number] = shard
    }
    place(shard, reference, hash)
  }

  #remove(number: number, entry: number): void {
    const chunk = this.#chunks[number]!
    const hash = hashKey(chunk.bytes, chunk.start(entry), chunk.end(entry)) | 0
    const slot = this.#slotOf(((number << this.#chunkBits) | entry) + 1, hash)
    if (slot < 0) return
    const from = hash >>> shardShift
    const shard = this.#shards[from]!
    takeOut(shard, slot)
    this.#size -= 1
    const count = this.#counts[from]! - 1
    this.#counts[from] = count
    if (shard.length > 16 && count * 16 < shard.length) this.#shards[from] = resized(shard, shard.length / 2)
  }

  /** No text begins with this byte. */
  #bytesOf(id: number): Uint8Array {
    this.#numberView.setUint8(0, numberMark)
    this.#numberView.setFloat64(1, id + 0)
    return this.#numberBytes
  }
}

const freeChunksMax = 8
const shardCount = 64
const shardShift = 26
const empty = new Int32Array(0)
const numberMark = 0xff

/** The high bits chose the shard. Even: a slot is two integers. */
function homeOf(hash: number): number {
  return hash << 1
}

function place(shard: Int32Array, reference: number, hash: number): void {
  const mask = shard.length - 1
  let slot = homeOf(hash) & mask
  while (shard[slot] !== 0) slot = (slot + 2) & mask
  shard[slot] = reference
  shard[slot + 1] = hash
}

function resized(shard: Int32Array, length: number): Int32Array {
  const other = new Int32Array(length)
  for (let slot = 0; slot < shard.length; slot += 2) {
    if (shard[slot] !== 0) place(other, shard[slot]!, shard[slot + 1]!)
  }
  return other
}

/** Moves up what would not be found any more with a gap before it. */
function takeOut(shard: Int32Array, slot: number): void {
  const mask = shard.length - 1
  let gap = slot
  for (let next = (gap + 2) & mask; shard[next] !== 0; next = (next + 2) & mask) {
    const home = homeOf(shard[next + 1]!) & mask
    if (((next - home) & mask) < ((next - gap) & mask)) continue
    shard[gap] = shard[next]!
    shard[gap + 1] = shard[next + 1]!
    gap = next
  }
  shard[gap] = 0
}

function bytesOfText(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text)
  const writer = new ByteWriter()
  writer.string(text)
  const reader = new ByteReader(writer.finish())
  return reader.bytes()
}

export function isNumberId({ bytes, start, end }: IdBytes): boolean {
  return end > start && bytes[start] === numberMark
}

/** The id that bytes of a table stand for. */
export function idOf(id: IdBytes): Id {
  const { bytes, start, end } = id
  if (isNumberId(id)) return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(start + 1)
  const writer = new ByteWriter()
  writer.bytes(bytes.subarray(start, end))
  return new ByteReader(writer.finish()).string()
}
