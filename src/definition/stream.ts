import { type Duration, parseDuration } from '../base/duration.ts'
import type { Format } from './format.ts'
import { type Field, type FieldKind, type Fields, string, timestamp } from '../schema/field.ts'

/** A declared source of events. Everything here is as the author wrote it; the plan checks it. */
export interface Stream<Name extends string = string, F extends Fields = Fields> {
  readonly type: 'stream'
  readonly name: Name
  readonly topic: string
  readonly fields: F
  readonly time: string
  readonly id: string | null
  readonly key: readonly string[]
  readonly lateness: string
  readonly dedupe: string
  readonly future: string
  /** Left out for JSON, as history and retention where there is none: what was declared before keeps its plan's hash. */
  readonly format?: Format
  readonly history?: { readonly until: string; readonly from: string | null; readonly topic: string | null }
  readonly retention?: string | { readonly keep: string; readonly rebuild: 'warming' }
}

type NamesOf<F extends Fields, Kind extends FieldKind> = {
  [K in keyof F & string]: F[K] extends Field<Kind, never> ? K : never
}[keyof F & string]

export interface StreamOptions<F extends Fields> {
  /** The topic that holds its raw events. Default: the stream's name. */
  readonly topic?: string
  readonly fields: F
  /** How events are written: `avro(…)`, `debezium(…)`. Default: JSON objects. */
  readonly format?: Format
  /** The timestamp field that says when an event happened. */
  readonly time: NoInfer<NamesOf<F, 'timestamp'>>
  /**
   * The field that tells one event from another, a string or an int. Without it there is no deduplication, and
   * events of one instant are ordered by partition and offset.
   */
  readonly id?: NoInfer<NamesOf<F, 'string' | 'int'>>
  /**
   * The field that places an event in a partition; of several, the first that is not null. Default: the id. Events of
   * equal ids must have equal keys, or their duplicates go unseen.
   */
  readonly key?: NoInfer<keyof F & string> | readonly NoInfer<keyof F & string>[]
  /** How far behind the newest event of its partition an event may be. Older ones are late. */
  readonly lateness: Duration
  /** How far back an id is remembered. Default: the lateness, and at least an hour. */
  readonly dedupe?: Duration
  /** How far an event may be ahead of the time at which its record was produced. Default: 5 minutes. */
  readonly future?: Duration
  /** What came before the log began, and lies in files: `millrace bootstrap` brings it in. Default: nothing. */
  readonly history?: StreamHistory
  /**
   * How long the topic keeps its records: at least the longest window with offset and horizon, the lateness and
   * `future`. A view with a lifetime window cannot be rebuilt from less than everything; `rebuild: 'warming'` says that
   * its values may then be `WARMING` for ever. Default: records are kept for ever.
   */
  readonly retention?: Duration | { readonly keep: Duration; readonly rebuild: 'warming' }
}

export type StreamHistory = {
  /**
   * The hand-over point, ISO 8601 with a zone. Events before it come from files and are late in the topic; those at or
   * after it come by the topic and are late in the files. The files hold every event up to here.
   */
  readonly until: string
  /** The instant from which on the files hold every event. Default: the first event that ever was. */
  readonly from?: string
  /** Where the imported events lie. Default: `history.` and the stream's topic. Another one starts another import. */
  readonly topic?: string
}

/** `stream('payments', { fields: { …, at: timestamp() }, time: 'at', id: 'paymentId', lateness: '10m' })` */
export function stream<const Name extends string, const F extends Fields>(
  name: Name,
  options: StreamOptions<F>,
): Stream<Name, F> {
  return Object.freeze({
    type: 'stream',
    name,
    topic: options.topic ?? name,
    fields: Object.freeze({ ...options.fields }),
    time: options.time,
    id: options.id ?? null,
    key: Object.freeze([options.key ?? []].flat()) as readonly string[],
    lateness: options.lateness,
    dedupe: options.dedupe ?? longer(options.lateness, '1h'),
    future: options.future ?? '5m',
    ...(options.format === undefined ? {} : { format: options.format }),
    ...(options.history === undefined ? {} : { history: historyOf(options.history) }),
    ...(options.retention === undefined ? {} : { retention: options.retention }),
  })
}

function historyOf({ until, from, topic }: StreamHistory): NonNullable<Stream['history']> {
  return Object.freeze({ until, from: from ?? null, topic: topic ?? null })
}

function longer(one: Duration, other: Duration): Duration {
  const ms = parseDuration(one)
  return ms !== null && ms > (parseDuration(other) ?? 0) ? one : other
}

/**
 * The fields of an event in the common envelope `{ metadata: { event_id, timestamp, source, version },
 * payload: { user_id, session_id, event_type, properties }, context }`, with your own typed properties beside them.
 * Spread it into a stream: `stream('activity', { ...envelope({ amount: decimal(2) }), lateness: '10m' })`.
 */
export function envelope<const P extends Fields>(properties: P) {
  const own = Object.entries(properties).map(([name, field]) => [
    name,
    field.path === null ? field.at(`payload.properties.${name}`) : field,
  ])
  return {
    topic: 'raw-events',
    fields: { ...(Object.fromEntries(own) as P), ...envelopeFields } as P & typeof envelopeFields,
    time: 'timestamp',
    id: 'event_id',
    key: ['user_id', 'session_id'],
  } as const
}

const envelopeFields = {
  event_id: string().at('metadata.event_id'),
  timestamp: timestamp('ms').at('metadata.timestamp'),
  source: string().optional().at('metadata.source'),
  version: string().optional().at('metadata.version'),
  user_id: string().optional().at('payload.user_id'),
  session_id: string().optional().at('payload.session_id'),
  event_type: string().optional().at('payload.event_type'),
}

/**
 * The fields of a CloudEvent in JSON, `{ specversion, id, source, type, time, data }`, with your own typed fields of its
 * data beside them. Spread it into a stream: `stream('orders', { ...cloudEvents({ amount: decimal(2) }), lateness: '10m' })`.
 */
export function cloudEvents<const P extends Fields>(data: P) {
  const own = Object.entries(data).map(([name, field]) => [
    name,
    field.path === null ? field.at(`data.${name}`) : field,
  ])
  return {
    fields: { ...(Object.fromEntries(own) as P), ...cloudEventFields } as P & typeof cloudEventFields,
    time: 'time',
    id: 'id',
  } as const
}

const cloudEventFields = {
  id: string(),
  source: string(),
  type: string(),
  subject: string().optional(),
  time: timestamp(),
}
