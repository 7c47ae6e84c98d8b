/**
 * What the engine must compute, written a second time as plainly as possible: arrays, scans, exact fractions. It
 * shares types with the engine and nothing else. Read it beside DESIGN's semantics; every rule is one line here.
 */
import type { FeatureView } from '../../src/definition/feature-view.ts'
import type { Stream } from '../../src/definition/stream.ts'
import type { AggregateCall, Expression } from '../../src/schema/expression.ts'
import type { Field } from '../../src/schema/field.ts'
import { add, divide, type Fraction, fractionOf, multiply, round, roundRoot, subtract } from './exact.ts'

export type Value = string | number | boolean | null | readonly Value[]
/** Partitions of a history have negative numbers, which puts their events first among those without an id. */
export const historyPartition = (partition: number): number => partition - 1024
export type NaiveRecord = {
  partition: number
  offset: number
  timestampMs: number
  value: Uint8Array | null
  headers?: readonly (readonly [name: string, value: Uint8Array])[]
}
export type NaiveRow = { readonly [name: string]: Value }
export type NaiveEvent = { row: NaiveRow; ts: number; id: Value; partition: number; offset: number }
export type NaiveVerdict = 'accepted' | 'duplicate' | 'late' | 'refused'
export type NaiveRead = { values: Value[]; status: string[]; ageMs: number | null } | 'AS_OF_TOO_OLD'

const unitMs: { readonly [unit: string]: number } = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }
const ms = (text: string): number => Number.parseInt(text, 10) * unitMs[text.replace(/\d+/, '')]!

// Verdicts.

/** Of the accepted records of a partition so far: their highest event time, and that of each id. */
type NaiveBefore = { watermark: number; readonly newest: Map<Value, number> }

/**
 * The verdict on each record, in order. A record sees only the earlier ones of its own partition. `needless`: indexes
 * of those that stand in for a record which needs it no more.
 */
export function naiveVerdicts(
  stream: Stream,
  records: readonly NaiveRecord[],
): { verdicts: NaiveVerdict[]; accepted: NaiveEvent[]; needless: Set<number> } {
  const accepted: NaiveEvent[] = []
  /** Rejected records that nothing stands in for, as partition@offset. */
  const open = new Set<string>()
  const needless = new Set<number>()
  const before = new Map<number, NaiveBefore>()
  const judge = (record: NaiveRecord): NaiveVerdict => {
    const row = decode(stream, record.value)
    if (row === null) return 'refused'
    const ts = row[stream.time] as number
    if (ts > record.timestampMs + ms(stream.future)) return 'refused'
    const id = stream.id === null ? null : row[stream.id]!
    const own = before.get(record.partition) ?? { watermark: -1, newest: new Map<Value, number>() }
    before.set(record.partition, own)
    const imported = record.partition < 0
    const seenAt = own.newest.get(id)
    const isSeen = seenAt !== undefined && (imported || own.watermark - seenAt <= ms(stream.dedupe))
    if (id !== null && isSeen) return 'duplicate'
    if (!imported && ts < own.watermark - ms(stream.lateness)) return 'late'
    if (stream.history !== undefined && imported !== ts < Date.parse(stream.history.until)) return 'late'
    if (imported && ts < Date.parse(stream.history?.from ?? '1970-01-01T00:00:00Z')) return 'late'
    accepted.push({ row, ts, id, partition: record.partition, offset: record.offset })
    own.watermark = Math.max(own.watermark, ts)
    own.newest.set(id, Math.max(ts, seenAt ?? ts))
    return 'accepted'
  }
  const verdicts = records.map((record, index): NaiveVerdict => {
    const original = originalOf(record)
    if (original !== null && !open.has(original)) {
      needless.add(index)
      return 'duplicate'
    }
    const verdict = judge(record)
    const rejected = verdict === 'refused' || verdict === 'late'
    if (original === null && rejected) open.add(`${record.partition}@${record.offset}`)
    if (original !== null && !rejected && verdict !== 'duplicate') open.delete(original)
    return verdict
  })
  return { verdicts, accepted, needless }
}

