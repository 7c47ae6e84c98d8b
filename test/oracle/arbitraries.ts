/**
 * Random definitions, events and instants for the agreement test. Everything lies within a few dozen milliseconds of
 * one instant, so that edges, ties, lateness and horizons are met all the time and not once in a million.
 */
import fc from 'fast-check'
import { entity } from '../../src/definition/entity.ts'
import { expressionOf } from '../../src/definition/expressions.ts'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import type { Stream } from '../../src/definition/stream.ts'
import type {
  AggregateCall,
  AggregateOptions,
  Expression,
  Literal,
  Operator,
  WindowSpec,
} from '../../src/schema/expression.ts'
import { boolean, decimal, type Field, type Fields, float, int, string, timestamp } from '../../src/schema/field.ts'
import type { NaiveRecord } from './naive.ts'

/** Just before the clocks of Paris go forward, so that local hours jump inside the events. */
const base = Date.UTC(2024, 2, 31, 0, 59, 59, 970)

export type Scenario = {
  readonly stream: Stream
  readonly views: readonly FeatureView[]
  /** Per partition in offset order; in the order in which they were made. */
  readonly records: readonly NaiveRecord[]
  readonly instants: readonly number[]
}

export function scenario(): fc.Arbitrary<Scenario> {
  return fc
    .record({
      shape: streamShape(),
      views: fc.array(viewShape(), { minLength: 1, maxLength: 2 }),
      events: fc.oneof(
        { weight: 4, arbitrary: fc.array(eventShape(), { maxLength: 30 }) },
        { weight: 1, arbitrary: fc.array(eventShape(), { minLength: 80, maxLength: 160 }) },
      ),
      drift: fc.constantFrom(0, 1, 4),
      reads: fc.array(readShape(), { minLength: 4, maxLength: 16 }),
    })
    .map(({ shape, views, events, drift, reads }) => {
      const stream = makeStream(shape)
      const times = events.map(({ jitter }, index) => base + index * drift + jitter)
      const made: Scenario = {
        stream,
        views: views.map((view, index) => makeView(`view${index}`, stream, view)),
        records: makeRecords(shape, { events, times }),
        instants: reads.map(({ near, plus, minus }) => (times[near % times.length] ?? base) + plus - minus),
      }
      return Object.defineProperty(made, fc.toStringMethod, { value: () => describe(made), enumerable: false })
    })
}

/** What a counterexample prints: definitions as data, events as text. */
function describe({ stream, views, records, instants }: Scenario): string {
  const plain = (value: unknown): string =>
    JSON.stringify(value, (key, member) => (key === 'from' ? undefined : member))
  return [
    plain(stream),
    ...views.map(plain),
    ...records.map(({ value, ...at }) => `${plain(at)} ${value === null ? 'null' : Buffer.from(value).toString()}`),
    plain(instants),
  ].join('\n')
}

// Streams.

type Presence = Field['presence']
type KeyKind = 'string' | 'int' | 'float' | 'decimal' | 'boolean' | 'timestamp'

type StreamShape = ReturnType<typeof streamShape> extends fc.Arbitrary<infer Shape> ? Shape : never

const durations = ['0ms', '1ms', '5ms', '40ms', '1h'] as const

function streamShape() {
  const presence = fc.constantFrom<Presence>('required', 'nullable', 'optional')
  return fc.record({
    id: fc.constantFrom('string', 'int', null),
    lateness: fc.nat(3),
    dedupeBeyond: fc.nat(2),
    future: fc.constantFrom('0ms', '0ms', '3ms', '3ms', '1h'),
    presence: fc.record({ s: presence, i: presence, f: presence, d: presence, b: presence, t: presence, k: presence }),
    scale: fc.constantFrom(0, 2, 9),
    unit: fc.constantFrom('s', 'ms', 'us', null),
    nested: fc.boolean(),
    keyKind: fc.constantFrom<KeyKind>('string', 'int', 'float', 'decimal', 'boolean', 'timestamp'),
    partitions: fc.integer({ min: 1, max: 3 }),
  })
}

