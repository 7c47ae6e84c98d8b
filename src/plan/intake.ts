import { assert } from '../base/assert.ts'
import { formatDuration } from '../base/duration.ts'
import { murmur2 } from '../base/murmur2.ts'
import type { Id, IdTable } from '../kernel/id-table.ts'
import { Judge, type Judgement, type VerdictRules } from '../kernel/verdict.ts'
import type { Refusal, Row } from '../schema/decode.ts'
import { formatInstant } from '../schema/instant.ts'
import { isKeyText, keyTextBytesMax } from '../schema/key-codec.ts'
import { type Writer, writerIdOf } from '../schema/avro/writer.ts'
import type { ProjectedEvent } from './event-format.ts'
import { erasureHeader, readErasure } from './erasure.ts'
import { OpenRejections, standInHeader, standsInFor } from './open-rejections.ts'
import type { AcceptedEvent, StreamPlan } from './plan.ts'

/** A record as it lies in the log, whichever log that is. */
export type SourceRecord = {
  readonly offset: number
  readonly timestampMs: number
  readonly value: Uint8Array | null
  /** Three decide something: whether it stands in for a rejected one, ends a history, was about a forgotten entity. */
  readonly headers?: readonly (readonly [name: string, value: Uint8Array])[]
  /** Of a record whose first bytes name a schema, where its stream is one of such. */
  readonly writer?: Writer
}

/** The two topics of a stream: of events as they come, and of events from files, before the hand-over point. */
export type SourceKind = 'live' | 'history'

/** A header of the record that ends each partition of a history. */
export const historyMark = 'millrace.history-complete'

/** Whether none of a record's headers decides anything: those of other systems, such as traces, never do. */
export function isPlain({ headers = [] }: Pick<SourceRecord, 'headers'>): boolean {
  for (let index = 0; index < headers.length; index++) {
    const [name] = headers[index]!
    if (name === historyMark || name === standInHeader || name === erasureHeader) return false
  }
  return true
}

/** Why an event is late whatever the watermark is: the time of the other source, before all, or after the end mark. */
export type Outside = 'before the hand-over' | 'after the hand-over' | 'before the history' | 'history complete'

export type Taken =
  | { readonly verdict: 'accepted'; readonly event: AcceptedEvent }
  | { readonly verdict: 'duplicate'; readonly conflict: boolean }
  | { readonly verdict: 'late'; readonly ts: number; readonly watermark: number; readonly outside: Outside | null }
  | { readonly verdict: 'refused'; readonly refusals: readonly Refusal[] }

/**
 * `settled`: the original counts already, in its own place or by a stand-in. `displaced`: there were so many newer
 * rejections that nobody knows.
 */
export type Foreseen =
  | { readonly verdict: 'accepted'; readonly row: Row }
  | { readonly verdict: 'settled' | 'displaced' }
  | { readonly verdict: 'duplicate'; readonly id: Id }
  | Extract<Taken, { verdict: 'late' | 'refused' }>

/**
 * Partitions and offsets that fit into one exact number, partition first: the tie of events without an id. Those of a
 * history are negative: it comes before everything that is live.
 */
const offsetMax = 2 ** 42
const partitionMax = 2 ** 10

export function coordinateTie(source: SourceKind, partition: number, offset: number): number {
  assert(partition < partitionMax && offset < offsetMax, 'source coordinates fit into a safe integer')
  const place = partition * offsetMax + offset
  return source === 'live' ? place : place - offsetMax * partitionMax
}

/**
 * What a source is judged by. Files have no order of arrival: in a history no event is too late, and the first of an id
 * wins however old it is. Where a stream has a history, each instant belongs to one of the two sources.
 */
function rulesOf({ rules, history }: StreamPlan, source: SourceKind): VerdictRules {
  const { latenessMs, dedupeMs } = rules
  if (source === 'live') return history === null ? rules : { latenessMs, dedupeMs, fromMs: history.untilMs }
  assert(history !== null, 'only a stream that declares a history reads one')
  const always = Number.POSITIVE_INFINITY
  return { latenessMs: always, dedupeMs: always, fromMs: history.fromMs ?? 0, endMs: history.untilMs }
}

/**
 * From the records of one source partition, in offset order, to accepted events. The stream engine and the training
 * path both read a log through this, so that the same prefix gives the same events.
 */
export class Intake {
  readonly #stream: StreamPlan
  readonly #partition: number
  readonly #source: SourceKind
  readonly #judge: Judge
  readonly #seen: IdTable
  readonly #hasTextIds: boolean
  /** Columns of text that is bounded in length. */
  readonly #keyTexts: readonly number[]
  /** Its rejections that a replay can still put right. */
  readonly open: OpenRejections

  constructor(
    stream: StreamPlan,
    partition: number,
    from: {
      readonly watermark: number
      readonly seen: IdTable
      readonly open?: OpenRejections
      readonly source?: SourceKind
    },
  ) {
    this.#stream = stream
    this.#partition = partition
    this.#source = from.source ?? 'live'
    this.#seen = from.seen
    const kinds = Object.values(stream.fields).map(({ kind }) => kind)
    this.#hasTextIds = stream.id !== null && kinds[stream.id] === 'string'
    this.#keyTexts = stream.keyColumns.filter((column) => kinds[column] === 'string')
    this.#judge = new Judge(rulesOf(stream, this.#source), from.watermark, from.seen)
    this.open = from.open ?? OpenRejections.none()
  }

  get watermark(): number {
    return this.#judge.watermark
  }

  /** Ids of events before this instant decide no verdict any more: nothing has to keep them. */
  get forgetsBefore(): number {
    return this.#judge.forgetsBefore
  }

