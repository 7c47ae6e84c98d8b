import type { FeatureValue } from '../../kernel/aggregation.ts'
import { readAggregates } from '../../kernel/read-state.ts'
import type { Replacement } from '../../log/embedded/rewrite.ts'
import type { LogRecord } from '../../log/log.ts'
import { isErased, readErasure } from '../../plan/erasure.ts'
import { inspect } from '../../plan/intake.ts'
import type { AcceptedEvent, Plan, StreamPlan, ViewPlan } from '../../plan/plan.ts'
import { featureEventsTopic } from '../../plan/topics.ts'
import type { FeatureEvent } from '../../stream/feature-record.ts'
import { topicsOf } from './event-readers.ts'

/** Those whose value is one of their inputs, or a list of them. */
const showing = new Set(['first', 'last', 'lastK', 'latest', 'max', 'min'])

/** Feature → its value as JSON → what it is once the key is hidden. */
type ShownValues = Map<string, Map<string, unknown>>

/**
 * What hiding keys does to the features of others, made from the same events. A count of distinct keys stays what it
 * was; what shows a key shows a pseudonym from then on, and what was published of it has to change with it.
 */
export class SideEffects {
  readonly #applied: Plan
  readonly #plans: readonly Plan[]
  /** Text → events. */
  readonly #counts = new Map<string, number>()
  /** Topic of finished values → what of them shows hidden keys. */
  readonly #shown = new Map<string, ShownValues>()

  constructor(applied: Plan, plans: readonly Plan[]) {
    this.#applied = applied
    this.#plans = plans
  }

  /** For people: what is different for the applied definitions, with the number of events behind it. */
  get lines(): readonly string[] {
    return [...this.#counts].map(([text, count]) => `${text} (${count} events)`)
  }

  /** Told of every event whose keys will be hidden. */
  note(topic: string, record: LogRecord, replacement: Replacement): void {
    for (const plan of this.#plans) {
      for (const stream of plan.streams) {
        if (topicsOf(stream).includes(topic)) this.#compare(stream, plan === this.#applied, { record, replacement })
      }
    }
  }

  #compare(
    stream: StreamPlan,
    applied: boolean,
    { record, replacement }: { readonly record: LogRecord; readonly replacement: Replacement },
  ): void {
    const { timestampMs } = record
    const before = inspect(stream, record)
    const after = inspect(stream, { timestampMs, value: replacement.value })
    if (applied && 'row' in before !== 'row' in after) this.#count(`stream ${stream.name}: another verdict`)
    if (!('row' in before) || !('row' in after)) return
    const { keys } = readErasure(replacement.headers ?? [])!
    const events = { before: { ...before, tie: 0 }, after: { ...after, tie: 0, erased: keys } }
    for (const view of stream.views) {
      if (applied) this.#compareView(view, events)
      if (view.emit !== null) this.#compareValues(view, events)
    }
  }

  #compareView(view: ViewPlan, { before, after }: Hidden): void {
    const [one, other] = [view.project(before), view.project(after)]
    if (one.outcome !== other.outcome) {
      this.#count(`view ${view.name}: its filter reads a hidden key, and counts them otherwise`)
    } else if (one.outcome === 'applied' && other.outcome === 'applied' && !isErased(view, after)) {
      if (Buffer.compare(one.key, other.key) === 0) return
      this.#count(`view ${view.name}: they are under a pseudonym now; ${view.entity} was not forgotten`)
    }
  }

  #compareValues(view: ViewPlan, { before, after }: Hidden): void {
    view.features.forEach(({ name, aggregates: [slot, ...others] }, index) => {
      if (slot === undefined || others.length > 0) return
      const { aggregation, window } = view.program.aggregates[slot]!
      if (!showing.has(aggregation.name)) return
      const { offsetMs } = view.program.windows[window]!
      const items = [before, after].map((event) => shownAlone(view, event, { slot, index, offsetMs }))
      const topic = featureEventsTopic(view.name)
      const features = this.#shown.get(topic) ?? (new Map() as ShownValues)
      const values = features.get(name) ?? new Map<string, unknown>()
      items[0]!.forEach((item, at) => {
        const [from, to] = [JSON.stringify(item), items[1]![at]]
        if (item !== null && from !== JSON.stringify(to)) values.set(from, to)
      })
      if (values.size === 0) return
      features.set(name, values)
      this.#shown.set(topic, features)
    })
  }

  #count(text: string): void {
    this.#counts.set(text, 1 + (this.#counts.get(text) ?? 0))
  }

  /** Finished values of another entity, with pseudonyms where they show hidden keys. */
  hideIn(record: LogRecord, topic: string): Replacement | 'nothing' {
    const features = this.#shown.get(topic)
    if (features === undefined || record.value === null) return 'nothing'
    const event = JSON.parse(Buffer.from(record.value).toString()) as FeatureEvent
    const changed = Object.entries(event.features).map(([name, value]) => {
      const values = features.get(name)
      if (values === undefined) return [name, value] as const
      const hide = (item: unknown): unknown => {
        const text = JSON.stringify(item)
        return values.has(text) ? values.get(text) : item
      }
      return [name, Array.isArray(value) ? value.map(hide) : hide(value)] as const
    })
    const value = JSON.stringify({ ...event, features: Object.fromEntries(changed) })
    if (value === JSON.stringify(event)) return 'nothing'
    return { key: record.key, value: Buffer.from(value), headers: record.headers }
  }
}

type Hidden = { readonly before: AcceptedEvent; readonly after: AcceptedEvent }

type Shown = { readonly slot: number; readonly index: number; readonly offsetMs: number }

/** What a feature shows of its only input if nothing else had ever happened; nothing where it computes with it. */
function shownAlone(view: ViewPlan, event: AcceptedEvent, { slot, index, offsetMs }: Shown): readonly FeatureValue[] {
  const projected = view.project(event)
  if (projected.outcome !== 'applied') return []
  const aggregates = readAggregates(view.program, null, event.ts + 1 + offsetMs, projected.event)
  const value = view.finish(aggregates)[index]!
  if (JSON.stringify(value) !== JSON.stringify(aggregates[slot])) return []
  return Array.isArray(value) ? (value as readonly FeatureValue[]) : [value]
}
