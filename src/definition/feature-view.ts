import type { Duration } from '../base/duration.ts'
import type { AggregateCall, AggregateOptions, Expression, Precision } from '../schema/expression.ts'
import type { Field, FieldKind, Fields, NullabilityOf } from '../schema/field.ts'
import type { Entity } from './entity.ts'
import {
  type AnyFeatureExpression,
  type BooleanExpression,
  type ExpressionValue,
  expressionOf,
  type ListExpression,
  type NumberExpression,
  type ScalarExpression,
  type StringExpression,
  type TimeExpression,
} from './expressions.ts'
import type { Stream } from './stream.ts'

/** Features of one entity computed from one stream. */
export interface FeatureView<
  Name extends string = string,
  Keys extends Fields = Fields,
  Features extends FeatureMap = FeatureMap,
> {
  readonly type: 'featureView'
  readonly name: Name
  readonly from: Stream
  readonly entity: Entity<string, Keys>
  /** Join key → the stream's field that holds it. */
  readonly keys: Readonly<Record<string, string>>
  readonly where: Expression | null
  readonly ttl: string | null
  readonly horizon: string
  /** Left out where nothing is emitted: what was declared before there was such a thing keeps its plan's hash. */
  readonly emit?: 'event' | { readonly every: string; readonly idle: string }
  readonly features: Features
}

export type FeatureMap = Readonly<Record<string, AnyFeatureExpression>>

type ExpressionOfKind<Kind extends FieldKind, Null extends null> = Kind extends 'string'
  ? StringExpression<Null>
  : Kind extends 'boolean'
    ? BooleanExpression<Null>
    : Kind extends 'timestamp'
      ? TimeExpression<Null>
      : NumberExpression<Null>

/** An event inside an expression: each field as an expression of its type. */
export type EventExpressions<F extends Fields> = {
  readonly [K in keyof F & string]: ExpressionOfKind<F[K]['kind'], NullabilityOf<F[K]>>
}

type NamesOf<F extends Fields, Kind extends FieldKind> = {
  [K in keyof F & string]: F[K]['kind'] extends Kind ? K : never
}[keyof F & string]

type Summable = 'int' | 'float' | 'decimal' | 'boolean'

/** Either a field's name or an expression of the event. */
type Input<F extends Fields, Kind extends FieldKind, E> = NamesOf<F, Kind> | ((event: EventExpressions<F>) => E)
type NumericInput<F extends Fields> = Input<F, Summable, NumberExpression<null> | BooleanExpression<null>>
type AnyInput<F extends Fields> = (keyof F & string) | ((event: EventExpressions<F>) => AnyFeatureExpression)

/** The expression that an input's own type gives: what `min`, `last` and their like return. */
type OfInput<F extends Fields, I> = I extends keyof F & string
  ? ExpressionOfKind<F[I]['kind'], null>
  : I extends (event: never) => infer E
    ? Nullable<E>
    : never

type Nullable<E> =
  E extends NumberExpression<null>
    ? NumberExpression<null>
    : E extends StringExpression<null>
      ? StringExpression<null>
      : E extends BooleanExpression<null>
        ? BooleanExpression<null>
        : E extends TimeExpression<null>
          ? TimeExpression<null>
          : E

type ItemOf<F extends Fields, I> = OfInput<F, I> extends infer E ? Exclude<ExpressionValue<E>, null> : never

/**
 * A window of event time as of `t`: events with `t - offset - over <= ts < t - offset`. Exact to the millisecond
 * unless a `precision` is given.
 */
export type Window = { readonly over: Duration; readonly offset?: Duration; readonly precision?: Sawtooth } | Lifetime
type Lifetime = { readonly over: 'lifetime' }

/** Made by `sawtooth`. */
export type Sawtooth = { readonly sawtooth: Duration }

/**
 * The precision of a window whose tail is rounded down to a multiple of `hop`, so that it covers up to one hop more
 * than its length: `on.count({ over: '30d', precision: sawtooth('6h') })`. The head stays exact. In a view that has
 * only such windows and lifetimes, a key's events are kept as sums per hop: what a key takes up is bounded, however
 * many events it has.
 */
export function sawtooth(hop: Duration): Sawtooth {
  return Object.freeze({ sawtooth: hop })
}

/** What a feature view can compute over the events of a key. Every aggregation skips null inputs. */
export interface Aggregations<F extends Fields> {
  /** Only the events for which `condition` is true. Null is not true. */
  where(condition: (event: EventExpressions<F>) => BooleanExpression<null>): Aggregations<F>
  count(window: Window): NumberExpression
  /** 0 when empty. Exact: rounded once, at the end. */
  sum(input: NumericInput<F>, window: Window): NumberExpression
  /** Null when empty. Of booleans: the share of true. */
  mean(input: NumericInput<F>, window: Window): NumberExpression<null>
  /** Of a sample (n − 1) unless `of: 'population'`. Null for fewer than 2 (1) inputs. */
  variance(input: NumericInput<F>, window: Window & { of?: 'sample' | 'population' }): NumberExpression<null>
  stddev(input: NumericInput<F>, window: Window & { of?: 'sample' | 'population' }): NumberExpression<null>
  min<const I extends AnyInput<F>>(input: I, window: Window): OfInput<F, I>
  max<const I extends AnyInput<F>>(input: I, window: Window): OfInput<F, I>
  first<const I extends AnyInput<F>>(input: I, window: Window): OfInput<F, I>
  last<const I extends AnyInput<F>>(input: I, window: Window): OfInput<F, I>
  /** The last `k` inputs, newest first. */
  lastK<const I extends AnyInput<F>>(input: I, window: Window & { k: number }): ListExpression<ItemOf<F, I>>
  /** Exact. Over `lifetime` it needs a `cap`: the value stays at `cap` beyond it. */
  distinctCount(input: AnyInput<F>, window: Window & { cap?: number }): NumberExpression
  /** A row feature: the expression's value at the key's newest event, null included. */
  row<const I extends AnyInput<F>>(input: I): OfInput<F, I>
}

