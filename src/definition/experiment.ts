import type { Duration } from '../base/duration.ts'
import type { Model } from './declared-model.ts'
import type { Stream } from './stream.ts'

/** An experiment as its author declared it; `plan/experiment-plan.ts` checks it. */
export interface Experiment<Name extends string = string> {
  readonly type: 'experiment'
  readonly name: Name
  readonly unit: string
  /** The first is the control: it serves whoever is in no arm. */
  readonly arms: readonly ExperimentArm[]
  readonly salt: string
  readonly layer: ExperimentLayer | null
  readonly overrides: Readonly<Record<string, string | null>>
  readonly shadows: readonly Model[]
  readonly canary: Canary | null
  readonly outcome: ExperimentOutcome | null
  /** The stream whose events are scored as they arrive, each by the model of its subject's arm; null: none. */
  readonly score: { readonly on: Stream } | null
}

export type ExperimentArm = {
  readonly name: string
  readonly model: Model
  /** Hundredths of the subjects. */
  readonly share: number
}

export type ExperimentLayer = { readonly name: string; readonly from: number; readonly to: number }

/** When an arm other than the control is stopped by itself: its subjects are served by the control from then on. */
export type Canary = {
  /** Share of its newest answers that may have failed: 0.05 is one in twenty. */
  readonly failedMax?: number
  /** What 95 of a hundred of its newest answers have to be within. */
  readonly latencyMsMax?: number
}

/** What counts as success: events of a stream that name the subject, within some time of its first prediction. */
export type ExperimentOutcome = {
  readonly on: Stream
  /** The field that names the subject. */
  readonly unit: string
  /** A boolean field that has to be true; null: any event counts. */
  readonly converted: string | null
  readonly horizon: string
  /** The size of the lift that is looked for: 0.01 is one in a hundred. The comparison is valid for all, and quickest for this. */
  readonly lift: number
}

export interface ExperimentOptions<Arms extends Readonly<Record<string, Model>>> {
  /** The join key, or the member of a request, that names a subject: whoever it names stays in one arm. */
  readonly unit: string
  /** The first is the control. */
  readonly arms: Arms
  /**
   * Hundredths of the subjects by arm; who is left over is in no arm. The others take the buckets from 0 on, in order,
   * and the control those after them. Default: equal shares.
   */
  readonly shares?: { readonly [K in keyof Arms]: number }
  /** Put before the id. Give each experiment its own, or the second only sees what the first made of its subjects. */
  readonly salt?: string
  /** Experiments of one layer never share a subject: each has its own part of the layer's hundred buckets. */
  readonly layer?: ExperimentLayer
  /** Subjects whose arm is fixed, whatever their bucket; null: in none. */
  readonly overrides?: Readonly<Record<string, (keyof Arms & string) | null>>
  /** Run for each subject beside its arm, logged and not served. */
  readonly shadows?: readonly Model[]
  readonly canary?: Canary
  /**
   * Score each accepted event of a stream as it arrives, by the model of its subject's arm; `unit` is a field of it. Its
   * models then need no `score` of their own: with one, they score the event as well.
   */
  readonly score?: { readonly on: Stream }
  readonly outcome?: {
    readonly on: Stream
    readonly unit: string
    readonly converted?: string
    readonly horizon: Duration
    /** The size of the lift that is looked for; the comparison is quickest for this. Default 0.01, one in a hundred. */
    readonly lift?: number
  }
}

/** `experiment('checkout', { unit: 'user', arms: { control: champion, treatment: challenger }, … })` */
export function experiment<const Name extends string, const Arms extends Readonly<Record<string, Model>>>(
  name: Name,
  options: ExperimentOptions<Arms>,
): Experiment<Name> {
  const names = Object.keys(options.arms)
  const equal = Math.floor(100 / names.length)
  const shareOf = (arm: string, index: number): number =>
    options.shares?.[arm] ?? (index === 0 ? 100 - equal * (names.length - 1) : equal)
  const { outcome } = options
  return Object.freeze({
    type: 'experiment',
    name,
    unit: options.unit,
    arms: Object.freeze(
      names.map((arm, index) => Object.freeze({ name: arm, model: options.arms[arm]!, share: shareOf(arm, index) })),
    ),
    salt: options.salt ?? '',
    layer: options.layer === undefined ? null : Object.freeze({ ...options.layer }),
    overrides: Object.freeze({ ...options.overrides }),
    shadows: Object.freeze([...(options.shadows ?? [])]),
    score: options.score === undefined ? null : Object.freeze({ on: options.score.on }),
    canary: options.canary === undefined ? null : Object.freeze({ ...options.canary }),
    outcome:
      outcome === undefined
        ? null
        : Object.freeze({ ...outcome, converted: outcome.converted ?? null, lift: outcome.lift ?? 0.01 }),
  })
}

/** Finds the experiments among the exports of a module. */
export function isExperiment(value: unknown): value is Experiment {
  return value !== null && typeof value === 'object' && 'type' in value && value.type === 'experiment'
}