function makeStream(shape: StreamShape): Stream {
  const { presence, scale } = shape
  const unit = shape.unit ?? undefined
  const given = (field: Field<Field['kind'], never>, how: Presence): Field =>
    how === 'required' ? field : how === 'nullable' ? field.nullable() : field.optional()
  const placed = (name: string, field: Field): Field => (shape.nested ? field.at(`payload.${name}`) : field)
  const fields: Fields = {
    s: placed('s', given(string(), presence.s)),
    i: given(int(), presence.i),
    f: placed('f', given(float(), presence.f)),
    d: given(decimal(scale), presence.d),
    b: given(boolean(), presence.b),
    t: placed('t', given(timestamp(), presence.t)),
    k: given(keyField(shape.keyKind), presence.k),
    k2: string(),
    id: shape.id === 'int' ? int() : string(),
    at: timestamp(unit),
  }
  return Object.freeze({
    type: 'stream',
    name: 'events',
    topic: 'events.v1',
    fields,
    time: 'at',
    id: shape.id === null ? null : 'id',
    key: [],
    lateness: durations[shape.lateness]!,
    dedupe: durations[Math.min(shape.lateness + shape.dedupeBeyond, durations.length - 1)]!,
    future: shape.future,
  })
}

function keyField(kind: KeyKind): Field<Field['kind'], never> {
  return {
    string: string(),
    int: int(),
    float: float(),
    decimal: decimal(2),
    boolean: boolean(),
    timestamp: timestamp('ms'),
  }[kind]
}

// Events.

type EventShape = ReturnType<typeof eventShape> extends fc.Arbitrary<infer Shape> ? Shape : never

export const texts = ['', 'a', 'b', 'ab', 'é', '\ue000', '\u{1f600}', '\ud83d', 'constructor']
const wholes = [0, 1, -1, 2, 7, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]
const floats = [0, -0, 0.1, 0.2, -0.3, 0.5, 1.5, 1e16, -1e16, 1e-300, 5e-324, 2 ** 960, -(2 ** 960), 1 / 3]

function eventShape() {
  const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
    fc.oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) })
  return fc.record({
    key: fc.oneof({ weight: 8, arbitrary: fc.nat(1) }, { weight: 1, arbitrary: fc.constant(null) }),
    key2: fc.nat(1),
    id: fc.oneof({ weight: 1, arbitrary: fc.nat(12) }, { weight: 4, arbitrary: fc.nat(1e6) }),
    jitter: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 12 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 90 }) },
    ),
    ahead: fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(0, -7, 'at bound') },
      { weight: 1, arbitrary: fc.constant('beyond bound') },
    ),
    s: orNull(fc.constantFrom(...texts)),
    i: orNull(fc.oneof(fc.constantFrom(...wholes), fc.integer({ min: -20, max: 20 }))),
    f: orNull(fc.oneof(fc.constantFrom(...floats), fc.double({ min: -100, max: 100, noNaN: true }))),
    d: orNull(fc.oneof(fc.integer({ min: -1_000, max: 1_000 }), fc.integer({ min: -(10 ** 14), max: 10 ** 14 }))),
    decimalAsText: fc.boolean(),
    b: orNull(fc.boolean()),
    t: orNull(fc.integer({ min: -100, max: 100 })),
    leftOut: fc.boolean(),
    fate: fc.oneof(
      { weight: 16, arbitrary: fc.constant('sent') },
      { weight: 2, arbitrary: fc.constant('sent again') },
      { weight: 1, arbitrary: fc.constantFrom('not json', 'no value', 'wrong type', 'no time', 'before 1970') },
    ),
    partition: fc.nat(5),
  })
}

type Made = { readonly events: readonly EventShape[]; readonly times: readonly number[] }