/** The record that this one stands in for: a replay. */
function originalOf({ partition, headers = [] }: Pick<NaiveRecord, 'partition' | 'headers'>): string | null {
  const header = headers.find(([name]) => name === 'millrace.replay-of')
  return header === undefined ? null : `${partition}@${Buffer.from(header[1]).toString()}`
}

function decode(stream: Stream, raw: Uint8Array | null): NaiveRow | null {
  let event: unknown
  try {
    event = JSON.parse(Buffer.from(raw ?? []).toString())
  } catch {
    return null
  }
  if (event === null || typeof event !== 'object' || Array.isArray(event)) return null
  const row: { [name: string]: Value } = {}
  for (const [name, field] of Object.entries(stream.fields)) {
    const path = (field.path ?? name).split('.')
    const raw = path.reduce<unknown>((at, step) => (at as { [step: string]: unknown } | undefined)?.[step], event)
    if (raw === undefined && field.presence !== 'optional') return null
    if (raw === null && field.presence === 'required') return null
    const value = raw === undefined || raw === null ? null : decodeValue(field, raw)
    if (value === undefined) return null
    row[name] = value
  }
  return row
}

/** Undefined: refused. */
function decodeValue({ kind, unit, scale }: Field, raw: unknown): Value | undefined {
  if (kind === 'string' || kind === 'boolean') return typeof raw === kind ? (raw as Value) : undefined
  if (kind === 'timestamp') {
    const instant = typeof raw === 'string' ? Date.parse(raw) : unit === null ? Number.NaN : inMs(Number(raw), unit)
    return instant >= 0 && instant < Date.UTC(2100) ? Math.floor(instant) : undefined
  }
  const number = kind === 'decimal' ? Number(raw) : raw
  if (typeof number !== 'number' || !(Math.abs(number) <= 2 ** 960)) return undefined
  if (kind === 'int' && !Number.isSafeInteger(number)) return undefined
  if (kind === 'decimal' && Number(number.toFixed(scale ?? 0)) !== number) return undefined
  return number === 0 ? 0 : number
}

/** Through decimal text, so that 1.001 s is 1001 ms. */
function inMs(value: number, unit: 's' | 'ms' | 'us'): number {
  return unit === 's' ? Number(`${value.toFixed(6)}e3`) : unit === 'us' ? value / 1e3 : value
}

// Reads.

/** The accepted events of one key of a view, in order. */
export function naiveEvents(view: FeatureView, accepted: readonly NaiveEvent[], key: readonly Value[]): NaiveEvent[] {
  return accepted
    .filter(({ row }) => naiveKey(view, row)?.every((value, index) => value === key[index]) === true)
    .filter(({ row }) => view.where === null || evaluate(view.where, fieldOf(row)) === true)
    .sort((a, b) => a.ts - b.ts || order(a.id, b.id) || a.partition - b.partition || a.offset - b.offset)
}

/** Null: the event has no key in this view. */
export function naiveKey(view: FeatureView, row: NaiveRow): Value[] | null {
  const key = Object.keys(view.entity.keys).map((name) => row[view.keys[name]!]!)
  return key.some((value) => value === null) ? null : key
}

/** The view as of `t` for one key, from the events of `naiveEvents`. */
export function naiveRead(view: FeatureView, events: readonly NaiveEvent[], t: number): NaiveRead {
  const last = events.at(-1)
  const horizonMs = Math.max(ms(view.horizon), ms(view.from.future) + 1)
  if (last !== undefined && t <= last.ts - horizonMs) return 'AS_OF_TOO_OLD'
  return naiveHistory(view, events, t)
}

