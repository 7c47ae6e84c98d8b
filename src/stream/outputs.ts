import type { Log, LogRecord, RecordInput } from '../log/log.ts'
import type { Refusal } from '../schema/decode.ts'

export const deadLetterTopic = 'dead-letter-queue'
export const lateTopic = 'late-events'

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

/**
 * Dead letters and late events: raw bytes, reason and source coordinates. They are appended before the checkpoint
 * that covers their source, so after a crash some are already there; those are recognised by their coordinates and
 * not appended again.
 */
export class Outputs {
  readonly #log: Log
  readonly #written = new Set<string>()
  #pending: Rejection[] = []
  #pendingBytes = 0

  constructor(log: Log) {
    this.#log = log
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /** Remembers the coordinates of every record that lies after the ends of a checkpoint. */
  async restore(ends: Readonly<Record<string, readonly number[]>>): Promise<void> {
    for (const topic of [deadLetterTopic, lateTopic]) {
      for (let partition = 0; partition < this.#partitions(topic); partition++) {
        let offset = Math.max(ends[topic]?.[partition] ?? 0, this.#log.start(topic, partition))
        while (offset < this.#log.end(topic, partition)) {
          const records = await this.#log.read(topic, partition, offset, 4 * 1024 * 1024)
          for (const record of records) this.#written.add(coordinatesIn(record))
          offset = records.at(-1)!.offset + 1
        }
      }
    }
  }

  add(rejection: Rejection): void {
    if (this.#written.delete(coordinatesOf(rejection))) return
    this.#pending.push(rejection)
    this.#pendingBytes += 200 + (rejection.record.value?.length ?? 0)
  }

  /** Takes what waits, to be appended with `flush`. */
  take(): readonly Rejection[] {
    const taken = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    return taken
  }

  /** Makes rejections durable and gives the ends of the output topics after them. */
  async flush(rejections: readonly Rejection[]): Promise<Record<string, readonly number[]>> {
    const batches = new Map<string, { topic: string; partition: number; records: RecordInput[] }>()
    for (const rejection of rejections) {
      const topic = rejection.why.verdict === 'late' ? lateTopic : deadLetterTopic
      const partition = rejection.partition % this.#partitions(topic)
      const name = `${topic}/${partition}`
      const batch = batches.get(name) ?? { topic, partition, records: [] }
      batches.set(name, batch)
      batch.records.push(outputRecord(rejection))
    }
    await Promise.all(
      [...batches.values()].map(({ topic, partition, records }) => this.#log.append(topic, partition, records)),
    )
    return Object.fromEntries(
      [deadLetterTopic, lateTopic].map((topic) => [
        topic,
        Array.from({ length: this.#partitions(topic) }, (_, partition) => this.#log.end(topic, partition)),
      ]),
    )
  }

  #partitions(topic: string): number {
    return this.#log.topics().find((one) => one.topic === topic)?.partitions ?? 0
  }
}

const headers = {
  stream: 'millrace.stream',
  topic: 'millrace.topic',
  partition: 'millrace.partition',
  offset: 'millrace.offset',
  reason: 'millrace.reason',
  detail: 'millrace.detail',
} as const

function outputRecord({ stream, topic, partition, record, why }: Rejection): RecordInput {
  const reason = why.verdict === 'late' ? 'LATE' : [...new Set(why.refusals.map(({ code }) => code))].join(',')
  const detail = why.verdict === 'late' ? { ts: why.ts, watermark: why.watermark } : why.refusals
  const text = {
    [headers.stream]: stream,
    [headers.topic]: topic,
    [headers.partition]: String(partition),
    [headers.offset]: String(record.offset),
    [headers.reason]: reason,
    [headers.detail]: JSON.stringify(detail),
  }
  return {
    key: record.key,
    value: record.value,
    timestampMs: record.timestampMs,
    headers: [...record.headers, ...Object.entries(text).map(([name, value]) => [name, Buffer.from(value)] as const)],
  }
}

function coordinatesOf({ stream, partition, record }: Rejection): string {
  return `${stream}/${partition}/${record.offset}`
}

function coordinatesIn(record: LogRecord): string {
  const { stream, partition, offset } = readRejection(record)
  return `${stream}/${partition}/${offset}`
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
  // Ours come last: an event that carries headers of these names itself does not mislead.
  const text = (name: string): string => {
    const found = record.headers.findLast(([header]) => header === name)
    return found === undefined ? '' : Buffer.from(found[1]).toString()
  }
  return {
    stream: text(headers.stream),
    topic: text(headers.topic),
    partition: Number(text(headers.partition)),
    offset: Number(text(headers.offset)),
    timestampMs: record.timestampMs,
    reason: text(headers.reason),
    detail: JSON.parse(text(headers.detail) || 'null') as unknown,
    raw: record.value,
  }
}
