import { MillraceError } from '../base/faults.ts'
import { formatDuration } from '../base/duration.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import { type KeyState, readableFrom } from '../kernel/key-state.ts'
import { newestBefore, readAggregates } from '../kernel/read.ts'
import { formatInstant } from '../schema/instant.ts'
import type { ViewPlan } from './plan.ts'

/** How a value came about. `NOT_FOUND`: the key has no event before the instant. */
export type FeatureStatus = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE'

/** The features of one view as of an instant, in declared order. */
export type FinishedView = {
  readonly values: readonly FeatureValue[]
  readonly status: readonly FeatureStatus[]
  /** From the key's newest event before the instant up to it; null without one. */
  readonly ageMs: number | null
}

/** Reads a key's state as of `t`. Null: the key has none. Throws `AS_OF_TOO_OLD`. */
export function readView(view: ViewPlan, state: KeyState | null, t: number): FinishedView {
  if (state === null || state.newest < 0) return finishView(view, { aggregates: null, newest: -1, t })
  if (t < readableFrom(view.program, state)) {
    throw new MillraceError('AS_OF_TOO_OLD', {
      view: view.name,
      horizon: formatDuration(view.program.horizonMs),
      newest: formatInstant(state.newest),
      asOf: formatInstant(t),
    })
  }
  return finishView(view, { aggregates: readAggregates(view.program, state, t), newest: newestBefore(state, t), t })
}

/** What the kernel found, as the view's features: the one way by which stream, serving and training finish a value. */
export function finishView(
  view: ViewPlan,
  { aggregates, newest, t }: { aggregates: readonly FeatureValue[] | null; newest: number; t: number },
): FinishedView {
  if (newest < 0 || aggregates === null) {
    return { values: view.empty, status: view.features.map(() => 'NOT_FOUND'), ageMs: null }
  }
  const ageMs = t - newest
  if (view.ttlMs !== null && ageMs > view.ttlMs) {
    return { values: view.empty, status: view.features.map(() => 'OUTSIDE_MAX_AGE'), ageMs }
  }
  const values = view.finish(aggregates)
  return { values, status: values.map((value) => (value === null ? 'NULL_VALUE' : 'PRESENT')), ageMs }
}