/** The same at any instant, however old. */
export function naiveHistory(view: FeatureView, events: readonly NaiveEvent[], t: number): Exclude<NaiveRead, string> {
  const past = events.filter(({ ts }) => ts < t)
  const ageMs = past.length === 0 ? null : t - past.at(-1)!.ts
  const outside = ageMs !== null && view.ttl !== null && ageMs > ms(view.ttl)
  const from = outside ? [] : past
  const values = Object.values(view.features).map(({ tree }) =>
    evaluate(tree, (leaf) => {
      if (leaf.op !== 'aggregate') throw new TypeError('a field outside of an aggregation')
      return aggregate(view, leaf.call, windowOf(leaf.call, from, t))
    }),
  )
  const status = values.map((value): string => (value === null ? 'NULL_VALUE' : 'PRESENT'))
  if (ageMs === null || outside) status.fill(outside ? 'OUTSIDE_MAX_AGE' : 'NOT_FOUND')
  return { values, status, ageMs }
}

function windowOf({ window, filter }: AggregateCall, past: readonly NaiveEvent[], t: number): NaiveEvent[] {
  const end = t - (window.offset === null ? 0 : ms(window.offset))
  const exact = window.over === 'lifetime' ? Number.NEGATIVE_INFINITY : end - ms(window.over)
  // The tail of a sawtooth window is the last multiple of its hop; never that of the head.
  const start = window.precision === undefined ? exact : lastMultiple(ms(window.precision.sawtooth), exact)
  return past
    .filter(({ ts }) => start <= ts && ts < end)
    .filter(({ row }) => filter === null || evaluate(filter, fieldOf(row)) === true)
}

/** Step by step from a multiple that is certainly before it. */
function lastMultiple(hopMs: number, instant: number): number {
  let multiple = (BigInt(instant) / BigInt(hopMs) - 2n) * BigInt(hopMs)
  while (multiple + BigInt(hopMs) <= BigInt(instant)) multiple += BigInt(hopMs)
  return Number(multiple)
}

function aggregate(view: FeatureView, { name, input, options }: AggregateCall, events: readonly NaiveEvent[]): Value {
  if (name === 'count' || input === null) return events.length
  const all = events.map(({ row }) => within(evaluate(input, fieldOf(row))))
  const some = all.filter((value) => value !== null)
  const scale = input.op === 'field' ? view.from.fields[input.name]!.scale : null
  const exact = (): Fraction[] => some.map((value) => exactOf(value, scale))
  switch (name) {
    case 'sum':
      return round(exact().reduce(add, fractionOf(0)))
    case 'mean':
      return some.length === 0 ? null : round(divide(exact().reduce(add, fractionOf(0)), some.length))
    case 'variance':
    case 'stddev': {
      const degrees = some.length - (options.of === 'population' ? 0 : 1)
      if (degrees < 1) return null
      const mean = divide(exact().reduce(add, fractionOf(0)), some.length)
      const squares = exact().map((value) => multiply(subtract(value, mean), subtract(value, mean)))
      const variance = divide(squares.reduce(add, fractionOf(0)), degrees)
      if (name === 'stddev') return roundRoot(variance)
      // Beyond the largest double there is no number to give.
      const room = subtract(fractionOf(Number.MAX_VALUE), variance)
      return room.n < 0n ? null : round(variance)
    }
    case 'min':
      return some.toSorted(order)[0] ?? null
    case 'max':
      return some.toSorted(order).at(-1) ?? null
    case 'first':
      return some[0] ?? null
    case 'last':
      return some.at(-1) ?? null
    case 'lastK':
      return some.toReversed().slice(0, options.k)
    case 'distinctCount':
      return Math.min(new Set(some).size, options.cap ?? Number.POSITIVE_INFINITY)
    case 'latest':
      // A one-hot list of no event is the list of no category, not null.
      if (input.op === 'oneHot' && all.length === 0) return input.options!.values!.map(() => 0)
      return all.at(-1) ?? null
    default:
      throw new TypeError(name)
  }
}

/** Derived numbers too large for an exact sum count as none. */
const within = (value: Value): Value => (typeof value === 'number' && Math.abs(value) > 2 ** 960 ? null : value)

