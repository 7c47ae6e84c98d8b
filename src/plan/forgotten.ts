import { assert } from '../base/assert.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import { sha256 } from '../base/hash.ts'
import { isErased } from './erasure.ts'
import type { AcceptedEvent, ViewPlan } from './plan.ts'

/** The topic that says which entities were forgotten. One partition. */
export const forgottenTopic = 'forgotten-entities'

/**
 * An entity forgotten at a moment of the log: its events below these offsets count nowhere any more, those from there
 * on do. The keys are kept as a hash: what is to be forgotten must not be written down.
 */
export type ForgottenEntity = {
  readonly version: 1
  readonly entity: string
  /** SHA-256 of the encoded join keys, hex. */
  readonly key: string
  /** Topic → next offset per partition. */
  readonly prefix: Readonly<Record<string, readonly number[]>>
  readonly at: string
}

export type RecordPlace = { readonly topic: string; readonly partition: number; readonly offset: number }

/** Everything that was forgotten so far. Stream, training and explanations skip the same events by it. */
export class Forgotten {
  readonly #prefixes = new Map<string, Readonly<Record<string, readonly number[]>>[]>()
  /** Topic/partition → the highest offset that anything forgotten reaches up to. */
  readonly #reach = new Map<string, number>()
  readonly #all: ForgottenEntity[] = []

  /** In the order in which they were forgotten. */
  get all(): readonly ForgottenEntity[] {
    return this.#all
  }

  add(forgotten: ForgottenEntity): void {
    const { entity, key, prefix } = forgotten
    this.#all.push(forgotten)
    const name = `${entity} ${key}`
    this.#prefixes.set(name, [...(this.#prefixes.get(name) ?? []), prefix])
    for (const [topic, offsets] of Object.entries(prefix)) {
      offsets.forEach((offset, partition) => {
        const place = `${topic}/${partition}`
        this.#reach.set(place, Math.max(offset, this.#reach.get(place) ?? 0))
      })
    }
  }

  /** Whether an event was forgotten for a view: as `covers`, from the event itself. */
  coversEvent(view: ViewPlan, event: AcceptedEvent, place: RecordPlace): boolean {
    if (event.erased === undefined && !this.#reaches(place)) return false
    const projected = view.project(event)
    if (projected.outcome !== 'applied') return false
    return isErased(view, event) || this.covers(view.entity, projected.key, place)
  }

  /** Every record of a partition that anything forgotten reaches lies below this offset. */
  reachOf(topic: string, partition: number): number {
    return this.#reach.get(`${topic}/${partition}`) ?? 0
  }

  /** Whether an entity was forgotten at any time. */
  knows(entity: string, key: Uint8Array): boolean {
    return this.#prefixes.has(`${entity} ${forgottenKey(key)}`)
  }

  #reaches({ topic, partition, offset }: RecordPlace): boolean {
    return this.#all.length > 0 && offset < this.reachOf(topic, partition)
  }

  /** Whether an event of an entity was forgotten. Costs a hash of the key only in the past that something reaches. */
  covers(entity: string, key: Uint8Array, place: RecordPlace): boolean {
    if (!this.#reaches(place)) return false
    const { topic, partition, offset } = place
    const prefixes = this.#prefixes.get(`${entity} ${forgottenKey(key)}`)
    return prefixes?.some((prefix) => offset < (prefix[topic]?.[partition] ?? 0)) ?? false
  }
}

export function forgottenKey(key: Uint8Array): string {
  return sha256(key)
}

/** Throws `FORGOTTEN_MALFORMED`. */
export function parseForgotten(record: {
  readonly offset: number
  readonly value: Uint8Array | null
}): ForgottenEntity {
  const fault = (detail: string, cause?: unknown): MillraceError =>
    new MillraceError('FORGOTTEN_MALFORMED', { offset: record.offset, detail }, { cause })
  let found: unknown
  try {
    found = JSON.parse(Buffer.from(record.value ?? []).toString())
  } catch (error) {
    throw fault(messageOf(error), error)
  }
  const { version, entity, key, prefix } = (found ?? {}) as Partial<Record<string, unknown>>
  if (version !== 1) throw fault(`its version is ${JSON.stringify(version)}, known is 1`)
  if (typeof entity !== 'string' || typeof key !== 'string' || typeof prefix !== 'object' || prefix === null) {
    throw fault('it lacks an entity, a key or a prefix')
  }
  return found as ForgottenEntity
}

/** What of a log is needed to read its topic of forgotten entities. */
export type ForgottenLog = {
  topics(): readonly { readonly topic: string }[]
  start(topic: string, partition: number): number
  end(topic: string, partition: number): number
  read(
    topic: string,
    partition: number,
    offset: number,
    bytesMax: number,
  ): Promise<{
    readonly records: readonly { readonly offset: number; readonly value: Uint8Array | null }[]
    readonly next: number
  }>
}

/** Everything that was forgotten, from its topic. Throws `FORGOTTEN_MALFORMED`: what to forget must not be guessed. */
export async function readForgotten(log: ForgottenLog): Promise<Forgotten> {
  const forgotten = new Forgotten()
  if (!log.topics().some(({ topic }) => topic === forgottenTopic)) return forgotten
  const end = log.end(forgottenTopic, 0)
  for (let offset = log.start(forgottenTopic, 0); offset < end; ) {
    const { records, next } = await log.read(forgottenTopic, 0, offset, 1024 * 1024)
    assert(next > offset, 'before its end a partition can be read on')
    for (const record of records) forgotten.add(parseForgotten(record))
    offset = next
  }
  return forgotten
}
