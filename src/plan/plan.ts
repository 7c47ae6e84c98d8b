import type { Action } from '../definition/action.ts'
import type { Definition } from '../definition/definition.ts'
import type { ColumnValue, FeatureValue } from '../kernel/aggregation.ts'
import type { KernelEvent } from '../kernel/event-columns.ts'
import type { ViewProgram } from '../kernel/program.ts'
import type { VerdictRules } from '../kernel/verdict.ts'
import type { Row } from '../schema/decode.ts'
import type { Evaluator } from '../schema/evaluate.ts'
import type { Field, Fields } from '../schema/field.ts'
import type { ValueType } from '../schema/value-type.ts'
import type { EventFormat } from './event-format.ts'

/** A checked, named, compiled set of definitions. Building one does nothing but compute. */
export type Plan = {
  /** Over the definitions and everything else a value depends on: kernel version, time-zone data where used. */
  readonly hash: string
  /** What it was compiled from. */
  readonly definitions: readonly Definition[]
  readonly streams: readonly StreamPlan[]
  readonly views: readonly ViewPlan[]
  readonly services: readonly ServicePlan[]
  readonly actions: readonly ActionPlan[]
}

export type StreamPlan = {
  readonly name: string
  /** Of everything its verdicts depend on, and not of its name. */
  readonly fingerprint: string
  readonly topic: string
  readonly fields: Fields
  readonly format: EventFormat
  /** Indexes into a row. */
  readonly time: number
  readonly id: number | null
  /** What places an event in a partition: the first of these columns with a value; without one, the raw bytes. */
  readonly placement: readonly number[]
  /** Columns whose text is kept as an id or a key, and so is bounded in length. */
  readonly keyColumns: readonly number[]
  /** An event further than `futureMs` ahead of its record's own timestamp is refused. */
  readonly rules: VerdictRules & { readonly futureMs: number }
  /** The past that comes from files; null: there is none. */
  readonly history: HistoryPlan | null
  /** Null: records are kept for ever, or as whoever created the topic said. No verdict depends on it. */
  readonly retention: RetentionPlan | null
  /** How many remembered ids are forgotten together, a power of two. No verdict depends on it. Default: `chunkEntries`. */
  readonly idChunk?: number
  readonly views: readonly ViewPlan[]
}

/** The part of a stream's past that comes from files: every instant before the hand-over point. */
export type HistoryPlan = {
  /** Holds the events of the files, as they would have come. */
  readonly topic: string
  /** First instant of which the files have all events; null: they begin with the first event that ever was. */
  readonly fromMs: number | null
  /** The hand-over point: events before it come from files, the others from the stream's own topic. */
  readonly untilMs: number
}

/** How long the topic of a stream keeps its records. */
export type RetentionPlan = {
  readonly keepMs: number
  /**
   * What a state is worth that is built from what the log still holds: `exact`, or `warming` until its windows are
   * covered, which a lifetime never is.
   */
  readonly rebuild: 'exact' | 'warming'
}

/** An accepted event: what is folded into every view of its stream. */
export type AcceptedEvent = {
  readonly row: Row
  readonly ts: number
  readonly tie: string | number
  /** The keys in the row that are pseudonyms of forgotten entities; left out where there are none. */
  readonly erased?: readonly ErasedKey[]
}

/** A forgotten entity of an event. One event may name an entity twice, as who pays and who is paid. */
export type ErasedKey = {
  readonly entity: string
  /** Where the raw event had the join keys, in their declared order. */
  readonly paths: readonly string[]
}

export type Projected =
  | { readonly outcome: 'applied'; readonly key: Uint8Array; readonly event: KernelEvent }
  | { readonly outcome: 'filtered' | 'unkeyed' }

export type ViewPlan = {
  readonly name: string
  /** Of everything its states depend on, its stream's fingerprint included, and not of names. */
  readonly fingerprint: string
  readonly stream: string
  readonly entity: string
  /** Join keys in declared order. */
  readonly keys: readonly KeyColumn[]
  readonly program: ViewProgram
  readonly features: readonly FeaturePlan[]
  readonly ttlMs: number | null
  /** When finished values go out to the topic `feature-events.<view>`; null: never. No state depends on it. */
  readonly emit: EmitPlan | null
  /** The values of a key without events. */
  readonly empty: readonly FeatureValue[]
  readonly projection: Projection
  /** From an accepted event to the view's key and columns: `projection`, one event at a time. */
  project(event: AcceptedEvent): Projected
  /** From the values of the program's aggregates to those of the features. */
  finish(aggregates: readonly FeatureValue[]): FeatureValue[]
}

/**
 * After each applied event; or at the multiples of an interval of event time, for the keys with an event in it. There
 * a silent partition is waited for until others are `idleMs` ahead of it, by the records' own timestamps.
 */
export type EmitPlan =
  | { readonly per: 'event' }
  | { readonly per: 'interval'; readonly everyMs: number; readonly idleMs: number }

/** How a row reaches a view. */
export type Projection = {
  /** Row indexes of the join keys, in declared order; a null there makes the event unkeyed. */
  readonly keys: readonly number[]
  /** Only rows for which this is true; null: all. */
  readonly where: ((row: Row) => unknown) | null
  readonly columns: readonly ((row: Row) => ColumnValue)[]
  /** Row index of each column that is a field as it stands; null for one that is computed. */
  readonly fields: readonly (number | null)[]
  /** Row indexes that `where` and the computed columns read. */
  readonly reads: readonly number[]
}

export type KeyColumn = {
  readonly name: string
  readonly field: Field
  readonly column: string
  /** Where the raw event has it. */
  readonly path: string
}

export type FeaturePlan = {
  readonly name: string
  readonly type: ValueType
  readonly nullable: boolean
  /** As a reader understands it: `mean(amount) over 30d`. */
  readonly text: string
  /** The aggregates it is made of, as indexes into the program. */
  readonly aggregates: readonly number[]
  /** The aggregate whose value it is as it stands; null when it is computed. */
  readonly slot: number | null
}

export type ServicePlan = { readonly name: string; readonly views: readonly ViewPlan[] }

/** What is done about predictions, checked. */
export type ActionPlan = {
  readonly name: string
  /** Of all that it is, its name included: another rule is another fingerprint. */
  readonly fingerprint: string
  readonly model: string
  /** What of a prediction the rule sees, by name. */
  readonly fields: Fields
  /** The rule as a reader understands it. */
  readonly text: string
  readonly when: Evaluator<PredictionRow>
  readonly to: ActionTarget
  readonly definition: Action
}

/** By the names of `ActionPlan.fields`; instants in epoch milliseconds. */
export type PredictionRow = Readonly<Record<string, string | number | boolean | null>>

export type ActionTarget = { readonly type: 'topic'; readonly topic: string } | WebhookPlan

export type WebhookPlan = {
  readonly type: 'webhook'
  readonly url: string
  /** The environment variable that holds the secret. */
  readonly secretFrom: string
  readonly perSecond: number
  readonly atOnce: number
  readonly attempts: number
  readonly timeoutMs: number
  readonly withinMs: number
}
