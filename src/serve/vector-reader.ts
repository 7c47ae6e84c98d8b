import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { KernelEvent } from '../kernel/event-columns.ts'
import type { KeyState } from '../kernel/key-state.ts'
import { withCoverage } from '../plan/coverage.ts'
import { type FeatureStatus, readView } from '../plan/finish-view.ts'
import { streamOf, viewsOf } from '../plan/find.ts'
import { inspect } from '../plan/intake.ts'
import type { AcceptedEvent, KeyColumn, Plan, Projected, ViewPlan } from '../plan/plan.ts'
import { historyPrefixName } from '../plan/stream-history.ts'
import { describe, makeValueParser, nameOfAllowed } from '../schema/decode.ts'
import { encodeKey, isKeyText, keyTextBytesMax } from '../schema/key-codec.ts'

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

export type EntityKeys = Readonly<Record<string, unknown>>

export type VectorOptions = {
  /** Epoch milliseconds; `'latest'`: one past the newest applied event of the keys. Default: the clock's now. */
  readonly asOf?: number | 'latest'
  /**
   * An event of one of the keys that are read: values are as if it had just been accepted, by default as of one past
   * its time. One that was accepted already, by its id, counts once.
   */
  readonly with?: { readonly stream: string; readonly event: Uint8Array }
}

/** The features of several views for one set of keys. */
export type Vector = {
  readonly asOf: number
  readonly values: readonly FeatureValue[]
  readonly status: readonly FeatureStatus[]
  readonly ageMs: readonly (number | null)[]
}

/**
 * Answers reads: finds each view's state for the keys and finishes it as of the instant. Synchronous, so every view
 * of a vector is read at one prefix.
 */
export class VectorReader {
  readonly #plan: Plan
  readonly #source: StateSource
  readonly #clock: Clock

  constructor(plan: Plan, source: StateSource, clock: Clock) {
    this.#plan = plan
    this.#source = source
    this.#clock = clock
  }

  /** What it reads by. */
  get plan(): Plan {
    return this.#plan
  }

  /** The views that a service, or a view by itself, stands for. Throws `NAME_UNDECLARED`. */
  viewsOf(name: string): readonly ViewPlan[] {
    return viewsOf(this.#plan, name)
  }

  /** Throws `KEY_MALFORMED`, `AS_OF_TOO_OLD`, `NAME_UNDECLARED` and `REQUEST_MALFORMED`. */
  read(views: readonly ViewPlan[], keys: EntityKeys, options: VectorOptions = {}): Vector {
    const added = options.with === undefined ? null : this.#inspectAdded(options.with)
    const found = views.map((view) => {
      const key = keyOf(view, keys)
      return { view, key, state: this.#source.state(view, key), extra: null }
    })
    const withAdded = added === null ? found : this.#withAdded(found, added)
    const asOf = this.#instant(options.asOf, {
      added,
      newest: withAdded.map(({ state, extra }) => Math.max(state?.newest ?? -1, extra?.ts ?? -1)),
    })
    const values: FeatureValue[] = []
    const status: FeatureStatus[] = []
    const ageMs: (number | null)[] = []
    for (const { view, state, extra } of withAdded) {
      const from = this.#source.coveredFrom(view)
      const finished = withCoverage(view, readView(view, state, asOf, extra), { t: asOf, coveredFrom: from })
      values.push(...finished.values)
      status.push(...finished.status)
      for (let index = 0; index < finished.values.length; index++) ageMs.push(finished.ageMs)
    }
    return { asOf, values, status, ageMs }
  }

  /** The bytes of a key as a view has it. Throws `KEY_MALFORMED`. */
  keyOf(view: ViewPlan, keys: EntityKeys): Uint8Array {
    return keyOf(view, keys)
  }

  /**
   * What the states behind these views have seen: stream → next offset per partition, and under `<stream>.history`
   * those of its history.
   */
  prefixOf(views: readonly ViewPlan[]): Record<string, readonly number[]> {
    const streams = new Set(views.map(({ stream }) => stream))
    return Object.fromEntries(
      [...streams].flatMap((stream): [string, readonly number[]][] => {
        const past = this.#source.historyPrefix(stream)
        const own: [string, readonly number[]] = [stream, this.#source.prefix(stream)]
        return past === null ? [own] : [own, [historyPrefixName(stream), past]]
      }),
    )
  }

  #instant(asOf: VectorOptions['asOf'], { added, newest }: { added: Added | null; newest: readonly number[] }): number {
    if (asOf === 'latest') return Math.max(-1, ...newest) + 1
    if (asOf !== undefined) return asOf
    return added === null ? this.#clock.now() : added.event.ts + 1
  }

