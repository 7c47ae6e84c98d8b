import { MillraceError } from '../base/faults.ts'
import { formatDuration } from '../base/duration.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { KernelEvent } from '../kernel/event-columns.ts'
import { type KeyState, newestBefore, readableFrom } from '../kernel/key-state.ts'
import { readAggregates } from '../kernel/read-state.ts'
import { formatInstant } from '../schema/instant.ts'
import type { ViewPlan } from './plan.ts'

/**
 * How a value came about. `NOT_FOUND`: the key has no event before the instant. `WARMING`: there may be events that are
 * not known and would make it another value (`coverage.ts`, which says which status goes before which).
 */
export type FeatureStatus = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE' | 'WARMING'

/** The features of one view as of an instant, in declared order. */
export type FinishedView = {
  readonly values: readonly FeatureValue[]
  readonly status: readonly FeatureStatus[]
  /** From the key's newest event before the instant up to it; null without one. */
  readonly ageMs: number | null
}

/** What the kernel found in the events of a key before `t`. `newest` is the time of the last of them, -1 without one. */
export type Found = { readonly aggregates: readonly FeatureValue[] | null; readonly newest: number; readonly t: number }

/** An instant, and an event that counts as if it had been applied too. */
export type StateRead = { readonly t: number; readonly extra: KernelEvent | null }

/** Reads a key's state as of `t`. Null: the key has none. Throws `AS_OF_TOO_OLD`. */
export function readView(view: ViewPlan, state: KeyState | null, t: number): FinishedView {
  return finishView(view, findInState(view, state, { t, extra: null }))
}

/** What a key's state holds before an instant, not yet finished. Null: the key has none. Throws `AS_OF_TOO_OLD`. */
export function findInState(view: ViewPlan, state: KeyState | null, { t, extra }: StateRead): Found {
  const newest = Math.max(state?.newest ?? -1, extra?.ts ?? -1)
  if (newest < 0) return { aggregates: null, newest, t }
  if (t < readableFrom(view.program, { newest })) {
    throw new MillraceError('AS_OF_TOO_OLD', {
      view: view.name,
      horizon: formatDuration(view.program.horizonMs),
      newest: formatInstant(newest),
      asOf: formatInstant(t),
    })
  }
  const aggregates = readAggregates(view.program, state, t, extra)
  const before = state === null ? -1 : newestBefore(state, t)
  return { aggregates, newest: extra !== null && extra.ts < t ? Math.max(before, extra.ts) : before, t }
}

/** What the kernel found, as the view's features: the one way by which stream, serving and training finish a value. */
export function finishValues(view: ViewPlan, { aggregates, newest, t }: Found): readonly FeatureValue[] {
  if (newest < 0 || aggregates === null || isTooOld(view, t - newest)) return view.empty
  return view.finish(aggregates)
}

export function finishView(view: ViewPlan, found: Found): FinishedView {
  const values = finishValues(view, found)
  if (found.newest < 0 || found.aggregates === null) {
    return { values, status: view.features.map(() => 'NOT_FOUND'), ageMs: null }
  }
  const ageMs = found.t - found.newest
  if (isTooOld(view, ageMs)) return { values, status: view.features.map(() => 'OUTSIDE_MAX_AGE'), ageMs }
  return { values, status: values.map((value) => (value === null ? 'NULL_VALUE' : 'PRESENT')), ageMs }
}

/** Whether the newest event is older than the ttl: then the view reads as without events. */
export function isTooOld({ ttlMs }: ViewPlan, ageMs: number): boolean {
  return ttlMs !== null && ageMs > ttlMs
}