  /** Whether the end mark of a history was taken. */
  get complete(): boolean {
    return this.#judge.closed
  }

  /**
   * Takes a record that is no event but the mark at the end of a history, which gets no verdict and is not counted;
   * false: it is an event, to be taken by `take`. Ask before each `take`.
   */
  takeMark(record: SourceRecord): boolean {
    if (this.#source === 'live' || record.value !== null) return false
    if (record.headers?.some(([name]) => name === historyMark) !== true) return false
    this.#judge.close()
    return true
  }

  take(record: SourceRecord): Taken {
    const original = record.headers === undefined ? null : standsInFor(record.headers)
    // Its original was accepted, or something stands in for it already: it says nothing new, whatever it holds.
    if (original !== null && !this.open.has(original)) return { verdict: 'duplicate', conflict: false }
    const taken = this.#judged(record)
    if (original === null) {
      if (taken.verdict === 'late' || taken.verdict === 'refused') this.open.add(record.offset)
    } else if (taken.verdict === 'accepted') this.open.close(original)
    return taken
  }

  /**
   * As `take`, for the event of a record without headers that the projector holds; nothing is made for it but what is
   * remembered. Null: it is left to `take`, as everything that is refused or late.
   */
  takeProjected(projector: ProjectedEvent, record: SourceRecord): 'accepted' | 'duplicate' | 'conflict' | null {
    const { numbers, starts, ends } = projector.values
    const { id, time, rules } = this.#stream
    const ts = numbers[time]!
    if (ts > record.timestampMs + rules.futureMs) return null
    const columns = this.#keyTexts
    for (let index = 0; index < columns.length; index++) {
      if (ends[columns[index]!]! - starts[columns[index]!]! > keyTextBytesMax) return null
    }
    let judgement: Judgement
    if (id === null) judgement = this.#judge.judgeWithoutId(ts)
    else {
      if (this.#hasTextIds) this.#seen.seekText(projector.text.bytes, starts[id]!, ends[id]!)
      else this.#seen.seek(numbers[id]!)
      judgement = this.#judge.judgeSought(ts, projector.text.hash())
    }
    return judgement === 'late' ? null : judgement
  }

  /** What breaks a tie of the event that was accepted last, which the projector holds. */
  tieOf(projector: ProjectedEvent, record: SourceRecord): string | number {
    const { id } = this.#stream
    if (id === null) return coordinateTie(this.#source, this.#partition, record.offset)
    return projector.value(id) as string | number
  }

  /** What `take` would say now of a record that stands in for an earlier one. */
  foresee(record: Pick<SourceRecord, 'timestampMs' | 'value' | 'writer'>, original: number): Foreseen {
    if (!this.open.has(original)) return { verdict: original < this.open.displacedTo ? 'displaced' : 'settled' }
    const inspected = inspect(this.#stream, record)
    if ('refusals' in inspected) return { verdict: 'refused', refusals: inspected.refusals }
    const { row, ts } = inspected
    const id = this.#idOf(row)
    const verdict = this.#judge.foresee({ id, ts })
    if (verdict === 'duplicate') return { verdict, id: id! }
    if (verdict === 'late') return { verdict, ts, watermark: this.#judge.watermark, outside: this.#outside(ts) }
    return { verdict, row }
  }

  /** Whether an event of this id was accepted, and is still remembered. */
  accepted(id: string | number): boolean {
    return this.#judge.remembers(id)
  }

  #judged(record: SourceRecord): Taken {
    const { format } = this.#stream
    // What is gone was said before: the record that deleted it counts.
    if (record.value === null && format.hasTombstones) return { verdict: 'duplicate', conflict: false }
    assert(
      record.writer !== undefined || format.registry === null || writerIdOf(record.value) === null,
      'records that name a schema are read with what is known of it',
    )
    const inspected = inspect(this.#stream, record)
    if ('refusals' in inspected) return { verdict: 'refused', refusals: inspected.refusals }
    const { row, ts } = inspected
    const eventId = this.#idOf(row)
    const erasure = record.headers === undefined ? null : readErasure(record.headers)
    const hash = eventId === null ? 0 : (erasure?.hash ?? murmur2(record.value!))
    const verdict = this.#judge.judge({ id: eventId, ts, hash })
    if (verdict === 'late') return { verdict, ts, watermark: this.#judge.watermark, outside: this.#outside(ts) }
    if (verdict !== 'accepted') return { verdict: 'duplicate', conflict: verdict === 'conflict' }
    const tie = eventId ?? coordinateTie(this.#source, this.#partition, record.offset)
    return { verdict, event: erasure === null ? { row, ts, tie } : { row, ts, tie, erased: erasure.keys } }
  }

  #idOf(row: Row): string | number | null {
    const { id } = this.#stream
    return id === null ? null : (row[id] as string | number)
  }

  #outside(ts: number): Outside | null {
    if (this.#judge.closed) return 'history complete'
    if (!this.#judge.isOutside(ts)) return null
    if (this.#source === 'live') return 'before the hand-over'
    return ts < this.#stream.history!.untilMs ? 'before the history' : 'after the hand-over'
  }
}

export type Inspected = { readonly row: Row; readonly ts: number } | { readonly refusals: readonly Refusal[] }

/** Everything that can be said of a record without knowing any other: well formed, or refused with all reasons. */
export function inspect(stream: StreamPlan, record: Omit<SourceRecord, 'offset' | 'headers'>): Inspected {
  if (record.value === null) {
    return { refusals: [{ code: 'SHAPE', path: '', came: 'a record without a value', allowed: 'a JSON object' }] }
  }
  const decoded = stream.format.decode(record.value, record.writer)
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
