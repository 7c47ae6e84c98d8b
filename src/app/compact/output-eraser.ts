import type { Replacement } from '../../log/embedded/rewrite.ts'
import type { Header, LogRecord } from '../../log/log.ts'
import { type Forgotten, forgottenKey } from '../../plan/forgotten.ts'
import type { Plan, ViewPlan } from '../../plan/plan.ts'
import { featureEventsTopic } from '../../plan/topics.ts'
import { makeValueParser } from '../../schema/decode.ts'
import { encodeKey } from '../../schema/key-codec.ts'
import type { FeatureEvent } from '../../stream/feature-record.ts'
import { coordinatesIn, headerText, outputHeaders } from '../../stream/output-headers.ts'
import { type Erased, type EventEraser, keptHeaders } from './event-eraser.ts'
import { pseudonymOf } from './pseudonym.ts'

/** A rejected event: as the event itself. Why it was refused names the parts of it that were wrong, and not what came. */
export function eraseRejection(record: LogRecord, eraser: EventEraser): Erased {
  const erased = eraser.erase(record, coordinatesIn(record))
  if (typeof erased === 'string') return erased
  return { ...erased, headers: (erased.headers ?? []).map(withoutContent) }
}

function withoutContent([name, value]: Header): Header {
  if (name !== outputHeaders.detail) return [name, value]
  const detail: unknown = JSON.parse(Buffer.from(value).toString())
  if (!Array.isArray(detail)) return [name, value]
  const blank = detail.map((refusal: object) => ({ ...refusal, came: 'forgotten' }))
  return [name, Buffer.from(JSON.stringify(blank))]
}

/** Times of the events of a key that count for a view, in order. */
export type LivingEvents = (view: ViewPlan, key: Uint8Array) => Promise<readonly number[]>

/** Finds the finished values of forgotten entities in the topics that views emit to. */
export class FeatureEraser {
  readonly #forgotten: Forgotten
  readonly #living: LivingEvents
  readonly #views: ReadonlyMap<string, readonly ViewPlan[]>

  /** @param plans those that views ever emitted by. */
  constructor(forgotten: Forgotten, plans: readonly Plan[], living: LivingEvents) {
    this.#forgotten = forgotten
    this.#living = living
    const views = plans.flatMap((plan) => plan.views).filter(({ emit }) => emit !== null)
    this.#views = Map.groupBy(views, ({ name }) => featureEventsTopic(name))
  }

  get topics(): readonly string[] {
    return [...this.#views.keys()]
  }

  /** A tombstone in place of values that came of forgotten events. */
  async erase(record: LogRecord, topic: string): Promise<Replacement | 'nothing'> {
    const event = parse(record)
    if (event === null) return 'nothing'
    for (const view of this.#views.get(topic) ?? []) {
      const key = keyOf(view, event)
      if (key === null || !(await this.#isForgotten(view, key, { record, event }))) continue
      const hash = forgottenKey(key)
      const keys = view.keys.map(({ name, field }) => {
        const old = event.keys[name]!
        return [name, pseudonymOf(field, hash, old) ?? old] as const
      })
      const text = JSON.stringify(Object.fromEntries(keys))
      return { key: Buffer.from(text), value: null, headers: keptHeaders(record.headers) }
    }
    return 'nothing'
  }

  async #isForgotten(
    view: ViewPlan,
    key: Uint8Array,
    { record, event }: { readonly record: LogRecord; readonly event: FeatureEvent },
  ): Promise<boolean> {
    if (event.source !== undefined) return this.#forgotten.covers(view.entity, key, event.source)
    if (headerText(record, outputHeaders.windowEnd) === '' || !this.#forgotten.knows(view.entity, key)) return false
    // It does not say which events it came of. It stays if it is what the events since then make of it.
    const living = await this.#living(view, key)
    const end = Date.parse(event.window_end)
    const before = living.filter((ts) => ts < end)
    return before.length !== event.events || before.at(-1) !== Date.parse(event.event_time ?? '')
  }
}

function parse({ value }: LogRecord): FeatureEvent | null {
  if (value === null) return null
  try {
    const event = JSON.parse(Buffer.from(value).toString()) as Partial<FeatureEvent> | null
    return typeof event?.keys === 'object' ? (event as FeatureEvent) : null
  } catch {
    // Nothing that millrace wrote.
    return null
  }
}

/** Encoded join keys; null where another version of the view had others. */
function keyOf({ keys }: ViewPlan, event: FeatureEvent): Uint8Array | null {
  const values = keys.map(({ name, field }) => {
    const value = Object.hasOwn(event.keys, name) ? event.keys[name] : undefined
    return value === undefined ? null : makeValueParser(field)(value)
  })
  if (values.some((value) => value === null || typeof value === 'object')) return null
  return encodeKey(
    keys.map(({ field }) => field.kind),
    values as (string | number | boolean)[],
  )
}