function exactOf(value: Value, scale: number | null): Fraction {
  if (scale === null) return fractionOf(Number(value))
  return { n: BigInt(Number(value).toFixed(scale).replace('.', '')), d: 10n ** BigInt(scale) }
}

/** Numbers and booleans by size, text by code points. */
function order(a: Value, b: Value): number {
  if (typeof a !== 'string' || typeof b !== 'string') return Math.sign(Number(a) - Number(b))
  const [left, right] = [a, b].map((text) => Array.from(text, (character) => character.codePointAt(0)!))
  const differs = left!.findIndex((point, index) => point !== right![index])
  return differs < 0 ? left!.length - right!.length : left![differs]! - (right![differs] ?? -1)
}

// Expressions.

type Leaf = (leaf: Extract<Expression, { op: 'field' | 'aggregate' }>) => Value

const fieldOf =
  (row: NaiveRow): Leaf =>
  (leaf) =>
    leaf.op === 'field' ? row[leaf.name]! : null

const numeric: { readonly [op: string]: (a: number, b: number) => number } = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => (b === 0 ? Number.NaN : a / b),
  negate: (a) => -a,
  abs: (a) => (a < 0 ? -a : a),
  round: (a) => Math.sign(a) * Number(fractionRound(Math.abs(a))),
  log: (a) => Math.log(a),
  sqrt: (a) => Math.sqrt(a),
}

const relations: { readonly [op: string]: (order: number) => boolean } = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
}

/** The operators for which a null operand may give something other than null. */
const lenient: { readonly [op: string]: (args: readonly Value[], values: readonly Value[]) => Value } = {
  and: (args) => (args.includes(false) ? false : args.includes(null) ? null : true),
  or: (args) => (args.includes(true) ? true : args.includes(null) ? null : false),
  isNull: ([a]) => a === null,
  coalesce: ([a, b]) => a ?? b!,
  oneHot: ([a], values) => values.map((value) => Number(value === a)),
  case: (args) => {
    const found = args.findIndex((value, index) => index % 2 === 0 && (value === true || index === args.length - 1))
    return args[Math.min(found + 1, args.length - 1)]!
  },
}

export function evaluate(tree: Expression, leaf: Leaf): Value {
  if (tree.op === 'literal') return tree.value === 0 ? 0 : tree.value
  if (tree.op === 'field' || tree.op === 'aggregate') return leaf(tree)
  const args = tree.args.map((arg) => evaluate(arg, leaf))
  const { values = [], boundaries = [], zone = 'UTC' } = tree.options ?? {}
  if (tree.op in lenient) return lenient[tree.op]!(args, values)
  const [a, b] = args as [Value, Value]
  if (args.includes(null)) return null
  if (tree.op in numeric) {
    const result = numeric[tree.op]!(a as number, b as number)
    if (Math.abs(result) === Number.POSITIVE_INFINITY && tree.args.length === 2) {
      return Math.sign(result) * Number.MAX_VALUE
    }
    return Number.isFinite(result) ? (result === 0 ? 0 : result) : null
  }
  if (tree.op in relations) return relations[tree.op]!(order(a, b))
  if (tree.op === 'not') return a === false
  if (tree.op === 'number') return a === true ? 1 : 0
  if (tree.op === 'in') return values.some((value) => value === a)
  if (tree.op === 'bucketize') return boundaries.filter((boundary) => boundary <= Number(a)).length
  const format = formatOf(zone)
  const parts = Object.fromEntries(format.formatToParts(Number(a)).map(({ type, value }) => [type, value]))
  if (tree.op === 'hour') return Number(parts['hour'])
  const day = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'].indexOf(parts['weekday']!) + 1
  return tree.op === 'dayOfWeek' ? day : day >= 6
}

/** Halves away from zero, in whole numbers. */
function fractionRound(value: number): bigint {
  const { n, d } = fractionOf(value)
  return (2n * n + d) / (2n * d)
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hour: '2-digit', hourCycle: 'h23', weekday: 'short' })
  formats.set(timeZone, format)
  return format
}
