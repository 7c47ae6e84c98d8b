import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { MillraceError, messageOf } from '../../base/faults.ts'

/** Where a segment lies: in memory, which threads may share, or in a file. */
export type SegmentPlace =
  | { readonly bytes: Uint8Array }
  | { readonly path: string; readonly position: number; readonly size: number; readonly crc: number }

/** One segment per bucket, one after the other: that of bucket `b` is `[offsets[b], offsets[b + 1])`. */
export type Block = { readonly bytes: Uint8Array; readonly offsets: readonly number[] }

/** A block that lies in a file from `position` on, with a checksum per bucket: what is known of it without reading it. */
export type FiledBlock = {
  readonly path: string
  readonly position: number
  readonly offsets: readonly number[]
  readonly crcs: readonly number[]
}

/** How much of the segments may stay in memory, over all stores that share it. */
export class MemoryBudget {
  readonly bytesMax: number
  /** Shared between threads: what is put into it can be read by all of them. */
  readonly shared: boolean
  readonly #stores = new Set<SegmentStore>()
  #used = 0
  #exceeded = false

  constructor(bytesMax: number, shared: boolean) {
    this.bytesMax = bytesMax
    this.shared = shared
  }

  /** Whether it ever was too little. */
  get exceeded(): boolean {
    return this.#exceeded
  }

  join(store: SegmentStore): void {
    this.#stores.add(store)
  }

  leave(store: SegmentStore): void {
    this.#stores.delete(store)
  }

  /** Makes room, if need be by sending everything that is there into files. False: there can be none. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.bytesMax) {
      this.#exceeded = true
      for (const store of this.#stores) store.spill()
      if (this.#used + bytes > this.bytesMax) return false
    }
    this.#used += bytes
    return true
  }

  give(bytes: number): void {
    this.#used -= bytes
  }
}

/**
 * Segments by bucket, in the order in which they came. In memory as long as the budget lasts, then in one file to which
 * blocks are appended. Throws `SPILL_FAILED`.
 */
export class SegmentStore {
  readonly buckets: number
  readonly #budget: MemoryBudget
  readonly #path: string
  #held: Block[] = []
  #filed: FiledBlock[] = []
  #file: number | null = null
  #end = 0

  /** @param path of the file, made when it is needed. */
  constructor(buckets: number, { budget, path }: { readonly budget: MemoryBudget; readonly path: string }) {
    this.buckets = buckets
    this.#budget = budget
    this.#path = path
    budget.join(this)
  }

  /** Sends everything into the file, to stay there over a crash of the machine, and says where it lies. */
  persist(): readonly FiledBlock[] {
    this.spill()
    if (this.#file !== null) attempt(this.#path, () => fsyncSync(this.#file!))
    return this.#filed
  }

  /** Copies the bytes, unless they may be kept. */
  append({ bytes, offsets }: Block, mayKeep = false): void {
    if (bytes.length === 0) return
    if (this.#file === null && this.#budget.take(bytes.length)) {
      this.#held.push({ bytes: mayKeep ? bytes : this.#copied(bytes), offsets })
    } else this.#write({ bytes, offsets })
  }

  /** Takes in blocks that lie in files already. */
  adopt(blocks: readonly FiledBlock[]): void {
    this.#filed.push(...blocks)
  }

  places(bucket: number): SegmentPlace[] {
    const places: SegmentPlace[] = []
    for (const { path, position, offsets, crcs } of this.#filed) {
      const size = offsets[bucket + 1]! - offsets[bucket]!
      if (size > 0) places.push({ path, position: position + offsets[bucket]!, size, crc: crcs[bucket]! })
    }
    for (const { bytes, offsets } of this.#held) {
      if (offsets[bucket + 1]! > offsets[bucket]!) {
        places.push({ bytes: bytes.subarray(offsets[bucket], offsets[bucket + 1]) })
      }
    }
    return places
  }

  /** Sends everything into the file; from now on that is where everything goes. */
  spill(): void {
    const held = this.#held
    this.#held = []
    for (const block of held) {
      this.#write(block)
      this.#budget.give(block.bytes.length)
    }
  }

  /** Lets go of memory and file; the file itself stays. */
  close(): void {
    for (const { bytes } of this.#held) this.#budget.give(bytes.length)
    this.#held = []
    this.#budget.leave(this)
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #copied(bytes: Uint8Array): Uint8Array {
    const copy = new Uint8Array(
      this.#budget.shared ? new SharedArrayBuffer(bytes.length) : new ArrayBuffer(bytes.length),
    )
    copy.set(bytes)
    return copy
  }

  #write({ bytes, offsets }: Block): void {
    attempt(this.#path, () => {
      this.#file ??= openSync(this.#path, 'w')
      writeAll(this.#file, bytes)
    })
    this.#filed.push({ path: this.#path, position: this.#end, offsets, crcs: crcsOf({ bytes, offsets }) })
    this.#end += bytes.length
  }
}

export function crcsOf({ bytes, offsets }: Block): number[] {
  return offsets.slice(1).map((end, bucket) => crc32(bytes.subarray(offsets[bucket], end)))
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written, bytes.length - written)
}

/** The bytes of segments, those in files checked. Throws `SPILL_FAILED`. */
export function readPlaces(places: readonly SegmentPlace[]): Uint8Array[] {
  const files = new Map<string, number>()
  try {
    return places.map((place) => {
      if ('bytes' in place) return place.bytes
      const { path, position, size, crc } = place
      return attempt(path, () => {
        if (!files.has(path)) files.set(path, openSync(path, 'r'))
        const bytes = new Uint8Array(size)
        for (let filled = 0; filled < size; ) {
          const read = readSync(files.get(path)!, bytes, filled, size - filled, position + filled)
          if (read === 0) throw new Error(`it ends before byte ${position + size}`)
          filled += read
        }
        if (crc32(bytes) !== crc) throw new Error(`the bytes from ${position} to ${position + size} were changed`)
        return bytes
      })
    })
  } finally {
    for (const file of files.values()) closeSync(file)
  }
}

export function attempt<Result>(path: string, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('SPILL_FAILED', { file: path, detail: messageOf(error) }, { cause: error })
  }
}