/** Equal ids share a partition, as with any producer that places events by a key that ids belong to. */
function makeRecords(shape: StreamShape, { events, times }: Made): NaiveRecord[] {
  const offsets = Array.from({ length: shape.partitions }, () => 0)
  const records: NaiveRecord[] = []
  const append = (record: Omit<NaiveRecord, 'offset'>): void => {
    const offset = offsets[record.partition]!
    // Offsets have holes, as those of a compacted or transactional topic have.
    offsets[record.partition] = offset + 1 + (records.length % 2)
    records.push({ ...record, offset })
  }
  events.forEach((event, index) => {
    const ts = times[index]!
    const partition = (shape.id === null ? event.partition : event.id) % shape.partitions
    const futureMs = { '0ms': 0, '3ms': 3, '1h': 3_600_000 }[shape.future]!
    const ahead = event.ahead === 'at bound' ? futureMs : event.ahead === 'beyond bound' ? futureMs + 1 : event.ahead
    const value = makeRaw(shape, event, ts)
    append({ partition, timestampMs: ts - Number(ahead), value })
    if (event.fate === 'sent again') append({ partition, timestampMs: ts + 5, value })
  })
  return records
}

function makeRaw(shape: StreamShape, event: EventShape, ts: number): Uint8Array | null {
  const { fate } = event
  if (fate === 'no value') return null
  if (fate === 'not json') return Buffer.from('{"k":')
  const factor = 10 ** shape.scale
  const scaled = event.d === null ? null : event.d / factor
  const body: { [name: string]: unknown } = {}
  const payload: { [name: string]: unknown } = {}
  const put = (name: 's' | 'i' | 'f' | 'd' | 'b' | 't' | 'k', value: unknown, whenRequired: unknown): void => {
    const target = shape.nested && ['s', 'f', 't'].includes(name) ? payload : body
    const presence = shape.presence[name]
    if (value === null && presence === 'optional' && event.leftOut) return
    target[name] = value === null && presence === 'required' ? whenRequired : value
  }
  put('s', event.s, 'a')
  put('i', fate === 'wrong type' ? '1' : event.i, 0)
  put('f', event.f, 0)
  put('d', scaled !== null && event.decimalAsText ? scaled.toFixed(shape.scale) : scaled, 0)
  put('b', event.b, false)
  put('t', event.t === null ? null : new Date(ts + event.t * 3_600_000).toISOString(), new Date(ts).toISOString())
  put('k', event.key === null ? null : keyValue(shape.keyKind, event.key), keyValue(shape.keyKind, 0))
  body['k2'] = event.key2 === 0 ? 'x' : 'y'
  body['id'] = shape.id === 'int' ? (event.id - 6) * 2 ** 30 : `${texts[event.id % texts.length]!}${event.id}`
  if (fate !== 'no time') body['at'] = instantOf(shape.unit, fate === 'before 1970' ? -1 : ts)
  return Buffer.from(JSON.stringify({ ...body, payload }))
}

function instantOf(unit: StreamShape['unit'], ts: number): number | string {
  // The parts of a millisecond must be floored away.
  return unit === 's' ? ts / 1e3 : unit === 'us' ? ts * 1e3 + 999 : unit === 'ms' ? ts : new Date(ts).toISOString()
}

function keyValue(kind: KeyKind, key: number): unknown {
  const values = {
    string: ['', 'é'],
    int: [0, -5],
    float: [-0, 2.5],
    decimal: ['0.10', 12],
    boolean: [false, true],
    timestamp: [0, base],
  }
  return values[kind][key]
}

// Views.

type ViewShape = ReturnType<typeof viewShape> extends fc.Arbitrary<infer Shape> ? Shape : never

function viewShape() {
  return fc.record({
    by: fc.constantFrom('k', 'k2', 'both'),
    where: fc.option(condition(1), { freq: 2 }),
    ttl: fc.option(fc.constantFrom('0ms', '1ms', '6ms', '1h'), { freq: 2 }),
    horizon: fc.constantFrom('0ms', '0ms', '2ms', '10ms', '30ms', '1h'),
    features: fc.array(feature, { minLength: 1, maxLength: 5 }),
    twins: fc.boolean(),
    sawtooth: fc.boolean(),
  })
}

