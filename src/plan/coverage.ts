import type { ViewProgram } from '../kernel/program.ts'
import { windowStart } from '../kernel/window.ts'
import { instantMsEnd } from '../schema/instant.ts'
import type { FinishedView } from './finish-view.ts'
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

/** What of a log tells where its topics begin by now. */
export type LogStarts = {
  start(topic: string, partition: number): number
  end(topic: string, partition: number): number
  read(
    topic: string,
    partition: number,
    offset: number,
    bytesMax: number,
  ): Promise<{ readonly records: readonly { readonly timestampMs: number }[]; readonly next: number }>
}

/** Where the reading of a topic begins that starts now; null: at its very first records. */
export async function firstRetained(log: LogStarts, topic: string, partitions: number): Promise<FirstRetained | null> {
  let newestMs: number | null = null
  for (let partition = 0; partition < partitions; partition++) {
    const start = log.start(topic, partition)
    if (start === 0) continue
    const first = await firstRecord(log, topic, partition)
    if (first === null) return { timestampMs: null }
    newestMs = Math.max(newestMs ?? 0, first.timestampMs)
  }
  return newestMs === null ? null : { timestampMs: newestMs }
}

async function firstRecord(log: LogStarts, topic: string, partition: number): Promise<{ timestampMs: number } | null> {
  for (let offset = log.start(topic, partition); offset < log.end(topic, partition); ) {
    const { records, next } = await log.read(topic, partition, offset, 1)
    if (records[0] !== undefined) return records[0]
    offset = next
  }
  return null
}

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
export function withCoverage(view: ViewPlan, finished: FinishedView, { t, coveredFrom }: CoveredRead): FinishedView {
  if (coveredFrom === coveredFromTheStart) return finished
  const newest = finished.ageMs === null ? -1 : t - finished.ageMs
  const warming = warmingFeatures(view, newest, { t, coveredFrom })
  if (!warming.includes(true)) return finished
  return { ...finished, status: finished.status.map((status, index) => (warming[index] === true ? 'WARMING' : status)) }
}

/** Whether any feature of a view is `WARMING`. `newest`: time of the key's newest event before the instant, or -1. */
export function isWarming(view: ViewPlan, newest: number, read: CoveredRead): boolean {
  return read.coveredFrom !== coveredFromTheStart && warmingFeatures(view, newest, read).includes(true)
}

function warmingFeatures(view: ViewPlan, newest: number, { t, coveredFrom }: CoveredRead): boolean[] {
  const { program, ttlMs, features } = view
  if (newest >= 0 && ttlMs !== null && t - newest > ttlMs) return features.map(() => t - ttlMs < coveredFrom)
  const reaching = program.windows.map((window) => windowStart(window, t) < coveredFrom)
  return features.map(({ aggregates }) =>
    aggregates.some((slot) => {
      const { window } = program.aggregates[slot]!
      return reaching[window] === true && !(newest >= coveredFrom && isOfNewest(program, slot))
    }),
  )
}

/** Whether an aggregate looks at the newest event only, whatever that holds. */
function isOfNewest({ aggregates }: ViewProgram, slot: number): boolean {
  const { aggregation, filter } = aggregates[slot]!
  return aggregation.name === 'latest' && filter === null
}
