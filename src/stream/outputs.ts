import { assert } from '../base/assert.ts'
import { reach } from '../base/crash-points.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import { partitionFor } from '../base/murmur2.ts'
import type { Log, LogRecord, RecordInput } from '../log/log.ts'
import { deadLetterTopic, lateTopic } from '../plan/topics.ts'
import { type Coordinates, coordinatesIn } from './output-headers.ts'
import { type IntervalOutput, PublishedIntervals } from './published-intervals.ts'
import { readInterval } from './feature-record.ts'
import { type Rejection, rejectionRecord, rejectionTopic, sourceOf } from './rejection.ts'
import { type NextOffsetOf, WrittenOutputs } from './written-outputs.ts'

export { readRejection, type Rejection, type RejectionRecord } from './rejection.ts'
export type { NextOffsetOf } from './written-outputs.ts'

export type SourcePartition = { readonly topic: string; readonly partition: number }

/** A record for an output topic, and whose work it is. */
type Output = {
  readonly topic: string
  readonly partition: number
  readonly record: RecordInput
  readonly sizeBytes: number
  readonly sources: readonly SourcePartition[]
}

/** What a checkpoint appends, and from where on the output topics hold more than the checkpoint covers. */
export type TakenOutputs = {
  readonly outputs: readonly Output[]
  readonly topics: readonly string[]
  /** Topic and partition → offset of the first output that belongs to work after the checkpoint. */
  readonly aheadFrom: ReadonlyMap<string, number>
}

/** Outputs could not be written. The source partitions they belong to cannot go on; others can. */
export class OutputError extends MillraceError<'OUTPUT_WRITE_FAILED'> {
  readonly sources: readonly SourcePartition[]

  constructor(topics: readonly string[], sources: readonly SourcePartition[], cause: unknown) {
    super('OUTPUT_WRITE_FAILED', { topics: topics.join(', '), detail: messageOf(cause) }, { cause })
    this.sources = sources
  }
}

/**
 * Dead letters, late events and finished values. They are appended before the checkpoint that covers what they came
 * from, so after a crash some are already there; those are recognised and not appended again: what comes of one source
 * record by its coordinates, the values of an interval by what they say (`PublishedIntervals`).
 *
 * Recovery may itself be cut off, after checkpoints that cover only some of those. So a checkpoint's end of an output
 * topic is not always the end of the topic: it stays before the first output whose source the checkpoint does not cover.
 */
export class Outputs {
  readonly #log: Log
  readonly #written = new WrittenOutputs()
  readonly #published = new PublishedIntervals()
  readonly #partitionCounts = new Map<string, number>()
  readonly #rejections: readonly string[]
  #views: ReadonlyMap<string, string>
  #pending: Output[] = []
  #pendingBytes = 0

  /**
   * @param views topic of finished values → fingerprint of its view. The topics exist.
   * @param rejections those for rejected events, where any are to go.
   */
  constructor(
    log: Log,
    views: ReadonlyMap<string, string> = new Map(),
    rejections: readonly string[] = [deadLetterTopic, lateTopic],
  ) {
    this.#log = log
    this.#views = views
    this.#rejections = rejections
  }

  /** From now on finished values go to these topics and no others. */
  serve(views: ReadonlyMap<string, string>): void {
    for (const [topic, fingerprint] of this.#views) {
      // Nobody is going to go through that again.
      if (views.get(topic) !== fingerprint) this.#published.release(topic, Number.POSITIVE_INFINITY)
    }
    this.#views = views
  }

