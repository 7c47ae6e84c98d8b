import type { ByteReader, ByteWriter } from '../base/bytes.ts'

/**
 * A value that a column of raw events holds. A decimal is its scaled integer (12.34 at scale 2 is 1234), a timestamp
 * is epoch milliseconds. No NaN, no infinity, no -0.
 */
export type ColumnValue = string | number | boolean | null

/** What a column holds besides null. */
export type ColumnType =
  | { readonly kind: 'string' | 'int' | 'float' | 'boolean' | 'timestamp' }
  | { readonly kind: 'decimal'; readonly scale: number }

/**
 * Where an event stands in the order of its stream: its time, then its id (or, without an id, a number made of its
 * source partition and offset). Two events of one accepted set never compare equal.
 */
export type EventOrder = { readonly ts: number; readonly tie: string | number }

/** What an aggregation gives: a list only for `lastK` and one-hot inputs. Decimals are plain numbers again. */
export type FeatureValue = string | number | boolean | null | readonly FeatureValue[]

/**
 * An aggregation written as algebra over a state. Stream, serving and training run these same functions: that is why
 * their values agree.
 *
 * What implementers guarantee (run for every aggregation in `test/kernel/laws.test.ts`):
 * 1. The value, and the encoded bytes, depend only on the *set* of (input, order) pairs added: never on the order of
 *    `add`, on how the set was split before `merge`, or on inputs added and then removed.
 * 2. `zero()` is neutral to `merge`.
 * 3. `decode(encode(state))` reads the same, and encodes to the same bytes.
 *
 * What callers guarantee: inputs have the column type the aggregation was made for and are not null; merged states
 * share no event; `remove` gets only what was added.
 */
export interface Aggregation<State = unknown> {
  readonly name: string

  /** The state of no events. */
  zero(): State

  /** Adds one input. May change and return `state`. */
  add(state: State, input: ColumnValue, order: EventOrder): State

  /** Takes back an input that was added. Absent when that cannot be done exactly. */
  readonly remove?: ((state: State, input: ColumnValue, order: EventOrder) => State) | undefined

  /**
   * Whether no input that comes before all those added can change the state any more: a reader that goes back in time
   * may stop. Absent: never.
   */
  readonly isFull?: ((state: State) => boolean) | undefined

  /**
   * How a state comes of what one pass over doubles finds, which is faster than adding the inputs one by one. Absent:
   * not at all. Booleans are 0 and 1.
   */
  readonly tally?:
    | {
        readonly needs: readonly TallyPart[]
        /** The state of exactly those inputs; null where doubles cannot tell it exactly. */
        state(tally: Tally): State | null
      }
    | undefined

  /** Combines states of disjoint sets. May change and return `left`; leaves `right` alone. */
  merge(left: State, right: State): State

  /** Reads a state without changing it. */
  value(state: State): FeatureValue

  /** Canonical: states of equal sets give equal bytes. */
  encode(state: State, writer: ByteWriter): void

  decode(reader: ByteReader): State
}

/** What a pass over numbers finds. Only the parts that were asked for mean anything. */
export type Tally = {
  count: number
  sum: number
  /** The sum of all magnitudes: while it is a safe integer, so was every sum of integers on the way. */
  magnitude: number
  squares: number
  /** Without any number infinite, and no number. */
  least: number
  greatest: number
}

/** Besides the count. `sum` comes with `magnitude`. */
export type TallyPart = 'sum' | 'squares' | 'least' | 'greatest'

/** Which aggregation, over what kind of column. `count` counts events and has no input. */
export type AggregationSpec =
  | { readonly name: 'count' }
  | { readonly name: 'sum' | 'mean'; readonly input: ColumnType }
  | { readonly name: 'variance' | 'stddev'; readonly input: ColumnType; readonly of: 'sample' | 'population' }
  | { readonly name: 'min' | 'max' | 'first' | 'last'; readonly input: ColumnType }
  | { readonly name: 'lastK'; readonly input: ColumnType; readonly k: number }
  /** `cap` bounds the state: beyond it the value stays at `cap`. Null: unbounded (only inside a window). */
  | { readonly name: 'distinctCount'; readonly input: ColumnType; readonly cap: number | null }
  /** The input of the newest event, null inputs included. */
  | { readonly name: 'latest'; readonly input: ColumnType }
