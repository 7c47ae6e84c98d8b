import type { Aggregation, FeatureValue } from './aggregation.ts'
import { type EventColumns, lowerBound } from './event-columns.ts'
import type { AggregateProgram, ViewProgram, WindowProgram } from './program.ts'
import { windowEnd, windowStart } from './window.ts'

/** The raw events of a window as of an instant: `[low, high)`. */
export type IndexRange = { low: number; high: number }

/** The values of a key that has no events. */
export function emptyAggregates(program: ViewProgram): FeatureValue[] {
  return program.aggregates.map(({ aggregation }) => aggregation.value(aggregation.zero()))
}

export function rangeOf(ts: readonly number[], window: WindowProgram, t: number): IndexRange {
  const low = lowerBound(ts, windowStart(window, t))
  return { low, high: lowerBound(ts, windowEnd(window, t), low) }
}

/** Adds the events of a range to a partial aggregate. */
export function addRange(
  aggregate: AggregateProgram,
  partial: unknown,
  events: EventColumns,
  range: IndexRange,
): unknown {
  let state = partial
  for (let index = range.low; index < range.high; index++) state = addAt(aggregate, state, events, index)
  return state
}

/** Adds one event, if the aggregate's filter and its rule for null let it in. */
export function addAt(aggregate: AggregateProgram, partial: unknown, events: EventColumns, index: number): unknown {
  if (!isIncluded(aggregate, events, index)) return partial
  const { aggregation, input } = aggregate
  return aggregation.add(partial, input === null ? null : events.columns[input]![index]!, orderAt(events, index))
}

/** Takes one event back, if it was let in. */
export function removeAt(
  aggregate: AggregateProgram,
  remove: NonNullable<Aggregation['remove']>,
  { partial, events, index }: { partial: unknown; events: EventColumns; index: number },
): unknown {
  if (!isIncluded(aggregate, events, index)) return partial
  const { input } = aggregate
  return remove(partial, input === null ? null : events.columns[input]![index]!, orderAt(events, index))
}

function isIncluded(aggregate: AggregateProgram, events: EventColumns, index: number): boolean {
  const { filter, input, takesNull } = aggregate
  if (filter !== null && events.columns[filter]![index] !== true) return false
  return input === null || takesNull || events.columns[input]![index] !== null
}

// Aggregations that look at the order copy it; the others never touch it. One object serves all calls.
const order = { ts: 0, tie: 0 as string | number }

function orderAt(events: EventColumns, index: number): typeof order {
  order.ts = events.ts[index]!
  if (events.ties !== null) order.tie = events.ties[index]!
  return order
}
