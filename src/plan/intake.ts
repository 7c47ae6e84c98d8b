import { assert } from '../base/assert.ts'
import { formatDuration } from '../base/duration.ts'
import { murmur2 } from '../base/murmur2.ts'
import { Judge, type SeenIds } from '../kernel/verdict.ts'
import type { Refusal, Row } from '../schema/decode.ts'
import { formatInstant } from '../schema/instant.ts'
import { isKeyText, keyTextBytesMax } from '../schema/key-codec.ts'
import type { AcceptedEvent, StreamPlan } from './plan.ts'

/** A record as it lies in the log, whichever log that is. */
export type SourceRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly value: Uint8Array | null
}

export type Taken =
  | { readonly verdict: 'accepted'; readonly event: AcceptedEvent }
  | { readonly verdict: 'duplicate'; readonly conflict: boolean }
  | { readonly verdict: 'late'; readonly ts: number; readonly watermark: number }
  | { readonly verdict: 'refused'; readonly refusals: readonly Refusal[] }

/** What of an event decides about it later: kept by the checkpoint beside the watermark. */
export type RememberedId = { readonly id: string | number; readonly ts: number; readonly hash: number }

/** Partitions and offsets that fit into one exact number, partition first: the tie of events without an id. */
const offsetMax = 2 ** 42
const partitionMax = 2 ** 10

export function coordinateTie(partition: number, offset: number): number {
  assert(partition < partitionMax && offset < offsetMax, 'source coordinates fit into a safe integer')
  return partition * offsetMax + offset
}

/**
 * From the records of one source partition, in offset order, to accepted events. The stream engine and the training
 * path both read a log through this, so that the same prefix gives the same events.
 */
export class Intake {
  readonly #stream: StreamPlan
  readonly #partition: number
  readonly #judge: Judge
  #remembered: RememberedId | null = null

  constructor(stream: StreamPlan, partition: number, from: { watermark: number; seen: SeenIds }) {
    this.#stream = stream
    this.#partition = partition
    this.#judge = new Judge(stream.rules, from.watermark, from.seen)
  }

  get watermark(): number {
    return this.#judge.watermark
  }

  /** The id of the record last accepted, when its stream has ids. */
  get remembered(): RememberedId | null {
    return this.#remembered
  }

  take(record: SourceRecord): Taken {
    this.#remembered = null
    const inspected = inspect(this.#stream, record)
    if ('refusals' in inspected) return { verdict: 'refused', refusals: inspected.refusals }
    const { row, ts } = inspected
    const { id } = this.#stream
    const eventId = id === null ? null : (row[id] as string | number)
    const hash = eventId === null ? 0 : murmur2(record.value!)
    const { verdict, conflict } = this.#judge.judge({ id: eventId, ts, hash })
    if (verdict === 'duplicate') return { verdict, conflict }
    if (verdict === 'late') return { verdict, ts, watermark: this.#judge.watermark }
    if (eventId !== null) this.#remembered = { id: eventId, ts, hash }
    return { verdict, event: { row, ts, tie: eventId ?? coordinateTie(this.#partition, record.offset) } }
  }
}

export type Inspected = { readonly row: Row; readonly ts: number } | { readonly refusals: readonly Refusal[] }

/** Everything that can be said of a record without knowing any other: well formed, or refused with all reasons. */
export function inspect(stream: StreamPlan, record: Omit<SourceRecord, 'offset'>): Inspected {
  if (record.value === null) {
    return { refusals: [{ code: 'SHAPE', path: '', came: 'a record without a value', allowed: 'a JSON object' }] }
  }
  const decoded = stream.decode(record.value)
  if ('refusals' in decoded) return decoded
  const { row } = decoded
  const names = Object.keys(stream.fields)
  const refusals: Refusal[] = []
  for (const column of stream.keyColumns) {
    const value = row[column]
    if (typeof value !== 'string' || isKeyText(value)) continue
    const allowed = `at most ${keyTextBytesMax} bytes of text in an id or a key`
    refusals.push({ code: 'SIZE', path: names[column]!, came: `${Buffer.byteLength(value)} bytes`, allowed })
  }
  const ts = Number(row[stream.time])
  if (ts > record.timestampMs + stream.rules.futureMs) {
    const allowed = `at most ${formatDuration(stream.rules.futureMs)} ahead of its record, ${formatInstant(record.timestampMs)}`
    refusals.push({ code: 'FUTURE', path: names[stream.time]!, came: formatInstant(ts), allowed })
  }
  return refusals.length === 0 ? { row, ts } : { refusals }
}