export interface FeatureViewOptions<Keys extends Fields, F extends Fields, Features extends FeatureMap> {
  readonly from: Stream<string, F>
  readonly by: Entity<string, Keys>
  /** Where the stream holds the join keys, for those that have another name there: `{ customerId: 'user_id' }`. */
  readonly keys?: { readonly [K in keyof Keys & string]?: NoInfer<keyof F & string> }
  /** Only events for which this is true reach the view. */
  readonly where?: (event: EventExpressions<F>) => BooleanExpression<null>
  /** A vector older than this, by the key's newest event, reads as empty with status OUTSIDE_MAX_AGE. */
  readonly ttl?: Duration
  /** How far before a key's newest event a read may lie and still be exact. Default: 1 hour. */
  readonly horizon?: Duration
  /** Whether finished values also go out to the topic `feature-events.<view>`. Default: they do not. */
  readonly emit?: Emit
  readonly features: (on: Aggregations<F>) => Features
}

/**
 * When finished values go out: after each applied event, for its key; or at every multiple of an interval of event
 * time, for each key with an event in it, once no accepted event can fall before it any more. A partition that has
 * been silent for `idle` while others went on (default 5 minutes, by the records' own timestamps) is not waited for.
 */
export type Emit = 'event' | { readonly every: Duration; readonly idle?: Duration }

/** `featureView('spending', { from: payments, by: customer, features: (on) => ({ … }) })` */
export function featureView<
  const Name extends string,
  const Keys extends Fields,
  const F extends Fields,
  const Features extends FeatureMap,
>(name: Name, options: FeatureViewOptions<Keys, F, Features>): FeatureView<Name, Keys, Features> {
  const names = Object.keys(options.by.keys)
  const mapped: Readonly<Record<string, string | undefined>> = options.keys ?? {}
  return Object.freeze({
    type: 'featureView',
    name,
    from: options.from,
    entity: options.by,
    keys: Object.freeze(
      Object.fromEntries(names.map((key) => [key, (Object.hasOwn(mapped, key) ? mapped[key] : undefined) ?? key])),
    ),
    where: options.where === undefined ? null : options.where(eventExpressions()).tree,
    ttl: options.ttl ?? null,
    horizon: options.horizon ?? '1h',
    ...(options.emit === undefined ? {} : { emit: emitRule(options.emit) }),
    features: Object.freeze(options.features(makeAggregations(null))),
  })
}

function emitRule(emit: Emit): NonNullable<FeatureView['emit']> {
  return typeof emit === 'object' && emit !== null ? Object.freeze({ idle: '5m', ...emit }) : emit
}

type LooseWindow = {
  readonly over: string
  readonly offset?: string
  readonly precision?: Precision
} & AggregateOptions
type LooseInput = string | ((event: never) => { readonly tree: Expression })

function makeAggregations<F extends Fields>(filter: Expression | null): Aggregations<F> {
  const call = (name: string, input: LooseInput | null, window: LooseWindow): never => {
    const { over, offset, precision, ...options } = window
    const aggregate: AggregateCall = {
      name,
      input: input === null ? null : inputTree(input),
      filter,
      window: { over, offset: offset ?? null, ...((precision ?? null) === null ? {} : { precision }) },
      options,
    }
    return expressionOf({ op: 'aggregate', call: aggregate }) as never
  }
  const over = (name: string) => (input: LooseInput, window: LooseWindow) => call(name, input, window)
  return {
    where: (condition) => {
      const { tree } = condition(eventExpressions())
      return makeAggregations(filter === null ? tree : { op: 'and', args: [filter, tree] })
    },
    count: (window) => call('count', null, window),
    sum: over('sum'),
    mean: over('mean'),
    variance: over('variance'),
    stddev: over('stddev'),
    min: over('min'),
    max: over('max'),
    first: over('first'),
    last: over('last'),
    lastK: over('lastK'),
    distinctCount: over('distinctCount'),
    row: (input) => call('latest', input as LooseInput, { over: 'lifetime' }),
  }
}

function inputTree(input: LooseInput): Expression {
  return typeof input === 'string' ? { op: 'field', name: input } : input(eventExpressions()).tree
}

/**
 * Stands for any event: every property is that field as an expression. A field that the stream does not declare is
 * one as well, so that the plan can report it with all other faults.
 */
function eventExpressions(): never {
  const fields = new Proxy({}, { get: (_, name) => expressionOf({ op: 'field', name: String(name) }) })
  return fields as never
}

/** Used by types only: the value types of a view's features. */
export type FeatureValues<Features extends FeatureMap> = {
  readonly [K in keyof Features]: ExpressionValue<Features[K]>
}

export type KeyOf<Keys extends Fields> = Keys extends Readonly<Record<string, Field>> ? Keys : never
export type { ScalarExpression }