function makeView(name: string, stream: Stream, shape: ViewShape): FeatureView {
  const { kind, scale } = stream.fields['k']!
  const keyOf = { string, int, float, boolean, timestamp, decimal: () => decimal(scale ?? 0) }[kind]
  const keys = { k: { k: keyOf() }, k2: { second: string() }, both: { second: string(), k: keyOf() } }[shape.by]
  const doubled = shape.twins ? shape.features.flatMap((tree) => [tree, twinOf(tree)]) : shape.features
  const features = shape.sawtooth ? doubled.map(sawtoothOf) : doubled
  return Object.freeze({
    type: 'featureView',
    name,
    from: stream,
    entity: entity(`${name}_key`, keys as never),
    keys: shape.by === 'k' ? { k: 'k' } : shape.by === 'k2' ? { second: 'k2' } : { second: 'k2', k: 'k' },
    where: shape.where,
    ttl: shape.ttl,
    horizon: shape.horizon,
    features: Object.fromEntries(features.map((tree, index) => [`f${index}`, expressionOf(tree)])) as never,
  })
}

/** The same aggregation with other options: what two features share must not be more than they have in common. */
function twinOf(tree: Expression): Expression {
  if (tree.op !== 'aggregate') return tree
  const { options, name } = tree.call
  const others: { readonly [name: string]: AggregateOptions } = {
    variance: { of: options.of === 'population' ? 'sample' : 'population' },
    stddev: { of: options.of === 'population' ? 'sample' : 'population' },
    lastK: { k: (options.k ?? 0) + 1 },
    distinctCount: { cap: (options.cap ?? 0) + 1 },
  }
  return { op: 'aggregate', call: { ...tree.call, options: others[name] ?? options } }
}

/** Every exact window as a sawtooth: a view that has no other keeps tiles. */
function sawtoothOf(tree: Expression): Expression {
  if (tree.op !== 'aggregate') return 'args' in tree ? { ...tree, args: tree.args.map(sawtoothOf) } : tree
  const { name, window, options } = tree.call
  if (window.over === 'lifetime' || window.precision !== undefined) return tree
  const capped = name === 'distinctCount' ? { cap: 3, ...options } : options
  const precision = { sawtooth: hops[window.over]![0]! }
  return { op: 'aggregate', call: { ...tree.call, window: { ...window, precision }, options: capped } }
}

// Expressions of an event, by the kind of value they give.

const literal = (value: Literal): Expression => ({ op: 'literal', value })
const field = (name: string): Expression => ({ op: 'field', name })
const apply = (op: Operator, ...args: Expression[]): Expression => ({ op, args })

const zone = fc.constantFrom('UTC', 'Europe/Paris', 'Asia/Kolkata', 'America/St_Johns')
const numberLiteral = fc.constantFrom(0, -0, 1, 2, 0.5, -3, 1e300).map(literal)
const textLiteral = fc.constantFrom(...texts).map(literal)
const relation = fc.constantFrom<Operator>('eq', 'ne', 'lt', 'lte', 'gt', 'gte')

export function numberOf(depth: number): fc.Arbitrary<Expression> {
  const leaf = fc.constantFrom('i', 'f', 'd').map(field)
  if (depth === 0) return fc.oneof({ weight: 4, arbitrary: leaf }, { weight: 1, arbitrary: numberLiteral })
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    { weight: 4, arbitrary: numberFrom(numberOf(depth - 1), instant, condition(depth - 1)) },
  )
}

