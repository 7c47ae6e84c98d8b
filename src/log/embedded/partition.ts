import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import { reach } from '../../base/crash-points.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import type { LogRecord, RecordInput } from '../log.ts'
import { encodeBatch, readBatchHeader, setPartitionLeaderEpoch } from '../record-batch.ts'
import { decodeRecords } from '../record-decoder.ts'
import type { FileSystem } from './file-system.ts'
import { recoverSegments } from './recover.ts'
import { draftRewritten, type Replacements } from './rewrite.ts'
import type { Segment } from './segment.ts'
import { type Run, SegmentReader } from './segment-reader.ts'
import { SegmentWriter } from './segment-writer.ts'
import { TailCache } from './tail-cache.ts'
import { Waiters } from '../waiters.ts'

export type PartitionOptions = {
  readonly topic: string
  readonly partition: number
  readonly folder: string
  readonly retentionMs: number | null
  /** Records below this offset were durable once: that they are not whole is damage, not a torn write. */
  readonly durableEnd: number
  readonly segmentBytes: number
  readonly tailBytesMax: number
  readonly fileSystem: FileSystem
  readonly clock: Clock
}

/**
 * One partition: a list of segments, of which the last is written.
 *
 * Each call to `append` becomes one batch, and gets its offsets at once. The batches that gather while a write is under
 * way are written together as the next group, with one sync. Nothing of a group shows before that sync.
 *
 * The first failed write or sync stops the partition for good: what is on disk is not known any more, and the offsets
 * given out are gone. What was durable before can still be read.
 */
export class Partition {
  readonly #options: PartitionOptions
  readonly #segments: Segment[]
  readonly #writer: SegmentWriter
  readonly #reader: SegmentReader
  readonly #tail: TailCache
  /** Whether anybody ever was at the end: of outputs that nobody reads nothing is kept. */
  #isFollowed = false
  /** Counts changes of what is already in the log: what was read before one is not kept after it. */
  #changes = 0
  readonly #waiters = new Waiters()
  /** What is left of the last run read from disk, for a reader that takes less than a run at a time. */
  #rest: Run | null = null
  #pending: PendingAppend[] = []
  #nextOffset: number
  #draining: Promise<void> | null = null
  /** Those who asked that the newest segment be closed. */
  #rolls: PendingRoll[] = []
  /** Removals and rewritings of full segments, one after the other. */
  #tidying: Promise<void> = Promise.resolve()
  #closed: Error | null = null
  #failure: MillraceError | null = null

  private constructor(options: PartitionOptions, segments: readonly Segment[], writer: SegmentWriter) {
    this.#options = options
    this.#segments = [...segments]
    this.#writer = writer
    this.#reader = new SegmentReader(options.fileSystem)
    this.#tail = new TailCache(options.tailBytesMax)
    this.#nextOffset = writer.segment.nextOffset
  }

  /** Recovers what the folder holds, and removes what is past its retention. Throws `LOG_CORRUPT`. */
  static async open(options: PartitionOptions): Promise<Partition> {
    const segments = await recoverSegments(options.fileSystem, options)
    const newest = segments.at(-1)
    assert(newest !== undefined, 'a recovered partition has a segment')
    const partition = new Partition(options, segments, await SegmentWriter.open(options.fileSystem, newest))
    try {
      await partition.enforceRetention()
    } catch (error) {
      await partition.#writer.close()
      throw error
    }
    return partition
  }

  get start(): number {
    return this.#segments[0]!.baseOffset
  }

  get end(): number {
    return this.#segments.at(-1)!.nextOffset
  }

  /** Whether a failed write has stopped it. */
  get stopped(): boolean {
    return this.#failure !== null
  }

