import { MillraceError, messageOf } from '../base/faults.ts'
import { sha256 } from '../base/hash.ts'

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

  /** Whether an event of an entity was forgotten. Costs a hash of the key only in the past that something reaches. */
  covers(entity: string, key: Uint8Array, { topic, partition, offset }: RecordPlace): boolean {
    if (this.#all.length === 0 || offset >= (this.#reach.get(`${topic}/${partition}`) ?? 0)) return false
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
