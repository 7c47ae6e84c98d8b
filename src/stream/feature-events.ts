import { readableFrom } from '../kernel/key-state.ts'
import { readView } from '../plan/finish-view.ts'
import type { Plan, StreamPlan, ViewPlan } from '../plan/plan.ts'
import { featureEventsTopic } from '../plan/topics.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { FeatureText } from './feature-text.ts'
import { deleteOpen, deleteProgress, readOpen, viewsWithProgress } from './interval-entries.ts'
import { type Arrival, type EmitParts, type IntervalView, IntervalValues } from './interval-values.ts'
import type { Coordinates } from './output-headers.ts'

/** Topic of finished values → fingerprint of its view, for every view of a plan that emits. */
export function featureTopicsOf(plan: Plan): ReadonlyMap<string, string> {
  const emitting = plan.views.filter(({ emit }) => emit !== null)
  return new Map(emitting.map(({ name, fingerprint }) => [featureEventsTopic(name), fingerprint]))
}

/**
 * The finished values that the views of the served plan emit: which of them, when, and what the store has to keep for
 * it. Synchronous, as folding is: what it puts into the outputs is of the same prefix as the states.
 */
export class FeatureEvents {
  readonly #parts: EmitParts
  /** By the view's fingerprint, which views of several names may share. */
  #perEvent: ReadonlyMap<string, readonly Emitting[]> = new Map()
  #perInterval: ReadonlyMap<string, readonly IntervalValues[]> = new Map()
  /** By the view's name. */
  #intervals: ReadonlyMap<string, IntervalValues> = new Map()
  /** By the stream's name. */
  #ofStream: ReadonlyMap<string, readonly IntervalValues[]> = new Map()
  #dropped: StoreChange[] = []

  private constructor(parts: EmitParts) {
    this.#parts = parts
  }

  /** As the last checkpoint has it. */
  static restore(plan: Plan, parts: EmitParts, store: OnlineStore): FeatureEvents {
    const events = new FeatureEvents(parts)
    events.#use(plan, (view) => IntervalValues.restore(view, parts, store))
    for (const view of viewsWithProgress(store)) {
      if (events.#intervals.has(view)) continue
      for (const entry of readOpen(store, view)) events.#dropped.push(deleteOpen(view, entry))
      events.#dropped.push(deleteProgress(view))
    }
    return events
  }

  /** From now on the views of this plan emit, and go on where those of their names are. */
  serve(plan: Plan): void {
    const before = this.#intervals
    this.#use(plan, (view) => {
      const known = before.get(view.view.name)
      if (known?.become(view) === true) return known
      return IntervalValues.begin(view, this.#parts)
    })
    const kept = new Set(this.#intervals.values())
    for (const one of before.values()) if (!kept.has(one)) this.#dropped.push(...one.discard())
    this.#parts.outputs.serve(featureTopicsOf(plan))
  }

  #use(plan: Plan, make: (view: IntervalView) => IntervalValues): void {
    const perEvent = plan.views.flatMap((view): Emitting[] =>
      view.emit?.per === 'event'
        ? [{ view, topic: featureEventsTopic(view.name), text: new FeatureText(view, plan.hash) }]
        : [],
    )
    this.#perEvent = Map.groupBy(perEvent, ({ view }) => view.fingerprint)
    const views = plan.views.flatMap((view) => intervalViewOf(view, plan) ?? [])
    const made = views.map((of) => ({ ...of, values: make(of) }))
    this.#intervals = new Map(made.map(({ view, values }) => [view.name, values]))
    this.#perInterval = groupValues(made, ({ view }) => view.fingerprint)
    this.#ofStream = groupValues(made, ({ stream }) => stream.name)
  }

  /** Whether any view emits. While none does, nothing has to be told of what arrives and is applied. */
  get isActive(): boolean {
    return this.#perEvent.size > 0 || this.#intervals.size > 0
  }

  /** For every record of a source that emits, before it is folded. */
  arrived(arrival: Arrival): void {
    for (const values of this.#ofStream.get(arrival.stream) ?? []) values.arrived(arrival)
  }

  /** For every event that was folded into a view, from a source that emits. */
  applied(view: string, { key, ts }: { readonly key: Uint8Array; readonly ts: number }, source: Coordinates): void {
    for (const one of this.#perEvent.get(view) ?? []) this.#emit(one, { key, ts }, source)
    for (const values of this.#perInterval.get(view) ?? []) values.applied(key, ts)
  }

  /** Puts what is due into the outputs, before those are taken for a checkpoint; gives what the checkpoint writes. */
  takeChanges(): StoreChange[] {
    const changes = this.#dropped
    this.#dropped = []
    for (const values of this.#intervals.values()) {
      values.close()
      changes.push(...values.takeChanges())
    }
    return changes
  }

  #emit(to: Emitting, { key, ts }: { readonly key: Uint8Array; readonly ts: number }, source: Coordinates): void {
    const { view, topic, text } = to
    this.#parts.outputs.addFeatures(topic, source, () => {
      const state = this.#parts.state(view, key)
      const asOf = ts + 1
      const isReadable = state !== null && asOf >= readableFrom(view.program, state)
      const finished = isReadable ? readView(view, state, asOf) : null
      return text.record({ key, asOf, eventTime: ts, finished }, source)
    })
  }
}

/** A view that emits after each event. */
type Emitting = { readonly view: ViewPlan; readonly topic: string; readonly text: FeatureText }

function intervalViewOf(view: ViewPlan, plan: Plan): IntervalView | null {
  if (view.emit?.per !== 'interval') return null
  const stream = plan.streams.find(({ name }) => name === view.stream)
  return { view, stream: stream as StreamPlan, plan: plan.hash, everyMs: view.emit.everyMs, idleMs: view.emit.idleMs }
}

type Made = IntervalView & { readonly values: IntervalValues }

function groupValues(made: readonly Made[], nameOf: (one: Made) => string): ReadonlyMap<string, IntervalValues[]> {
  return new Map([...Map.groupBy(made, nameOf)].map(([name, list]) => [name, list.map(({ values }) => values)]))
}