  /** Encodes the records before it returns: the caller may reuse their bytes. */
  append(records: readonly RecordInput[]): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    const baseOffset = this.#nextOffset
    const batch = encodeBatch(records, baseOffset)
    this.#nextOffset += records.length
    const appended = new Promise<number>((resolve, reject) => {
      this.#pending.push({ batch, baseOffset, resolve, reject })
    })
    this.#draining ??= this.#drain()
    return appended
  }

  async read(offset: number, bytesMax: number): Promise<readonly LogRecord[]> {
    assert(Number.isSafeInteger(offset), 'an offset is a safe integer')
    assert(bytesMax > 0, 'a reader asks for at least one byte')
    this.#checkRange(offset)
    const records: LogRecord[] = []
    if (offset === this.end) {
      this.#isFollowed = true
      return records
    }
    if (this.#tail.find(offset) === null) {
      const changes = this.#changes
      const run = await this.#runFromDisk(offset, bytesMax)
      decodeRun(run, { offset, bytesMax }, records)
      const next = records.at(-1)!.offset + 1
      this.#rest = next < run.nextOffset && changes === this.#changes ? run : null
      return records
    }
    let takenBytes = 0
    for (let next = offset; takenBytes < bytesMax; next = records.at(-1)!.offset + 1) {
      const run = this.#tail.find(next)
      if (run === null) break
      takenBytes += decodeRun(run, { offset: next, bytesMax: bytesMax - takenBytes }, records)
    }
    return records
  }

  async offsetAt(timestampMs: number): Promise<number> {
    // A copy, because retention may shorten the list meanwhile.
    for (const segment of this.#segments.slice()) {
      if (segment.newestMs < timestampMs || segment.baseOffset < this.start) continue
      let offset = await this.#orReadFailed(() => this.#reader.firstOffsetAround(segment, timestampMs))
      while (offset < segment.nextOffset) {
        const run = await this.#orReadFailed(() => this.#reader.readRun(segment, offset, searchBytes))
        const found = findInRun(run, timestampMs)
        if (found !== null) return found
        offset = run.nextOffset
      }
    }
    return this.end
  }

  waitFor(offset: number, signal: AbortSignal): Promise<void> {
    this.#isFollowed = true
    if (offset < this.end || signal.aborted) return Promise.resolve()
    if (this.#failure !== null) return Promise.reject(this.#failure)
    return this.#waiters.wait(offset, signal)
  }

  /** Removes whole segments whose newest record is older than the retention, oldest first; never the one written. */
  enforceRetention(): Promise<void> {
    return this.#tidy(() => this.#removeExpired())
  }

  /**
   * Replaces records by others at the same offsets, with their timestamps: what was there is nowhere on disk when this
   * resolves, and whoever reads after that sees only the new ones. After a crash before that, each is old or new.
   * Records that retention has removed meanwhile are passed over. Throws `LOG_OFFSET_OUT_OF_RANGE` beyond the end.
   */
  async replace(replacements: Replacements): Promise<void> {
    const offsets = [...replacements.keys()]
    const last = offsets.reduce((highest, offset) => Math.max(highest, offset), -1)
    if (last >= this.end) this.#checkRange(last + 1)
    // Before the work is queued: the writer waits for that queue now and then.
    if (last >= this.#writer.segment.baseOffset) await this.#roll()
    for (const segment of this.#segments.slice(0, -1)) {
      const { baseOffset, nextOffset } = segment
      if (!offsets.some((offset) => offset >= baseOffset && offset < nextOffset)) continue
      await this.#tidy(() => this.#rewrite(segment, replacements))
    }
  }

  /** Waits for the appends and reads under way. `reason` goes to those who wait for records. */
  async close(reason: Error): Promise<void> {
    this.#closed = reason
    await this.#draining
    await this.#tidying
    this.#waiters.fail(reason)
    await this.#reader.close()
    await this.#writer.close()
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0 || this.#rolls.length > 0) {
      if (this.#rolls.length > 0) {
        await this.#rollAsAsked()
        continue
      }
      let group: readonly PendingAppend[] = []
      try {
        // This waits in any case, so that calls made in the same turn as the first one join its group.
        const rolled = await this.#rollIfFull(this.#pending[0]!.batch.length)
        group = this.#takeGroup()
        const bytes = joinGroup(group)
        reach('log.group.taken')
        await this.#writer.write(bytes)
        reach('log.group.synced')
        this.#publish(bytes)
        reach('log.group.published')
        for (const { baseOffset, resolve } of group) resolve(baseOffset)
        if (rolled) await this.enforceRetention()
      } catch (error) {
        this.#stop(error)
        for (const { reject } of group) reject(this.#failure)
      }
    }
    this.#draining = null
  }

  async #rollIfFull(bytes: number): Promise<boolean> {
    const { sizeBytes } = this.#writer.segment
    if (sizeBytes === 0 || sizeBytes + bytes <= this.#options.segmentBytes) return false
    this.#segments.push(await this.#writer.roll())
    return true
  }

  /** Closes the newest segment between two groups, unless it is empty. */
  #roll(): Promise<void> {
    if (this.#failure !== null || this.#closed !== null) return Promise.reject(this.#failure ?? this.#closed!)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#rolls.push({ resolve, reject })
    this.#draining ??= this.#drain()
    return promise
  }

  async #rollAsAsked(): Promise<void> {
    const asked = this.#rolls
    this.#rolls = []
    try {
      // In any case a turn later, as for appends.
      await Promise.resolve()
      if (this.#writer.segment.sizeBytes > 0) this.#segments.push(await this.#writer.roll())
      for (const { resolve } of asked) resolve()
    } catch (error) {
      this.#stop(error)
      for (const { reject } of asked) reject(this.#failure)
    }
  }

  #tidy(action: () => Promise<void>): Promise<void> {
    const done = this.#tidying.then(action)
    // Only the order is kept here; the error goes to whoever asked.
    this.#tidying = done.catch(() => undefined)
    return done
  }

  async #rewrite(segment: Segment, replacements: Replacements): Promise<void> {
    const { fileSystem } = this.#options
    if (this.#failure !== null || this.#closed !== null) throw this.#failure ?? this.#closed!
    if (!this.#segments.includes(segment)) return
    try {
      const rewritten = await draftRewritten(fileSystem, segment, replacements)
      await this.#reader.exclusively(segment, () => segment.replaceFile(fileSystem, rewritten))
    } catch (error) {
      if (error instanceof MillraceError) throw error
      this.#stop(error)
      throw this.#failure
    } finally {
      this.#changes += 1
      this.#rest = null
      this.#tail.clear()
    }
  }

  /** As many calls, in order, as a group may hold and the segment has room for; at least one. */
  #takeGroup(): readonly PendingAppend[] {
    const room = Math.min(groupBytesMax, this.#options.segmentBytes - this.#writer.segment.sizeBytes)
    let bytes = this.#pending[0]!.batch.length
    let count = 1
    while (count < this.#pending.length && bytes + this.#pending[count]!.batch.length <= room) {
      bytes += this.#pending[count]!.batch.length
      count++
    }
    return this.#pending.splice(0, count)
  }

  #publish(bytes: Uint8Array): void {
    const baseOffset = this.end
    for (let at = 0; at < bytes.length; ) {
      const batch = readBatchHeader(bytes, at)
      this.#writer.segment.extend(batch)
      at += batch.sizeBytes
    }
    if (this.#isFollowed) this.#tail.add({ baseOffset, nextOffset: this.end, bytes })
    this.#waiters.wake(this.end)
  }

  /** Only the first failure counts. */
  #stop(error: unknown): void {
    const { topic, partition } = this.#options
    const details = { topic, partition, detail: messageOf(error) }
    this.#failure ??= new MillraceError('LOG_WRITE_FAILED', details, { cause: error })
    const refused = [...this.#pending, ...this.#rolls]
    this.#pending = []
    this.#rolls = []
    for (const { reject } of refused) reject(this.#failure)
    this.#waiters.fail(this.#failure)
  }

  async #removeExpired(): Promise<void> {
    const { retentionMs, clock, fileSystem } = this.#options
    if (retentionMs === null || this.#failure !== null) return
    const expiredBefore = clock.now() - retentionMs
    while (this.#segments.length > 1 && this.#segments[0]!.newestMs < expiredBefore) {
      const segment = this.#segments.shift()!
      try {
        await this.#reader.forget(segment)
        await segment.remove(fileSystem)
      } catch (error) {
        this.#stop(error)
        throw this.#failure
      }
    }
  }

  #checkRange(offset: number): void {
    const { topic, partition } = this.#options
    const { start, end } = this
    if (offset >= start && offset <= end) return
    throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { offset, topic, partition, start, end })
  }

  async #runFromDisk(offset: number, bytesMax: number): Promise<Run> {
    const rest = this.#rest
    if (rest !== null && rest.baseOffset <= offset && offset < rest.nextOffset) return rest
    const segment = this.#segments.findLast((one) => one.baseOffset <= offset)
    assert(segment !== undefined, 'an offset inside the range lies in a segment')
    try {
      return await this.#orReadFailed(() => this.#reader.readRun(segment, offset, bytesMax))
    } catch (error) {
      // Retention may have taken the segment away while it was being opened.
      this.#checkRange(offset)
      throw error
    }
  }

  async #orReadFailed<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action()
    } catch (error) {
      if (error instanceof MillraceError) throw error
      const { topic, partition } = this.#options
      throw new MillraceError('LOG_READ_FAILED', { topic, partition, detail: messageOf(error) }, { cause: error })
    }
  }
}

