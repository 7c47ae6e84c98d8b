import type { ColumnType, ColumnValue, FeatureValue } from '../kernel/aggregation.ts'
import { compareTies, insertEvent, lowerBound, makeEventColumns } from '../kernel/event-columns.ts'
import { addRange, rangeOf } from '../kernel/read.ts'
import { windowEnd, windowStart } from '../kernel/window.ts'
import { coveredFromTheStart, withCoverage } from '../plan/coverage.ts'
import { isErased } from '../plan/erasure.ts'
import { finishView, type FeatureStatus } from '../plan/finish-view.ts'
import { undeclared } from '../plan/find.ts'
import type { Forgotten } from '../plan/forgotten.ts'
import type { AcceptedEvent, ViewPlan } from '../plan/plan.ts'
import type { Coordinates, History, HistorySummary } from './history.ts'

/** How one value of one entity came about: recomputed from the log, for any instant however old. */
export type ValueExplanation = {
  readonly view: string
  readonly feature: string
  readonly text: string
  readonly asOf: number
  readonly value: FeatureValue
  readonly status: FeatureStatus
  readonly aggregates: readonly AggregateExplanation[]
  readonly history: HistorySummary
}

export type AggregateExplanation = {
  readonly name: string
  /** First instant inside the window; null: since the first event. */
  readonly from: number | null
  /** First instant after the window. */
  readonly to: number
  readonly value: FeatureValue
  /** The events that the aggregation took in, in order. */
  readonly events: readonly ContributingEvent[]
}

export type ContributingEvent = {
  readonly ts: number
  readonly tie: string | number
  readonly input: ColumnValue
  readonly source: Coordinates
}

export type ExplainRequest = {
  readonly view: ViewPlan
  readonly feature: string
  /** Encoded join keys. */
  readonly key: Uint8Array
  readonly asOf: number
  readonly forgotten: Forgotten
}

/** Reads the whole history and keeps the events of one key. */
export async function explainValue(
  request: ExplainRequest,
  history: History,
  onRead: (count: number) => void,
): Promise<ValueExplanation> {
  const { view, asOf } = request
  const index = featureIndex(request)
  const events: { event: AcceptedEvent; source: Coordinates; values: readonly ColumnValue[] }[] = []
  const summary = await history.read((event, source) => {
    if (event.ts >= asOf) return
    const projected = view.project(event)
    if (projected.outcome !== 'applied' || Buffer.compare(projected.key, request.key) !== 0) return
    const { place: topic, partition, offset } = source
    if (isErased(view, event) || request.forgotten.covers(view.entity, projected.key, { topic, partition, offset }))
      return
    events.push({ event, source: { ...source }, values: projected.event.values })
  }, onRead)

  const { program } = view
  const columns = makeEventColumns(program.columns.length, program.keepsTies)
  events.sort((a, b) => a.event.ts - b.event.ts || compareTies(a.event.tie, b.event.tie))
  for (const { event, values } of events) insertEvent(columns, { ts: event.ts, tie: event.tie, values })
  const values = program.aggregates.map((aggregate) => {
    const range = rangeOf(columns.ts, program.windows[aggregate.window]!, asOf)
    return aggregate.aggregation.value(addRange(aggregate, aggregate.aggregation.zero(), columns, range))
  })
  const newest = columns.ts[lowerBound(columns.ts, asOf) - 1] ?? -1
  const finished = withCoverage(view, finishView(view, { aggregates: values, newest, t: asOf }), {
    t: asOf,
    coveredFrom: summary.coveredFromMs ?? coveredFromTheStart,
  })
  const plan = view.features[index]!
  return {
    view: view.name,
    feature: plan.name,
    text: plan.text,
    asOf,
    value: finished.values[index]!,
    status: finished.status[index]!,
    aggregates: plan.aggregates.map((slot) => explainAggregate(slot)),
    history: summary,
  }

  function explainAggregate(slot: number): AggregateExplanation {
    const { aggregation, input, filter, window, takesNull } = program.aggregates[slot]!
    const bounds = program.windows[window]!
    const to = windowEnd(bounds, asOf)
    const from = bounds.lengthMs === null ? null : windowStart(bounds, asOf)
    const contributing = events.filter(
      ({ event, values: own }) =>
        event.ts < to &&
        (from === null || event.ts >= from) &&
        (filter === null || own[filter] === true) &&
        (input === null || takesNull || own[input] !== null),
    )
    return {
      name: aggregation.name,
      from,
      to,
      value: values[slot]!,
      events: contributing.map(({ event, source, values: own }) => ({
        ts: event.ts,
        tie: event.tie,
        input: input === null ? null : plainValue(program.columns[input]!, own[input]!),
        source,
      })),
    }
  }
}

/** A decimal as its author writes it, not as its scaled integer. */
function plainValue(type: ColumnType, value: ColumnValue): ColumnValue {
  return type.kind === 'decimal' && typeof value === 'number' ? value / 10 ** type.scale : value
}

function featureIndex({ view, feature }: ExplainRequest): number {
  const names = view.features.map(({ name }) => name)
  const index = names.indexOf(feature)
  if (index >= 0) return index
  throw undeclared(`feature of ${view.name}`, feature, names)
}
