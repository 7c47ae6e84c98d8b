import type { ViewProgram } from '../kernel/program.ts'
import { instantMsEnd } from '../schema/instant.ts'
import type { FeatureStatus, FinishedView } from './finish-view.ts'
import type { StreamPlan, ViewPlan } from './plan.ts'

/** Every event that ever was is in what a state was built from. */
export const coveredFromTheStart = Number.NEGATIVE_INFINITY

/** What a state was built from, as far as it decides which past the state knows. */
export type Coverage = {
  /** Null: the live topic was read from its first record on, so nothing of it is missing. */
  readonly live: FirstRetained | null
  /** Whether the stream's history is complete and was taken in. Says nothing for a stream without one. */
  readonly historyComplete: boolean
}

/**
 * Where the reading of the live topic began, when retention had removed what came before: the highest timestamp of the
 * partitions' first records that were left. Null: of some partition there was none left to tell.
 */
export type FirstRetained = { readonly timestampMs: number | null }

/**
 * First instant from which on a state knows every event.
 *
 * A record that retention removed was produced no later than the first one that is left, and no event is further ahead
 * of its record than `future`. (A producer whose clock went back between the two could break that.) What was removed
 * from before the hand-over point is not missing: files have it.
 */
export function coveredFrom({ history, rules }: StreamPlan, { live, historyComplete }: Coverage): number {
  const liveFrom = live === null ? coveredFromTheStart : (live.timestampMs ?? instantMsEnd) + rules.futureMs + 1
  if (history === null || liveFrom > history.untilMs) return liveFrom
  return historyComplete ? (history.fromMs ?? coveredFromTheStart) : history.untilMs
}

export type CoveredRead = {
  readonly t: number
  /** First instant from which on every event is known. */
  readonly coveredFrom: number
}

/**
 * What was read, with `WARMING` where an event that is not known could make it another value. In this order, the first
 * that holds:
 *
 * 1. `OUTSIDE_MAX_AGE`: the newest event is older than the ttl, and everything within the ttl is covered.
 * 2. `WARMING`: a window of the feature reaches before what is covered; or the newest event that is known is older than
 *    the ttl, which a newer one that is not known would change.
 * 3. `NOT_FOUND`, `NULL_VALUE`, `PRESENT`.
 *
 * A lifetime window warms until everything is covered; that of a row feature only until the key's newest event lies in
 * what is covered, for no unknown event is newer. Values stay as they are.
 */
export function withCoverage(view: ViewPlan, finished: FinishedView, read: CoveredRead): FinishedView {
  if (read.coveredFrom === coveredFromTheStart) return finished
  const warming = warmingFeatures(view, finished, read)
  if (!warming.includes(true)) return finished
  return { ...finished, status: finished.status.map((status, index) => (warming[index] === true ? 'WARMING' : status)) }
}

function warmingFeatures(
  view: ViewPlan,
  { status, ageMs }: FinishedView,
  { t, coveredFrom: from }: CoveredRead,
): boolean[] {
  if (isOutside(status)) {
    const freshFrom = t - (view.ttlMs ?? 0)
    return view.features.map(() => freshFrom < from)
  }
  const newestIsCovered = ageMs !== null && t - ageMs >= from
  const reaching = view.program.windows.map(
    ({ lengthMs, offsetMs }) => lengthMs === null || t - offsetMs - lengthMs < from,
  )
  return view.features.map(({ aggregates }) =>
    aggregates.some((slot) => {
      const { window } = view.program.aggregates[slot]!
      return reaching[window] === true && !(newestIsCovered && isOfNewest(view.program, slot))
    }),
  )
}

function isOutside([first]: readonly FeatureStatus[]): boolean {
  return first === 'OUTSIDE_MAX_AGE'
}

/** Whether an aggregate looks at the newest event only, whatever that holds. */
function isOfNewest({ aggregates }: ViewProgram, slot: number): boolean {
  const { aggregation, filter } = aggregates[slot]!
  return aggregation.name === 'latest' && filter === null
}