  /** Throws `REQUEST_MALFORMED` for an event that none of the views reads, or that is of other keys in all that do. */
  #withAdded(found: readonly Found[], added: Added): readonly Found[] {
    const projections = found.map(({ view }) => (view.stream === added.stream ? view.project(added.event) : null))
    if (projections.every((projected) => projected === null)) {
      const streams = [...new Set(found.map(({ view }) => `"${view.stream}"`))].join(', ')
      throw new MillraceError('REQUEST_MALFORMED', {
        detail: `the event in "with" is of stream "${added.stream}", which none of the views reads`,
        allowed: `Give an event of ${streams}, or leave "with" out.`,
      })
    }
    const isOfOther = (projected: Projected | null, { key }: Found): boolean =>
      projected === null || (projected.outcome === 'applied' && Buffer.compare(projected.key, key) !== 0)
    if (projections.every((projected, index) => isOfOther(projected, found[index]!))) {
      const read = found.filter(({ view }) => view.stream === added.stream)
      const names = [...new Set(read.flatMap(({ view }) => view.keys.map(({ name }) => name)))].join(', ')
      throw new MillraceError('REQUEST_MALFORMED', {
        detail: `the event in "with" has another ${names} than the keys that are read`,
        allowed: 'Give an event of the entity that is read, or leave "with" out.',
      })
    }
    if (added.known) return found
    return found.map((one, index) => {
      const projected = projections[index] ?? null
      if (projected?.outcome !== 'applied' || isOfOther(projected, one)) return one
      return { ...one, extra: projected.event }
    })
  }

  #isKnown(stream: string, id: string | number): boolean {
    return this.#source.sources?.(stream).some(({ intake }) => intake.accepted(id)) ?? false
  }

  #inspectAdded({ stream: name, event }: { stream: string; event: Uint8Array }): Added {
    const stream = streamOf(this.#plan, name)
    const inspected = inspect(stream, { value: event, timestampMs: this.#clock.now() })
    if ('refusals' in inspected) {
      const list = inspected.refusals.map(
        ({ code, path, came, allowed }) => `${path} ${code}: ${came}, allowed ${allowed}`,
      )
      throw new MillraceError('REQUEST_MALFORMED', {
        detail: `the event in "with" would be refused (${list.join('; ')})`,
        allowed: `Give an event that stream "${name}" would accept.`,
      })
    }
    const { row, ts } = inspected
    // Without an id it would get the next coordinates of its partition: after every event that is there.
    const tie = stream.id === null ? Number.MAX_SAFE_INTEGER : (row[stream.id] as string | number)
    const known = stream.id !== null && this.#isKnown(name, tie)
    return { stream: name, event: { row, ts, tie }, known }
  }
}

/** `known`: it was accepted before, and so is in the states. */
type Added = { readonly stream: string; readonly event: AcceptedEvent; readonly known: boolean }

/** `extra`: an event that counts as if the state had it. */
type Found = {
  readonly view: ViewPlan
  readonly key: Uint8Array
  readonly state: KeyState | null
  readonly extra: KernelEvent | null
}

function keyOf(view: ViewPlan, keys: EntityKeys): Uint8Array {
  const values = view.keys.map((column) => keyValue(view, column, keys))
  return encodeKey(
    view.keys.map(({ field }) => field.kind),
    values,
  )
}

function keyValue(view: ViewPlan, { name, field }: KeyColumn, keys: EntityKeys): string | number | boolean {
  const given = Object.hasOwn(keys, name) ? keys[name] : undefined
  const fault = (came: string, allowed: string): never => {
    throw new MillraceError('KEY_MALFORMED', { name, entity: view.entity, came, allowed })
  }
  if (given === undefined || given === null)
    return fault(given === undefined ? 'missing' : 'null', nameOfAllowed(field))
  const parsed = makeValueParser(field)(given)
  if (typeof parsed === 'object') return fault(describe(given), nameOfAllowed(field))
  if (typeof parsed === 'string' && !isKeyText(parsed)) {
    return fault(`${Buffer.byteLength(parsed)} bytes long`, `at most ${keyTextBytesMax} bytes`)
  }
  return parsed
}
