import { assert } from '../base/assert.ts'
import { murmur2 } from '../base/murmur2.ts'
import { Judge, type SeenIds } from '../kernel/verdict.ts'
import type { Refusal } from '../schema/decode.ts'
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
    const { time, id } = this.#stream
    this.#remembered = null
    if (record.value === null) {
      return refused({ code: 'SHAPE', path: '', came: 'a record without a value', allowed: 'a JSON object' })
    }
    const decoded = this.#stream.decode(record.value)
    if ('refusals' in decoded) return { verdict: 'refused', refusals: decoded.refusals }
    const { row } = decoded
    const ts = Number(row[time])
    const faults = this.#refusalsOf(row, ts, record)
    if (faults.length > 0) return { verdict: 'refused', refusals: faults }
    const eventId = id === null ? null : (row[id] as string | number)
    const hash = eventId === null ? 0 : murmur2(record.value)
    const { verdict, conflict } = this.#judge.judge({ id: eventId, ts, hash })
    if (verdict === 'duplicate') return { verdict, conflict }
    if (verdict === 'late') return { verdict, ts, watermark: this.#judge.watermark }
    if (eventId !== null) this.#remembered = { id: eventId, ts, hash }
    return { verdict, event: { row, ts, tie: eventId ?? coordinateTie(this.#partition, record.offset) } }
  }

  /** What no field alone can tell: the record's own time, and text too long for a key. */
  #refusalsOf(row: AcceptedEvent['row'], ts: number, record: SourceRecord): Refusal[] {
    const { fields, keyColumns, time } = this.#stream
    const names = Object.keys(fields)
    const found: Refusal[] = []
    for (const column of keyColumns) {
      const value = row[column]
      if (typeof value !== 'string' || isKeyText(value)) continue
      const allowed = `at most ${keyTextBytesMax} bytes of text in an id or a key`
      found.push({ code: 'SIZE', path: names[column]!, came: `${Buffer.byteLength(value)} bytes`, allowed })
    }
    if (this.#judge.isTooFarAhead(ts, record.timestampMs)) {
      const allowed = `no more than the stream's bound ahead of its record, ${formatInstant(record.timestampMs)}`
      found.push({ code: 'FUTURE', path: names[time]!, came: formatInstant(ts), allowed })
    }
    return found
  }
}

function refused(refusal: Refusal): Taken {
  return { verdict: 'refused', refusals: [refusal] }
}
