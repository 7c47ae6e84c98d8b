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
  const { low, high } = reading
  let to = spans.length
  while (to > 0 && spans[to - 1]!.opener.ts >= high) to -= 1
  if (to > 0 && spans[to - 1]!.newest >= high) addInside(store, reading, spans[--to]!)
  let from = to
  while (from > 0 && spans[from - 1]!.opener.ts >= low) from -= 1
  if (from < to && !isFull(reading) && !addRun(store, reading, { spans, from, to })) {
    for (let index = to - 1; index >= from && !isFull(reading); index--) addWhole(store, reading, spans[index]!)
  }
  if (from > 0 && !isFull(reading)) addInside(store, reading, spans[from - 1]!)
}

type Run = { readonly spans: readonly Span[]; readonly from: number; readonly to: number }

/**
 * Adds neighbouring whole spans. Says false, and adds nothing, when the partial of one is not kept.
 *
 * Windows that slide begin somewhere else each time and end at the same span for long. So what lies from every eighth
 * span on up to that end is remembered, and a read adds one such partial and up to seven spans before it.
 */
function addRun(store: SpanStore, reading: RangeReading, { spans, from, to }: Run): boolean {
  const { aggregate, channel } = reading
  const { aggregation } = aggregate
  const first = Math.min(Math.ceil(from / marked) * marked, to)
  const own: unknown[] = []
  for (let index = first - 1; index >= from; index--) {
    const partial = store.partialOf(spans[index]!, channel)
    if (partial === undefined) return false
    own.push(partial)
  }
  if (first < to) {
    const partial = markAt(store, reading, { spans, from: first, to })
    if (partial === undefined) return false
    reading.partial = aggregation.merge(reading.partial, partial)
  }
  for (const partial of own) reading.partial = aggregation.merge(reading.partial, partial)
  return true
}

const marked = 8

/** The partial of all from a marked span on; undefined when that of one is not kept. Never to be changed. */
function markAt(store: SpanStore, { aggregate, channel }: RangeReading, { spans, from, to }: Run): unknown {
  const { aggregation } = aggregate
  const all = store.marksOf(spans)
  if (all[channel]?.to !== to) all[channel] = { to, partials: [], broken: false }
  const marks = all[channel]
  if (marks.broken) return undefined
  let start = from
  while (start < to && marks.partials[start / marked] === undefined) start += marked
  let partial = start < to ? marks.partials[start / marked] : aggregation.zero()
  for (let index = Math.min(start, to) - 1; index >= from; index--) {
    // A mark stands for what was merged so far: the next span goes into a copy.
    if (index % marked === marked - 1) partial = aggregation.merge(aggregation.zero(), partial)
    const own = store.partialOf(spans[index]!, channel)
    if (own === undefined) {
      marks.broken = true
      return undefined
    }
    partial = aggregation.merge(partial, own)
    if (index % marked === 0) marks.partials[index / marked] = partial
  }
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
