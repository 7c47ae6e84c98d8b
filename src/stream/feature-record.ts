import { sha256 } from '../base/hash.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { LogRecord, RecordInput } from '../log/log.ts'
import type { FeatureStatus, FinishedView } from '../plan/finish-view.ts'
import type { ViewPlan } from '../plan/plan.ts'
import type { Field } from '../schema/field.ts'
import { formatInstant } from '../schema/instant.ts'
import { decodeKey } from '../schema/key-codec.ts'
import { coordinateHeaders, type Coordinates, headerText, outputHeaders } from './output-headers.ts'
import type { IntervalOutput } from './published-intervals.ts'

/**
 * A record of `feature-events.<view>`: its key is the JSON of the join keys, its value the JSON below, its timestamp
 * the event's time, or the end of the interval. Instants are ISO 8601 in UTC.
 *
 * The timestamp is that of the event, and not of the record it came in, because readers of a topic take a record's
 * timestamp for the time of what it says: windows, joins, look-ups by time and the topic's retention all go by it.
 */
export type FeatureEvent = {
  readonly view: string
  readonly keys: Readonly<Record<string, string | number | boolean>>
  /** Only events before it count. After an event it is one millisecond past the event's time. */
  readonly as_of: string
  /** The newest event behind the values; null where that is not known any more. */
  readonly event_time: string | null
  /** Where windows without an offset end: the end of the interval, or `as_of`. */
  readonly window_end: string
  readonly features: Readonly<Record<string, FeatureValue>>
  /** Of the values that came about in another way than from the events of their windows. */
  readonly status?: Readonly<Record<string, EmittedStatus>>
  /** Hash of the plan, as `millrace plan` prints it. */
  readonly plan: string
  /** Per event: where it lies. */
  readonly source?: { readonly topic: string; readonly partition: number; readonly offset: number }
  /** Per interval: events of the key before `window_end`. Of two records of one key and end, the one with more is newer. */
  readonly events?: number
  /** Per interval: an event was accepted after the interval had been emitted. */
  readonly correction?: true
}

/** `AS_OF_TOO_OLD`: the key's newest event is further ahead than the view's horizon. `TOO_LARGE`: it fits into no record. */
export type EmittedStatus = FeatureStatus | 'AS_OF_TOO_OLD' | 'TOO_LARGE'

/** What the features of a record may take, in bytes of JSON: every log takes that much, and every reader by default. */
export const featureEventBytesMax = 512 * 1024

/** The values of a view for a key; `finished` is null where they cannot be read any more. */
export type Emitted = {
  readonly view: ViewPlan
  /** Hash of the plan. */
  readonly plan: string
  readonly key: Uint8Array
  readonly asOf: number
  readonly eventTime: number | null
  readonly finished: FinishedView | null
}

/** The values after an event, as a record. */
export function eventRecord(emitted: Emitted & { readonly eventTime: number }, source: Coordinates): RecordInput {
  const { topic, partition, offset } = source
  const event = { ...contentOf(emitted), source: { topic, partition, offset } }
  return recordOf(event, emitted.eventTime, coordinateHeaders(source))
}

/** The values of an interval, as a record and as what it is recognised by. */
export function intervalRecord(
  emitted: Emitted,
  { events, correction }: { readonly events: number; readonly correction: boolean },
): { readonly record: RecordInput; readonly interval: IntervalOutput } {
  const event: FeatureEvent = {
    ...contentOf(emitted),
    ...(emitted.finished === null ? {} : { events }),
    ...(correction ? { correction } : {}),
  }
  const record = recordOf(event, emitted.asOf, {
    [outputHeaders.windowEnd]: String(emitted.asOf),
    [outputHeaders.view]: emitted.view.fingerprint,
  })
  const key = Buffer.from(record.key!).toString()
  const interval = { end: emitted.asOf, key, events: event.events ?? 0, digest: digestOf(event) }
  return { record, interval }
}

/** What a value per interval of a view says; null for any other record. */
export function readInterval(record: LogRecord, fingerprint: string): IntervalOutput | null {
  const { key, value } = record
  const end = headerText(record, outputHeaders.windowEnd)
  if (end === '' || key === null || value === null) return null
  if (headerText(record, outputHeaders.view) !== fingerprint) return null
  const event = parse(value)
  if (event === null) return null
  return { end: Number(end), key: Buffer.from(key).toString(), events: event.events ?? 0, digest: digestOf(event) }
}

