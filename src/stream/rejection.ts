import type { Header, LogRecord, RecordInput } from '../log/log.ts'
import type { Outside } from '../plan/intake.ts'
import { deadLetterTopic, lateTopic } from '../plan/topics.ts'
import type { Refusal } from '../schema/decode.ts'
import { coordinateHeaders, type Coordinates, coordinatesIn, headerText, outputHeaders } from './output-headers.ts'

/** As of an event; of a request the code may be that of a fault. */
export type Reason = Omit<Refusal, 'code'> & { readonly code: string }

/** Where a record came from, and what is to be said of it beside its raw bytes. */
export type Rejection = {
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly record: LogRecord
  readonly why:
    | { readonly verdict: 'refused'; readonly refusals: readonly Reason[] }
    | {
        readonly verdict: 'late'
        readonly ts: number
        readonly watermark: number
        /** Why it is late whatever the watermark is; null: by the watermark. */
        readonly outside?: Outside | null
      }
}

export function sourceOf({ stream, topic, partition, record }: Rejection): Coordinates {
  return { stream, topic, partition, offset: record.offset }
}

export function rejectionTopic({ why }: Rejection): string {
  return why.verdict === 'late' ? lateTopic : deadLetterTopic
}

/** Together with what we add, within the 64 KiB that the embedded log takes. */
const sourceHeadersBytesMax = 32 * 1024
const detailBytesMax = 16 * 1024

/** A rejected record as it lies in its output topic: raw bytes, reason and coordinates. */
export function rejectionRecord({ stream, topic, partition, record, why }: Rejection): RecordInput {
  const reason = why.verdict === 'late' ? 'LATE' : [...new Set(why.refusals.map(({ code }) => code))].join(',')
  const detail = why.verdict === 'late' ? lateness(why) : briefly(why.refusals)
  const { kept, dropped } = keepHeaders(record.headers)
  const text = {
    ...coordinateHeaders({ stream, topic, partition, offset: record.offset }),
    [outputHeaders.reason]: reason,
    [outputHeaders.detail]: JSON.stringify(detail),
    ...(dropped === 0 ? {} : { [outputHeaders.dropped]: String(dropped) }),
  }
  return {
    key: record.key,
    value: record.value,
    timestampMs: record.timestampMs,
    headers: [...kept, ...Object.entries(text).map(([name, value]) => [name, Buffer.from(value)] as const)],
  }
}

function lateness({ ts, watermark, outside = null }: Extract<Rejection['why'], { verdict: 'late' }>): object {
  return outside === null ? { ts, watermark } : { ts, watermark, outside }
}

/** An event can have a fault in every one of a thousand fields, and its dead letter must fit all the same. */
function briefly(refusals: readonly Reason[]): readonly object[] {
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
    ...coordinatesIn(record),
    timestampMs: record.timestampMs,
    reason: headerText(record, outputHeaders.reason),
    detail: JSON.parse(headerText(record, outputHeaders.detail) || 'null') as unknown,
    raw: record.value,
  }
}