type PendingAppend = {
  readonly batch: Uint8Array
  readonly baseOffset: number
  readonly resolve: (offset: number) => void
  readonly reject: (error: unknown) => void
}

type PendingRoll = { readonly resolve: () => void; readonly reject: (error: unknown) => void }

/** A group is a matter of milliseconds, so that what comes after it does not wait long. One call may be larger. */
const groupBytesMax = 1024 * 1024

/** How much is read at a time in search of a timestamp. */
const searchBytes = 64 * 1024

/** The batches in a row, each with its distance from the start of the group (`scan.ts` says what for). */
function joinGroup(group: readonly PendingAppend[]): Uint8Array {
  let bytes = 0
  for (const { batch } of group) {
    setPartitionLeaderEpoch(batch, bytes)
    bytes += batch.length
  }
  return group.length === 1 ? group[0]!.batch : Buffer.concat(group.map(({ batch }) => batch))
}

function decodeRun(run: Run, range: { offset: number; bytesMax: number }, into: LogRecord[]): number {
  let takenBytes = 0
  for (let at = 0; at < run.bytes.length && takenBytes < range.bytesMax; ) {
    const batch = readBatchHeader(run.bytes, at)
    if (batch.nextOffset > range.offset) {
      const left = { offset: range.offset, bytesMax: range.bytesMax - takenBytes }
      takenBytes += decodeRecords({ bytes: run.bytes, at }, left, into)
    }
    at += batch.sizeBytes
  }
  return takenBytes
}

function findInRun(run: Run, timestampMs: number): number | null {
  for (let at = 0; at < run.bytes.length; ) {
    const batch = readBatchHeader(run.bytes, at)
    if (batch.maxTimestampMs >= timestampMs) {
      const records: LogRecord[] = []
      decodeRecords({ bytes: run.bytes, at }, { offset: 0, bytesMax: Number.POSITIVE_INFINITY }, records)
      const found = records.find((record) => record.timestampMs >= timestampMs)
      if (found !== undefined) return found.offset
    }
    at += batch.sizeBytes
  }
  return null
}
