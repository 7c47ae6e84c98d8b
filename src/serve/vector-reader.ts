import type { Clock } from '../base/clock.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { KeyState } from '../kernel/key-state.ts'
import { withCoverage } from '../plan/coverage.ts'
import { type FeatureStatus, finishValues, finishView, findInState } from '../plan/finish-view.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import { historyPrefixName } from '../plan/stream-history.ts'
import { type AddedEvent, extrasOf, inspectAdded, type RawEvent } from './added-event.ts'
import type { EntityKeys } from './entity-key.ts'
import { type PreparedVector, type PreparedView, prepareVector, type VectorTarget } from './prepared-vector.ts'
import { clearRows, makeVectorRows, type VectorRows } from './vector-rows.ts'

/** Where states come from, and up to which offsets they have seen the log. */
export type StateSource = {
  state(view: ViewPlan, key: Uint8Array): KeyState | null
  /** Next offset per partition of a stream. */
  prefix(stream: string): readonly number[]
  /** The same of the topic that holds the stream's history; null: it has none. */
  historyPrefix(stream: string): readonly number[] | null
  /** First instant from which on the states of a view know every event. */
  coveredFrom(view: ViewPlan): number
  /** The partitions of a stream, which know whether an event of an id was accepted: it is in the states already. */
  readonly sources?: (stream: string) => readonly { readonly intake: { accepted(id: string | number): boolean } }[]
}

export type VectorOptions = {
  /** Epoch milliseconds; `'latest'`: one past the newest applied event of the keys. Default: the clock's now. */
  readonly asOf?: number | 'latest'
  /**
   * An event of one of the keys that are read: values are as if it had just been accepted, by default as of one past
   * its time. One that was accepted already, by its id, counts once.
   */
  readonly with?: RawEvent
}

/** The features of several views for one set of keys. */
export type Vector = {
  readonly asOf: number
  readonly values: readonly FeatureValue[]
  readonly status: readonly FeatureStatus[]
  readonly ageMs: readonly (number | null)[]
}

/** Selections of single features that are kept prepared: there is no end of them, unlike of services. */
const selectionsMax = 256

/**
 * Answers reads: finds each view's state for the keys and finishes it as of the instant. Synchronous, so every view
 * of every vector of a request is read at one prefix.
 */
export class VectorReader {
  readonly #plan: Plan
  readonly #source: StateSource
  readonly #clock: Clock
  readonly #services = new Map<string, PreparedVector>()
  readonly #selections = new Map<string, PreparedVector>()
  readonly #rows = makeVectorRows()
  /** Of the entity that is being read: bytes by encoder, states by view. */
  readonly #keys: Uint8Array[] = []
  readonly #states: (KeyState | null)[] = []

  constructor(plan: Plan, source: StateSource, clock: Clock) {
    this.#plan = plan
    this.#source = source
    this.#clock = clock
  }

  /** What it reads by. */
  get plan(): Plan {
    return this.#plan
  }

  /** Throws `NAME_UNDECLARED`. */
  prepare(target: VectorTarget): PreparedVector {
    const isService = 'service' in target
    const known = isService ? this.#services : this.#selections
    // No name has a line break in it.
    const name = isService ? target.service : target.features.join('\n')
    const found = known.get(name)
    if (found !== undefined) return found
    const prepared = prepareVector(this.#plan, target)
    if (!isService && known.size >= selectionsMax) known.clear()
    known.set(name, prepared)
    return prepared
  }

  /**
   * The vectors of some entities, all of one instant and one prefix. The rows are those of the next call too: use them
   * before it. Throws `KEY_MALFORMED`, `AS_OF_TOO_OLD`, `NAME_UNDECLARED` and `REQUEST_MALFORMED`.
   */
  readRows(
    prepared: PreparedVector,
    entities: readonly EntityKeys[],
    options: VectorOptions & { readonly full: boolean },
  ): VectorRows {
    const rows = this.#rows
    const added = options.with === undefined ? null : this.#inspect(options.with)
    clearRows(rows)
    rows.shape = prepared.shape
    rows.full = options.full
    rows.instant = options.asOf ?? (added === null ? this.#clock.now() : added.event.ts + 1)
    rows.prefix = this.prefixOf(prepared)
    for (const keys of entities) this.#readOne(prepared, keys, added)
    return rows
  }

  /** One vector, with status and age. Throws as `readRows` does. */
  read(prepared: PreparedVector, keys: EntityKeys, options: VectorOptions = {}): Vector {
    const { asOf, values, status, ageMs } = this.readRows(prepared, [keys], { ...options, full: true })
    const width = prepared.shape.names.length
    return {
      asOf: asOf[0]!,
      values: values.slice(0, width),
      status: status.slice(0, width),
      ageMs: ageMs.slice(0, width),
    }
  }

  /**
   * What the states behind a vector have seen: stream → next offset per partition, and under `<stream>.history` those
   * of its history.
   */
  prefixOf({ streams }: Pick<PreparedVector, 'streams'>): Record<string, readonly number[]> {
    const prefix: Record<string, readonly number[]> = {}
    for (const stream of streams) {
      prefix[stream] = this.#source.prefix(stream)
      const past = this.#source.historyPrefix(stream)
      if (past !== null) prefix[historyPrefixName(stream)] = past
    }
    return prefix
  }

  /** Appends the vector of one entity to the rows. */
  #readOne({ views, encoders, shape }: PreparedVector, keys: EntityKeys, added: AddedEvent | null): void {
    const [encoded, states, rows] = [this.#keys, this.#states, this.#rows]
    for (let index = 0; index < encoders.length; index++) encoded[index] = encoders[index]!(keys)
    for (let index = 0; index < views.length; index++) {
      const { view, encoder } = views[index]!
      states[index] = this.#source.state(view, encoded[encoder]!)
    }
    const extras =
      added === null
        ? null
        : extrasOf(
            added,
            views.map(({ view, encoder }) => ({ view, key: encoded[encoder]! })),
          )
    let t = rows.instant
    if (t === 'latest') {
      t = 0
      for (let index = 0; index < views.length; index++) {
        t = Math.max(t, (states[index]?.newest ?? -1) + 1, (extras?.[index]?.ts ?? -1) + 1)
      }
    }
    const start = rows.size * shape.names.length
    for (let index = 0; index < views.length; index++) {
      const prepared = views[index]!
      const { view } = prepared
      const found = findInState(view, states[index]!, { t, extra: extras?.[index] ?? null })
      if (rows.full) {
        const finished = withCoverage(view, finishView(view, found), { t, coveredFrom: this.#source.coveredFrom(view) })
        put(rows.values, start, finished.values, prepared)
        put(rows.status, start, finished.status, prepared)
        for (const place of prepared.to) rows.ageMs[start + place] = finished.ageMs
      } else put(rows.values, start, finishValues(view, found), prepared)
    }
    rows.asOf[rows.size] = t
    rows.size += 1
  }

  #inspect(event: RawEvent): AddedEvent {
    const isKnown = (stream: string, id: string | number): boolean =>
      this.#source.sources?.(stream).some(({ intake }) => intake.accepted(id)) ?? false
    return inspectAdded(event, { plan: this.#plan, clock: this.#clock, isKnown })
  }
}

/** Copies what a view gives to its places in a vector that begins at `start`. */
function put<T>(into: T[], start: number, given: readonly T[], { from, to }: Pick<PreparedView, 'from' | 'to'>): void {
  for (let slot = 0; slot < to.length; slot++) into[start + to[slot]!] = given[from[slot]!]!
}
