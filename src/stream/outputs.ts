import { deadLetterTopic, lateTopic } from '../plan/topics.ts'
import { MillraceError } from '../base/faults.ts'
import type { Header, Log, LogRecord, RecordInput } from '../log/log.ts'
import type { Refusal } from '../schema/decode.ts'

/** Where a record came from, and what is to be said of it beside its raw bytes. */
export type Rejection = {
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly record: LogRecord
  readonly why:
    | { readonly verdict: 'refused'; readonly refusals: readonly Refusal[] }
    | { readonly verdict: 'late'; readonly ts: number; readonly watermark: number }
}

/** Where a source partition of the plan stands: the first offset not judged yet, or null when the plan has none such. */
export type NextOffsetOf = (source: {
  readonly stream: string
  readonly topic: string
  readonly partition: number
}) => number | null

/** An output found in its topic, whose source record is not judged yet. */
type Written = {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly source: Coordinates
}

/** A record for an output topic. */
type Output = {
  readonly topic: string
  readonly partition: number
  readonly record: RecordInput
  readonly sizeBytes: number
}

/** What a checkpoint appends, and from where on the output topics hold more than the checkpoint covers. */
export type TakenOutputs = {
  readonly outputs: readonly Output[]
  /** Topic and partition → offset of the first output that belongs to work after the checkpoint. */
  readonly aheadFrom: ReadonlyMap<string, number>
}

/**
 * Dead letters and late events: raw bytes, reason and source coordinates. They are appended before the checkpoint
 * that covers their source, so after a crash some are already there; those are recognised by their coordinates and
 * not appended again.
 *
 * Recovery may itself be cut off, after checkpoints that cover only some of those. So a checkpoint's end of an output
 * topic is not always the end of the topic: it stays before the first output whose source the checkpoint does not cover.
 */
export class Outputs {
  readonly #log: Log
  readonly #written = new Map<string, Written>()
  #pending: Output[] = []
  #pendingBytes = 0

  constructor(log: Log) {
    this.#log = log
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /**
   * Remembers the outputs after the ends of a checkpoint whose sources are still to be judged. Throws
   * `LOG_OFFSET_OUT_OF_RANGE` when an output topic is shorter than the checkpoint says.
   */
  async restore(ends: Readonly<Record<string, readonly number[]>>, next: NextOffsetOf): Promise<void> {
    for (const topic of [deadLetterTopic, lateTopic]) {
      for (let partition = 0; partition < this.#partitions(topic); partition++) {
        const [start, end] = [this.#log.start(topic, partition), this.#log.end(topic, partition)]
        let offset = Math.max(ends[topic]?.[partition] ?? 0, start)
        if (offset > end) throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { topic, partition, offset, start, end })
        while (offset < end) {
          const records = await this.#log.read(topic, partition, offset, 4 * 1024 * 1024)
          for (const record of records) this.#remember({ topic, partition, record }, next)
          offset = records.at(-1)!.offset + 1
        }
      }
    }
  }

  add(rejection: Rejection): void {
    if (this.#written.size > 0 && this.#written.delete(nameOf(topicOf(rejection), coordinatesOf(rejection)))) return
    const topic = topicOf(rejection)
    const record = outputRecord(rejection)
    const sizeBytes = sizeOf(record)
    this.#pending.push({ topic, partition: rejection.partition % this.#partitions(topic), record, sizeBytes })
    this.#pendingBytes += sizeBytes
  }

  /** Takes what waits, to be appended with `flush`. `next` is where the checkpoint stands. */
  take(next: NextOffsetOf): TakenOutputs {
    const outputs = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    const aheadFrom = new Map<string, number>()
    for (const [name, { topic, partition, offset, source }] of this.#written) {
      // Judged meanwhile, and not rejected: other definitions wrote it. It must not hold the end back for ever.
      if (!isAhead(source, next)) {
        this.#written.delete(name)
        continue
      }
      const place = `${topic}/${partition}`
      aheadFrom.set(place, Math.min(offset, aheadFrom.get(place) ?? offset))
    }
    return { outputs, aheadFrom }
  }

  /** Makes the outputs durable and gives the ends of the output topics, for the checkpoint that covers them. */
  async flush({ outputs, aheadFrom }: TakenOutputs): Promise<Record<string, readonly number[]>> {
    await Promise.all(
      inBatches(outputs).map(({ topic, partition, records }) => this.#log.append(topic, partition, records)),
    )
    return Object.fromEntries(
      [deadLetterTopic, lateTopic].map((topic) => [
        topic,
        Array.from({ length: this.#partitions(topic) }, (_, partition) => {
          const end = this.#log.end(topic, partition)
          return Math.min(end, aheadFrom.get(`${topic}/${partition}`) ?? end)
        }),
      ]),
    )
  }

  #remember(found: { topic: string; partition: number; record: LogRecord }, next: NextOffsetOf): void {
    const { topic, partition, record } = found
    const source = coordinatesIn(record)
    if (!isAhead(source, next)) return
    this.#written.set(nameOf(topic, source), { topic, partition, offset: record.offset, source })
  }

  #partitions(topic: string): number {
    return this.#log.topics().find((one) => one.topic === topic)?.partitions ?? 0
  }
}

type Batch = { readonly topic: string; readonly partition: number; readonly records: RecordInput[]; sizeBytes: number }

/** A log takes so much in one call, and more than any one output needs. */
const batchBytesMax = 8 * 1024 * 1024

/** One batch per partition, or several where they would be too large. */
function inBatches(outputs: readonly Output[]): Batch[] {
  const batches: Batch[] = []
  const newest = new Map<string, Batch>()
  for (const { topic, partition, record, sizeBytes } of outputs) {
    const name = `${topic}/${partition}`
    let batch = newest.get(name)
    if (batch === undefined || batch.sizeBytes + sizeBytes > batchBytesMax) {
      batch = { topic, partition, records: [], sizeBytes: 0 }
      newest.set(name, batch)
      batches.push(batch)
    }
    batch.records.push(record)
    batch.sizeBytes += sizeBytes
  }
  return batches
}

/** Beside key, value and headers a record takes a few numbers. */
const recordOverheadBytes = 100

function sizeOf({ key, value, headers: given = [] }: RecordInput): number {
  let size = recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, content] of given) size += name.length + content.length
  return size
}

