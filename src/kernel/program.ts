import type { Aggregation, AggregationSpec, ColumnType } from './aggregation.ts'

/**
 * What the kernel needs of a feature view, compiled by the plan: which columns of an event are kept, and what is
 * aggregated over them in which windows. Nothing here knows names.
 */
export type ViewProgram = {
  /** Evaluated inputs and filters of the aggregations; a filter is a boolean column. */
  readonly columns: readonly ColumnType[]
  readonly windows: readonly WindowProgram[]
  readonly aggregates: readonly AggregateProgram[]
  /** Whether events keep what breaks a tie of time: only where an aggregation depends on order. */
  readonly keepsTies: boolean
  /**
   * How far before an instant that is read its raw events are needed: the longest `offset + length + hop` of a bounded
   * window, 0 without one. With a tiling the longest offset.
   */
  readonly spanMs: number
  /** How older events are kept; absent: as far as a bounded window reaches, events are raw. */
  readonly tiling?: Tiling
  /** How far before a key's newest event a read may lie and still be exact. */
  readonly horizonMs: number
  /** Absent: `standardPaging`. Others are for tests, where a few events should be many. */
  readonly paging?: Paging
}

/**
 * How the raw events of a key that has many are cut into pages: an event opens a page once in `2 ** pageBits`, and an
 * opener of one level one of the next once in `2 ** nodeBits`. Part of the format of stored states.
 */
export type Paging = {
  /** A key with no more events than this has no pages. */
  readonly rowsMax: number
  readonly pageBits: number
  readonly nodeBits: number
}

export const standardPaging: Paging = { rowsMax: 256, pageBits: 7, nodeBits: 6 }

/**
 * Events with `t - offset - length <= ts < t - offset`; a null length reaches back to the first event. With a hop the
 * tail, and only that, is rounded down to a multiple of it (`window.ts`).
 */
export type WindowProgram = {
  readonly lengthMs: number | null
  readonly offsetMs: number
  /** Absent: exact to the millisecond. */
  readonly hopMs?: number
}

export type AggregateProgram = {
  /** What `aggregation` was made from. */
  readonly spec: AggregationSpec
  readonly aggregation: Aggregation
  /** Column of the input; null when the aggregation counts events. */
  readonly input: number | null
  /** Boolean column; only true counts. Null: every event. */
  readonly filter: number | null
  /** Index into `windows`. */
  readonly window: number
  /** Whether null inputs are added too; otherwise they are skipped. */
  readonly takesNull: boolean
}

/**
 * How the events before a view's floor are kept where every bounded window is a sawtooth: per hop, one tile for each
 * multiple of the hop, with the partial aggregates of the events in it (`tiling.ts`).
 */
export type Tiling = {
  readonly hops: readonly TiledHop[]
  /** By aggregate of the program: where its partial aggregates lie; null for a lifetime. */
  readonly places: readonly (TilePlace | null)[]
}

export type TiledHop = {
  readonly hopMs: number
  /** The longest `offset + length` among the windows of this hop. */
  readonly reachMs: number
  /** What a tile holds: one partial aggregate for each. Windows of one hop share it where they aggregate the same. */
  readonly channels: readonly AggregateProgram[]
}

export type TilePlace = { readonly hop: number; readonly channel: number }
