import { type EventColumns, lowerBound } from '../event-columns.ts'
import type { AggregateProgram } from '../program.ts'
import { addRange } from '../read.ts'
import type { Span } from './span.ts'
import type { SpanStore } from './span-store.ts'

/** Events with `low <= ts < high` on their way into a partial aggregate, the newest first. */
export type RangeReading = {
  readonly aggregate: AggregateProgram
  readonly channel: number
  readonly low: number
  readonly high: number
  partial: unknown
}

export function isFull({ aggregate, partial }: RangeReading): boolean {
  return aggregate.aggregation.isFull?.(partial) === true
}

/** Whole spans by their partial; down into those at the two ends, and into those whose partial is not kept. */
export function addSpans(store: SpanStore, reading: RangeReading, spans: readonly Span[]): void {
  const { low, high, aggregate } = reading
  let to = spans.length
  while (to > 0 && spans[to - 1]!.opener.ts >= high) to -= 1
  if (to > 0 && spans[to - 1]!.newest >= high) addInside(store, reading, spans[--to]!)
  let from = to
  while (from > 0 && spans[from - 1]!.opener.ts >= low) from -= 1
  if (from < to && !isFull(reading)) {
    const run = runOf(store, reading, { spans, from, to })
    if (run !== undefined) reading.partial = aggregate.aggregation.merge(reading.partial, run)
    else for (let index = to - 1; index >= from && !isFull(reading); index--) addWhole(store, reading, spans[index]!)
  }
  if (from > 0 && !isFull(reading)) addInside(store, reading, spans[from - 1]!)
}

type Run = { readonly spans: readonly Span[]; readonly from: number; readonly to: number }

/** The partial of neighbouring whole spans; undefined when that of one is not kept. The last one asked for is kept. */
function runOf(store: SpanStore, { aggregate, channel }: RangeReading, { spans, from, to }: Run): unknown {
  const runs = store.runsOf(spans)
  const known = runs[channel]
  if (known?.from === from && known.to === to) return known.partial
  const { aggregation } = aggregate
  let partial = aggregation.zero()
  for (let index = to - 1; index >= from && aggregation.isFull?.(partial) !== true; index--) {
    const own = store.partialOf(spans[index]!, channel)
    if (own === undefined) return undefined
    partial = aggregation.merge(partial, own)
  }
  runs[channel] = { from, to, partial }
  return partial
}

function addWhole(store: SpanStore, reading: RangeReading, span: Span): void {
  const partial = store.partialOf(span, reading.channel)
  if (partial === undefined) addInside(store, reading, span)
  else reading.partial = reading.aggregate.aggregation.merge(reading.partial, partial)
}

function addInside(store: SpanStore, reading: RangeReading, span: Span): void {
  if (span.newest < reading.low || span.opener.ts >= reading.high) return
  if (span.level === 1) addEvents(reading, store.eventsOf(span))
  else addSpans(store, reading, store.childrenOf(span))
}

export function addEvents(reading: RangeReading, events: EventColumns): void {
  const low = lowerBound(events.ts, reading.low)
  const high = lowerBound(events.ts, reading.high, low)
  reading.partial = addRange(reading.aggregate, reading.partial, events, { low, high })
}

/** Events of the spans with `ts < t`. */
export function countBefore(store: SpanStore, spans: readonly Span[], t: number): number {
  let count = 0
  for (const span of spans) {
    if (span.opener.ts >= t) return count
    if (span.newest < t) count += span.count
    else if (span.level === 1) count += lowerBound(store.eventsOf(span).ts, t)
    else count += countBefore(store, store.childrenOf(span), t)
  }
  return count
}

/** Time of the newest event before `t`; -1 without one. */
export function newestOf(store: SpanStore, spans: readonly Span[], t: number): number {
  for (let index = spans.length - 1; index >= 0; index--) {
    const span = spans[index]!
    if (span.opener.ts >= t) continue
    if (span.newest < t) return span.newest
    if (span.level > 1) return newestOf(store, store.childrenOf(span), t)
    const { ts } = store.eventsOf(span)
    return ts[lowerBound(ts, t) - 1]!
  }
  return -1
}

/** The pages from the one that holds `low` on, in order. */
export function* pagesFrom(store: SpanStore, spans: readonly Span[], low: number): Generator<EventColumns> {
  for (const span of spans) {
    if (span.newest < low) continue
    if (span.level === 1) yield store.eventsOf(span)
    else yield* pagesFrom(store, store.childrenOf(span), low)
  }
}