  /** Every topic that this writes to. */
  get topics(): readonly string[] {
    return [...this.#rejections, ...this.#views.keys()]
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /**
   * Remembers the outputs after the ends of a checkpoint whose sources are still to be judged. Throws
   * `LOG_OFFSET_OUT_OF_RANGE` when an output topic is shorter than the checkpoint says.
   */
  async restore(ends: Readonly<Record<string, readonly number[]>>, next: NextOffsetOf): Promise<void> {
    for (const topic of this.topics) {
      for (let partition = 0; partition < this.#partitions(topic); partition++) {
        const [start, end] = [this.#log.start(topic, partition), this.#log.end(topic, partition)]
        let offset = Math.max(ends[topic]?.[partition] ?? 0, start)
        if (offset > end) throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { topic, partition, offset, start, end })
        while (offset < end) {
          const read = await this.#log.read(topic, partition, offset, 4 * 1024 * 1024)
          for (const record of read.records) this.#remember({ topic, partition, record }, next)
          offset = read.next
        }
      }
    }
  }

  /** Puts a rejected record where it goes, unless it is there. */
  add(rejection: Rejection): void {
    const topic = rejectionTopic(rejection)
    const source = sourceOf(rejection)
    if (this.#written.has(topic, source)) return
    const partition = source.partition % this.#partitions(topic)
    this.#push({ topic, partition, record: rejectionRecord(rejection), sources: [source] })
  }

  /** Puts the values after an event where they go, unless they are there: then nothing is computed. */
  addFeatures(topic: string, source: Coordinates, make: () => RecordInput): void {
    if (this.#written.has(topic, source)) return
    this.#pushKeyed(topic, make(), [source])
  }

  /** Puts the values of an interval where they go, unless they, or newer ones, are there. */
  addInterval(
    topic: string,
    { record, interval }: { readonly record: RecordInput; readonly interval: IntervalOutput },
    sources: readonly SourcePartition[],
  ): void {
    if (!this.#published.covers(topic, interval)) this.#pushKeyed(topic, record, sources)
  }

  /** No interval of a topic up to `end` is waited for any more. */
  release(topic: string, end: number): void {
    this.#published.release(topic, end)
  }

  /** Takes what waits, to be appended with `flush`. `next` is where the checkpoint stands. */
  take(next: NextOffsetOf): TakenOutputs {
    const outputs = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    const aheadFrom = this.#written.aheadFrom(next)
    this.#published.addAhead(aheadFrom)
    return { outputs, topics: this.topics, aheadFrom }
  }

  /**
   * Makes the outputs durable and gives the ends of the output topics, for the checkpoint that covers them. Throws
   * `OutputError` once every append has ended, well or not.
   */
  async flush({ outputs, topics, aheadFrom }: TakenOutputs): Promise<Record<string, readonly number[]>> {
    const batches = inBatches(outputs)
    reach('engine.outputs.begun')
    const results = await Promise.allSettled(
      batches.map(async ({ topic, partition, records }) => await this.#log.append(topic, partition, records)),
    )
    throwIfFailed(batches, results)
    reach('engine.outputs.flushed')
    return Object.fromEntries(
      topics.map((topic) => [
        topic,
        Array.from({ length: this.#partitions(topic) }, (_, partition) => {
          const end = this.#log.end(topic, partition)
          return Math.min(end, aheadFrom.get(`${topic}/${partition}`) ?? end)
        }),
      ]),
    )
  }

  #pushKeyed(topic: string, record: RecordInput, sources: readonly SourcePartition[]): void {
    this.#push({ topic, partition: partitionFor(record.key!, this.#partitions(topic)), record, sources })
  }

  #push(output: Omit<Output, 'sizeBytes'>): void {
    const sizeBytes = sizeOf(output.record)
    this.#pending.push({ ...output, sizeBytes })
    this.#pendingBytes += sizeBytes
  }

  #remember(found: { topic: string; partition: number; record: LogRecord }, next: NextOffsetOf): void {
    const place = { topic: found.topic, partition: found.partition, offset: found.record.offset }
    const source = coordinatesIn(found.record)
    const nextOffset = next(source)
    if (nextOffset !== null && source.offset >= nextOffset) this.#written.add(place, source)
    const fingerprint = this.#views.get(found.topic)
    const interval = fingerprint === undefined ? null : readInterval(found.record, fingerprint)
    if (interval !== null) this.#published.add(place, interval)
  }

  #partitions(topic: string): number {
    let count = this.#partitionCounts.get(topic)
    if (count === undefined) {
      count = this.#log.topics().find((one) => one.topic === topic)?.partitions
      assert(count !== undefined, 'every output topic exists')
      this.#partitionCounts.set(topic, count)
    }
    return count
  }
}

type Batch = {
  readonly topic: string
  readonly partition: number
  readonly records: RecordInput[]
  readonly sources: Set<readonly SourcePartition[]>
  sizeBytes: number
}

/** A log takes so much in one call, and more than any one output needs. */
const batchBytesMax = 8 * 1024 * 1024

/** One batch per partition, or several where they would be too large. */
function inBatches(outputs: readonly Output[]): Batch[] {
  const batches: Batch[] = []
  const newest = new Map<string, Batch>()
  for (const { topic, partition, record, sizeBytes, sources } of outputs) {
    const name = `${topic}/${partition}`
    let batch = newest.get(name)
    if (batch === undefined || batch.sizeBytes + sizeBytes > batchBytesMax) {
      batch = { topic, partition, records: [], sources: new Set(), sizeBytes: 0 }
      newest.set(name, batch)
      batches.push(batch)
    }
    batch.records.push(record)
    batch.sources.add(sources)
    batch.sizeBytes += sizeBytes
  }
  return batches
}

function throwIfFailed(batches: readonly Batch[], results: readonly PromiseSettledResult<unknown>[]): void {
  const failed = batches.filter((_, index) => results[index]!.status === 'rejected')
  const first = results.find((result) => result.status === 'rejected')
  if (first === undefined) return
  const sources = new Map(
    failed
      .flatMap((batch) => [...batch.sources].flat())
      .map(({ topic, partition }) => [`${topic}/${partition}`, { topic, partition }]),
  )
  throw new OutputError([...new Set(failed.map(({ topic }) => topic))], [...sources.values()], first.reason)
}

/** Beside key, value and headers a record takes a few numbers. */
const recordOverheadBytes = 100

function sizeOf({ key, value, headers: given = [] }: RecordInput): number {
  let size = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, content] of given) size += name.length + content.length
  return size
}