function numberFrom(
  number: fc.Arbitrary<Expression>,
  time: fc.Arbitrary<Expression>,
  test: fc.Arbitrary<Expression>,
): fc.Arbitrary<Expression> {
  const either = fc.oneof(number, numberLiteral)
  return fc.oneof(
    fc
      .tuple(fc.constantFrom<Operator>('add', 'subtract', 'multiply', 'divide'), number, either)
      .map(([op, a, b]) => apply(op, a, b)),
    fc.tuple(fc.constantFrom<Operator>('negate', 'abs', 'round', 'log', 'sqrt'), number).map(([op, a]) => apply(op, a)),
    fc.tuple(number, numberLiteral).map(([a, b]) => apply('coalesce', a, b)),
    fc.tuple(test, number, either).map(([when, a, b]) => apply('case', when, a, b)),
    fc.tuple(test, number).map(([when, a]) => apply('case', when, a, literal(null))),
    test.map((a) => apply('number', a)),
    number.map((a): Expression => ({ op: 'bucketize', args: [a], options: { boundaries: [-1, 0, 0.1, 2] } })),
    fc
      .tuple(fc.constantFrom<Operator>('hour', 'dayOfWeek'), time, zone)
      .map(([op, a, name]): Expression => ({ op, args: [a], options: { zone: name } })),
    fc.tuple(time, time).map(([a, b]) => apply('subtract', a, b)),
  )
}

export const instant = fc.constantFrom('at', 't').map(field)

export function text(depth: number): fc.Arbitrary<Expression> {
  const leaf = fc.constantFrom('s', 's', 'k2').map(field)
  if (depth === 0) return leaf
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    { weight: 1, arbitrary: fc.tuple(leaf, textLiteral).map(([a, b]) => apply('coalesce', a, b)) },
    {
      weight: 1,
      arbitrary: fc.tuple(condition(depth - 1), leaf, textLiteral).map(([when, a, b]) => apply('case', when, a, b)),
    },
  )
}

export function condition(depth: number): fc.Arbitrary<Expression> {
  const leaf = fc.constant(field('b'))
  const compared = comparisons(numberOf(0), text(0), instant)
  if (depth === 0) return fc.oneof(leaf, compared)
  return fc.oneof(
    { weight: 2, arbitrary: leaf },
    { weight: 2, arbitrary: compared },
    { weight: 1, arbitrary: combined(condition(depth - 1)) },
  )
}

function comparisons(
  number: fc.Arbitrary<Expression>,
  string_: fc.Arbitrary<Expression>,
  time: fc.Arbitrary<Expression>,
): fc.Arbitrary<Expression> {
  return fc.oneof(
    fc.tuple(relation, number, fc.oneof(number, numberLiteral)).map(([op, a, b]) => apply(op, a, b)),
    fc.tuple(relation, string_, textLiteral).map(([op, a, b]) => apply(op, a, b)),
    fc.tuple(relation, time, time).map(([op, a, b]) => apply(op, a, b)),
    fc.oneof(number, string_, time).map((a) => apply('isNull', a)),
    number.map((a): Expression => ({ op: 'in', args: [a], options: { values: [0, 1, 0.1, -3] } })),
    string_.map((a): Expression => ({ op: 'in', args: [a], options: { values: ['a', '\ue000', 'constructor'] } })),
    fc.tuple(time, zone).map(([a, name]): Expression => ({ op: 'isWeekend', args: [a], options: { zone: name } })),
  )
}

function combined(test: fc.Arbitrary<Expression>): fc.Arbitrary<Expression> {
  return fc.oneof(
    fc.tuple(fc.constantFrom<Operator>('and', 'or'), test, test).map(([op, a, b]) => apply(op, a, b)),
    test.map((a) => apply('not', a)),
    fc.tuple(test, fc.boolean()).map(([a, value]) => apply('coalesce', a, literal(value))),
  )
}

// Features.

const lengths = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('1ms', '2ms', '5ms', '12ms', '30ms') },
  { weight: 1, arbitrary: fc.constant('1h') },
)
/** Some of them divide the lengths, some do not; none is longer than the shortest length it is used with. */
const hops: Readonly<Record<string, readonly string[]>> = {
  '1ms': ['1ms'],
  '2ms': ['1ms', '2ms'],
  '5ms': ['2ms', '3ms', '5ms'],
  '12ms': ['2ms', '5ms', '7ms', '12ms'],
  '30ms': ['2ms', '7ms', '12ms'],
  '1h': ['7ms', '12ms', '1h'],
}
const sliding = fc
  .record({
    over: lengths,
    offset: fc.constantFrom(null, null, '0ms', '1ms', '7ms'),
    hop: fc.option(fc.nat(3), { freq: 3 }),
  })
  .map(({ hop, ...exact }): WindowSpec => {
    const found = hops[exact.over]!
    return hop === null ? exact : { ...exact, precision: { sawtooth: found[hop % found.length]! } }
  })