/** Null for what others wrote. */
function parse(value: Uint8Array): FeatureEvent | null {
  try {
    return JSON.parse(Buffer.from(value).toString()) as FeatureEvent
  } catch {
    return null
  }
}

function digestOf({ features, status }: FeatureEvent): string {
  return sha256(JSON.stringify([features, status])).slice(0, 16)
}

function contentOf({ view, plan, key, asOf, eventTime, finished }: Emitted): FeatureEvent {
  const entries: Entry[] = []
  const told: [name: string, status: EmittedStatus][] = []
  for (const [index, { name }] of view.features.entries()) {
    entries.push([name, finished === null ? null : finished.values[index]!])
    const status = finished?.status[index] ?? 'AS_OF_TOO_OLD'
    if (status !== 'PRESENT' && status !== 'NULL_VALUE') told.push([name, status])
  }
  const fitting = fit(entries)
  for (const name of fitting.dropped) told.push([name, 'TOO_LARGE'])
  const instant = formatInstant(asOf)
  const content = {
    view: view.name,
    keys: keysOf(view, key),
    as_of: instant,
    event_time: eventTime === null ? null : formatInstant(eventTime),
    window_end: instant,
    features: objectOf(fitting.entries),
  }
  const planName = plan.slice(0, planDigits)
  // The order of members is part of the bytes.
  return told.length === 0
    ? { ...content, plan: planName }
    : { ...content, status: Object.fromEntries(told), plan: planName }
}

/** As `Object.fromEntries`, at a third of its cost for each record. */
function objectOf(entries: readonly Entry[]): Record<string, FeatureValue> {
  const object: Record<string, FeatureValue> = {}
  for (const [name, value] of entries) {
    // A name like any other, but for an assignment.
    if (name === '__proto__') return Object.fromEntries(entries)
    object[name] = value
  }
  return object
}

/** As `millrace plan` prints it. */
export const planDigits = 12

/** Join keys by name, as a request gives them: decimals as numbers, instants as text. */
function keysOf(view: ViewPlan, key: Uint8Array): FeatureEvent['keys'] {
  const values = decodeKey(
    view.keys.map(({ field }) => field.kind),
    key,
  )
  return Object.fromEntries(view.keys.map(({ name, field }, index) => [name, givenValue(field, values[index]!)]))
}

/** A value of a key as a request gives it. */
export function givenValue<T extends string | number | boolean>(field: Field, value: T): T | string | number {
  if (field.kind === 'timestamp') return formatInstant(Number(value))
  return field.kind === 'decimal' ? Number(value) / 10 ** (field.scale ?? 0) : value
}

type Entry = readonly [name: string, value: FeatureValue]

/** Replaces the largest values by null until the rest fits: a list of long texts has no other bound. */
function fit(entries: readonly Entry[]): { readonly entries: readonly Entry[]; readonly dropped: readonly string[] } {
  let total = 0
  for (const [, value] of entries) total += charactersMin(value)
  // No character takes more than six bytes as JSON.
  if (total * 6 <= featureEventBytesMax) return { entries, dropped: [] }
  const sizes = entries.map(([, value]) => charactersMin(value))
  const bytes = entries.map(([, value], index) =>
    sizes[index]! > featureEventBytesMax ? Number.MAX_SAFE_INTEGER : Buffer.byteLength(JSON.stringify(value)),
  )
  const largest = [...bytes.keys()].sort((a, b) => bytes[b]! - bytes[a]!)
  total = bytes.reduce((sum, size) => sum + size, 0)
  const dropped = new Set<number>()
  for (const index of largest) {
    if (total <= featureEventBytesMax) break
    total = bytes.reduce((sum, size, other) => (other === index || dropped.has(other) ? sum : sum + size), 0)
    dropped.add(index)
  }
  return {
    entries: entries.map(([name, value], index) => [name, dropped.has(index) ? null : value]),
    dropped: entries.flatMap(([name], index) => (dropped.has(index) ? [name] : [])),
  }
}

/** Of the JSON of a value, at least. */
function charactersMin(value: FeatureValue): number {
  if (typeof value === 'string') return value.length + 2
  if (value === null || typeof value !== 'object') return numberCharacters
  return value.reduce<number>((sum, item) => sum + charactersMin(item) + 1, 2)
}

/** No number, boolean or null takes more. */
const numberCharacters = 25

function recordOf(event: FeatureEvent, timestampMs: number, headers: Readonly<Record<string, string>>): RecordInput {
  return {
    key: Buffer.from(JSON.stringify(event.keys)),
    value: Buffer.from(JSON.stringify(event)),
    timestampMs,
    headers: Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const),
  }
}