const headers = {
  stream: 'millrace.stream',
  topic: 'millrace.topic',
  partition: 'millrace.partition',
  offset: 'millrace.offset',
  reason: 'millrace.reason',
  detail: 'millrace.detail',
  /** How many headers of the source record found no room. They are at its coordinates still. */
  dropped: 'millrace.headers-dropped',
} as const

/** Together with what we add, within the 64 KiB that the embedded log takes. */
const sourceHeadersBytesMax = 32 * 1024
const detailBytesMax = 16 * 1024

function outputRecord({ stream, topic, partition, record, why }: Rejection): RecordInput {
  const reason = why.verdict === 'late' ? 'LATE' : [...new Set(why.refusals.map(({ code }) => code))].join(',')
  const detail = why.verdict === 'late' ? { ts: why.ts, watermark: why.watermark } : briefly(why.refusals)
  const { kept, dropped } = keepHeaders(record.headers)
  const text = {
    [headers.stream]: stream,
    [headers.topic]: topic,
    [headers.partition]: String(partition),
    [headers.offset]: String(record.offset),
    [headers.reason]: reason,
    [headers.detail]: JSON.stringify(detail),
    ...(dropped === 0 ? {} : { [headers.dropped]: String(dropped) }),
  }
  return {
    key: record.key,
    value: record.value,
    timestampMs: record.timestampMs,
    headers: [...kept, ...Object.entries(text).map(([name, value]) => [name, Buffer.from(value)] as const)],
  }
}

/** An event can have a fault in every one of a thousand fields, and its dead letter must fit all the same. */
function briefly(refusals: readonly Refusal[]): readonly object[] {
  let bytes = 0
  const fits = refusals.findIndex((refusal) => {
    bytes += Buffer.byteLength(JSON.stringify(refusal)) + 1
    return bytes > detailBytesMax
  })
  if (fits < 0) return refusals
  const more = { code: 'MORE', path: '', came: `${refusals.length - fits} more faults`, allowed: 'none' }
  return [...refusals.slice(0, fits), more]
}

function keepHeaders(given: readonly Header[]): { kept: readonly Header[]; dropped: number } {
  let bytes = 0
  const kept = given.filter(([name, content]) => {
    const size = Buffer.byteLength(name) + content.length
    if (bytes + size > sourceHeadersBytesMax) return false
    bytes += size
    return true
  })
  return { kept, dropped: given.length - kept.length }
}

/** A record of a source topic, as one stream of perhaps several reads it. */
type Coordinates = {
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

function coordinatesOf({ stream, topic, partition, record }: Rejection): Coordinates {
  return { stream, topic, partition, offset: record.offset }
}

function coordinatesIn(record: LogRecord): Coordinates {
  return {
    stream: textOf(record, headers.stream),
    topic: textOf(record, headers.topic),
    partition: Number(textOf(record, headers.partition)),
    offset: Number(textOf(record, headers.offset)),
  }
}

/** Names of topics and streams hold no blank. */
function nameOf(outputTopic: string, { stream, topic, partition, offset }: Coordinates): string {
  return `${outputTopic} ${stream} ${topic} ${partition} ${offset}`
}

/** Whether the source record is still to be judged. */
function isAhead(source: Coordinates, next: NextOffsetOf): boolean {
  const nextOffset = next(source)
  return nextOffset !== null && source.offset >= nextOffset
}

function topicOf({ why }: Rejection): string {
  return why.verdict === 'late' ? lateTopic : deadLetterTopic
}

/** Ours come last: an event that carries headers of these names itself does not mislead. */
function textOf(record: LogRecord, name: string): string {
  const found = record.headers.findLast(([header]) => header === name)
  return found === undefined ? '' : Buffer.from(found[1]).toString()
}

/** A record of an output topic, for people: what was rejected, where it came from and why. */
export type RejectionRecord = {
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly reason: string
  readonly detail: unknown
  readonly raw: Uint8Array | null
}

export function readRejection(record: LogRecord): RejectionRecord {
  return {
    stream: textOf(record, headers.stream),
    topic: textOf(record, headers.topic),
    partition: Number(textOf(record, headers.partition)),
    offset: Number(textOf(record, headers.offset)),
    timestampMs: record.timestampMs,
    reason: textOf(record, headers.reason),
    detail: JSON.parse(textOf(record, headers.detail) || 'null') as unknown,
    raw: record.value,
  }
}
