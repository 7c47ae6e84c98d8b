import { batchBytesNeeded, findBatchDamage, readBatchHeader } from '../record-batch.ts'
import type { File, FileSystem } from './file-system.ts'
import { readBytes, type Segment } from './segment.ts'
import type { BlockStart, SparseIndex } from './sparse-index.ts'

/** Whole, checked batches that follow each other, with offsets `[baseOffset, nextOffset)`. */
export type Run = { readonly baseOffset: number; readonly nextOffset: number; readonly bytes: Uint8Array }

/** Reads the segments of one partition by position, and keeps the files used last open. */
export class SegmentReader {
  readonly #fileSystem: FileSystem
  /** The one used longest ago comes first. */
  readonly #opened = new Map<Segment, Opened>()
  /** Segments whose files are being replaced, and when that is over. */
  readonly #held = new Map<Segment, Promise<void>>()

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem
  }

  /**
   * A run that holds `offset`, of about `bytesMax` and at least one batch. The segment must hold the offset.
   * Throws `LOG_CORRUPT`.
   */
  async readRun(segment: Segment, offset: number, bytesMax: number): Promise<Run> {
    return await this.#use(segment, async (parts) => {
      const { file, index, last } = parts
      const start = last?.offset === offset ? last : index.blockOf(offset)
      const { run, end } = await readRun({ file, segment, start }, offset, bytesMax)
      parts.last = end
      return run
    })
  }

  /** An offset of the segment from which to look for a record at or after `timestampMs`. */
  async firstOffsetAround(segment: Segment, timestampMs: number): Promise<number> {
    const around = await this.#use(segment, async ({ index }) => index.firstOffsetAround(timestampMs))
    return around ?? segment.baseOffset
  }

  /** Closes the file of a segment that is going away, once nobody reads it any more. */
  async forget(segment: Segment): Promise<void> {
    const opened = this.#opened.get(segment)
    if (opened === undefined) return
    this.#opened.delete(segment)
    await opened.idle()
    await (await opened.parts).file.close()
  }

  /** Runs what replaces the file of a segment while nobody reads it. Who comes meanwhile waits, and reads the new one. */
  async exclusively(segment: Segment, action: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held.set(segment, promise)
    try {
      await this.forget(segment)
      await action()
    } finally {
      this.#held.delete(segment)
      resolve()
    }
  }

  /** Waits for the reads under way. */
  async close(): Promise<void> {
    for (const segment of this.#opened.keys()) await this.forget(segment)
  }

  async #use<Result>(segment: Segment, action: (parts: Parts) => Promise<Result>): Promise<Result> {
    for (let held = this.#held.get(segment); held !== undefined; held = this.#held.get(segment)) await held
    const opened = this.#opened.get(segment) ?? new Opened(openParts(this.#fileSystem, segment))
    this.#opened.delete(segment)
    this.#opened.set(segment, opened)
    opened.begin()
    try {
      const parts = await opened.parts
      await this.#closeUnused()
      return await action(parts)
    } catch (error) {
      // The next reader tries anew rather than meet the same failed open.
      if ((await opened.failedToOpen()) && this.#opened.get(segment) === opened) this.#opened.delete(segment)
      throw error
    } finally {
      opened.end()
    }
  }

  async #closeUnused(): Promise<void> {
    for (const [segment, opened] of this.#opened) {
      if (this.#opened.size <= openSegmentsMax) return
      if (!opened.inUse) await this.forget(segment)
    }
  }
}

/** Files kept open for reading, per partition, beyond those in use. */
const openSegmentsMax = 4

/** Least size of a read from disk: a small `bytesMax` must not cost one system call per record. */
const readBytesMin = 64 * 1024

/** Most that is read at once, unless a single batch is larger. */
const readBytesMax = 16 * 1024 * 1024

type Parts = {
  readonly file: File
  readonly index: SparseIndex
  /** Where the last read ended: a reader that goes on from there needs no look into the index. */
  last: BlockStart | null
}

async function openParts(fileSystem: FileSystem, segment: Segment): Promise<Parts> {
  const index = await segment.loadIndex(fileSystem)
  return { file: await fileSystem.open(segment.path, 'read'), index, last: null }
}

/** An open segment and how many read it just now. */
class Opened {
  readonly parts: Promise<Parts>
  #users = 0
  #whenIdle: (() => void)[] = []

  constructor(parts: Promise<Parts>) {
    this.parts = parts
  }

  get inUse(): boolean {
    return this.#users > 0
  }

  begin(): void {
    this.#users++
  }

  end(): void {
    this.#users--
    if (this.#users > 0) return
    for (const resolve of this.#whenIdle) resolve()
    this.#whenIdle = []
  }

  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#users === 0) resolve()
      else this.#whenIdle.push(resolve)
    })
  }

  async failedToOpen(): Promise<boolean> {
    const [outcome] = await Promise.allSettled([this.parts])
    return outcome.status === 'rejected'
  }
}

type RunSource = { readonly file: File; readonly segment: Segment; readonly start: BlockStart }

/**
 * Walks from a batch that is known to begin at `start` to the one that holds `offset`. Batches passed over are judged
 * by their offsets alone, those given out by their checksum as well.
 */
async function readRun(
  source: RunSource,
  offset: number,
  bytesMax: number,
): Promise<{ readonly run: Run; readonly end: BlockStart }> {
  const { file, segment, start } = source
  const { sizeBytes } = segment
  const wanted = Math.min(Math.max(bytesMax, readBytesMin), readBytesMax)
  let chunkPosition = start.position
  let chunk = await readBytes(file, chunkPosition, Math.min(sizeBytes - chunkPosition, wanted))
  let at = 0
  let nextOffset = start.offset
  let first: { readonly at: number; readonly offset: number } | null = null
  while (chunkPosition + at < sizeBytes && (first === null || at - first.at < wanted)) {
    const needed = batchBytesNeeded(chunk, at)
    if (at + needed > chunk.length) {
      if (first !== null) break
      chunkPosition += at
      const left = sizeBytes - chunkPosition
      if (needed > left) throw segment.corrupt(chunkPosition, `a batch needs ${needed} bytes, and ${left} are left`)
      chunk = await readBytes(file, chunkPosition, Math.min(left, Math.max(needed, wanted)))
      at = 0
      continue
    }
    const batch = readBatchHeader(chunk, at)
    if (batch.baseOffset !== nextOffset) {
      const detail = `a batch begins at offset ${batch.baseOffset} instead of ${nextOffset}`
      throw segment.corrupt(chunkPosition + at, detail)
    }
    if (batch.nextOffset > offset || batch.sizeBytes !== needed) {
      const damage = findBatchDamage(chunk, at)
      if (damage !== null) throw segment.corrupt(chunkPosition + at, damage)
      first ??= { at, offset: nextOffset }
    }
    at += needed
    nextOffset = batch.nextOffset
  }
  if (first === null) throw segment.corrupt(chunkPosition + at, `no batch holds offset ${offset}`)
  const run = { baseOffset: first.offset, nextOffset, bytes: chunk.subarray(first.at, at) }
  return { run, end: { offset: nextOffset, position: chunkPosition + at } }
}