const lifetime: fc.Arbitrary<WindowSpec> = fc.constant({ over: 'lifetime', offset: null })
const window: fc.Arbitrary<WindowSpec> = fc.oneof({ weight: 3, arbitrary: sliding }, { weight: 1, arbitrary: lifetime })

type CallShape = { name: string; input: fc.Arbitrary<Expression | null>; options?: fc.Arbitrary<AggregateOptions> }

function call({ name, input, options }: CallShape): fc.Arbitrary<Expression> {
  return fc
    .record({
      name: fc.constant(name),
      input,
      filter: fc.option(condition(1), { freq: 3 }),
      window: name === 'latest' ? lifetime : window,
      options: options ?? fc.constant<AggregateOptions>({}),
    })
    .map((made): Expression => {
      const { over, precision } = made.window
      const isBounded = over !== 'lifetime' && precision === undefined
      const capless = made.name === 'distinctCount' && !isBounded && made.options.cap === undefined
      const found: AggregateCall = capless ? { ...made, options: { cap: 3 } } : made
      return { op: 'aggregate', call: found }
    })
}

const picks = ['min', 'max', 'first', 'last', 'latest'] as const
const pick = (input: fc.Arbitrary<Expression>): fc.Arbitrary<Expression> =>
  fc.constantFrom(...picks).chain((name) => call({ name, input }))

const summable = fc.oneof({ weight: 3, arbitrary: numberOf(1) }, { weight: 1, arbitrary: condition(0) })
const scalar = fc.oneof(numberOf(1), text(1), condition(1), instant)
const moments = fc.constantFrom<AggregateOptions>({}, { of: 'sample' }, { of: 'population' })

const numberCall = fc.oneof(
  call({ name: 'count', input: fc.constant(null) }),
  call({ name: 'sum', input: summable }),
  call({ name: 'mean', input: summable }),
  call({ name: 'variance', input: summable, options: moments }),
  call({ name: 'stddev', input: summable, options: moments }),
  call({
    name: 'distinctCount',
    input: scalar,
    options: fc.constantFrom<AggregateOptions>({}, { cap: 1 }, { cap: 4 }),
  }),
  pick(numberOf(1)),
)
const listCall = call({ name: 'lastK', input: scalar, options: fc.integer({ min: 1, max: 4 }).map((k) => ({ k })) })
const oneHotRow = text(1).map(
  (input): Expression => ({
    op: 'aggregate',
    call: {
      name: 'latest',
      input: { op: 'oneHot', args: [input], options: { values: ['a', 'b', '\u{1f600}'] } },
      filter: null,
      window: { over: 'lifetime', offset: null },
      options: {},
    },
  }),
)
const conditionOfFeatures = fc.oneof(
  pick(condition(1)),
  comparisons(numberCall, pick(text(1)), pick(instant)),
  combined(pick(condition(0))),
)

const feature: fc.Arbitrary<Expression> = fc.oneof(
  { weight: 6, arbitrary: numberCall },
  { weight: 2, arbitrary: numberFrom(numberCall, pick(instant), conditionOfFeatures) },
  { weight: 2, arbitrary: pick(text(1)) },
  { weight: 1, arbitrary: conditionOfFeatures },
  { weight: 1, arbitrary: pick(instant) },
  { weight: 2, arbitrary: listCall },
  { weight: 1, arbitrary: oneHotRow },
)

// Instants.

function readShape() {
  const steps = fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 8, 10, 12, 13, 19, 30, 31, 60, 61)
  return fc.record({
    near: fc.nat(200),
    plus: fc.oneof(
      { weight: 6, arbitrary: steps },
      { weight: 1, arbitrary: fc.constantFrom(3_600_000, 3_600_001, 10 ** 9) },
    ),
    minus: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 1) }, { weight: 1, arbitrary: steps }),
  })
}
