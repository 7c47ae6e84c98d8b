/** What producers send: mostly good events, and everything that the world mixes into them. */
import type { RecordInput } from '../../src/log/log.ts'
import type { Random } from './random.ts'

/** Which kinds of trouble a run has at all. */
export type Mixture = {
  readonly duplicates: boolean
  readonly conflicts: boolean
  readonly disorder: boolean
  readonly late: boolean
  readonly future: boolean
  readonly poison: boolean
  readonly unkeyed: boolean
  /** Producers whose clocks are not the machine's. */
  readonly skew: boolean
  readonly users: number
  readonly items: number
  /** Distances in time at which something changes, in milliseconds; events lie exactly that far apart, or one off. */
  readonly distances: readonly number[]
}

export function drawMixture(random: Random, distances: readonly number[]): Mixture {
  return {
    distances: random.chance(0.6) ? distances : [],
    duplicates: random.chance(0.6),
    conflicts: random.chance(0.4),
    disorder: random.chance(0.7),
    late: random.chance(0.5),
    future: random.chance(0.3),
    poison: random.chance(0.5),
    unkeyed: random.chance(0.5),
    skew: random.chance(0.3),
    users: random.pick([1, 2, 4, 12]),
    items: random.pick([1, 3]),
  }
}

type Event = { id: string; user: string | null; item: number; n: number | null; at: number }
type Sent = { readonly event: Event; readonly partition: number }

export const userName = (index: number): string => `u${index}`

export class Workload {
  readonly #random: Random
  readonly #mixture: Mixture
  readonly #partitions: number
  readonly #sent: Sent[] = []
  #next = 0

  constructor(random: Random, mixture: Mixture, partitions: number) {
    this.#random = random
    this.#mixture = mixture
    this.#partitions = partitions
  }

  get mixture(): Mixture {
    return this.#mixture
  }

  /** Some records for one partition, as of the machine's clock. */
  batch(count: number, nowMs: number): { readonly partition: number; readonly records: readonly RecordInput[] } {
    const random = this.#random
    const partition = random.below(this.#partitions)
    const records = Array.from({ length: count }, (): RecordInput => {
      const timestampMs =
        this.#mixture.skew && random.chance(0.2) ? nowMs + random.between(-1, 1) * random.pick([20, 200, 2_000]) : nowMs
      return { key: null, value: this.#value(partition, nowMs), timestampMs }
    })
    return { partition, records }
  }

  #value(partition: number, nowMs: number): Uint8Array | null {
    const random = this.#random
    const { duplicates, conflicts, poison } = this.#mixture
    if (poison && random.chance(0.1)) return this.#poison(nowMs)
    const earlier = this.#sent.length > 0 && duplicates && random.chance(0.2) ? this.#earlier(partition) : null
    if (earlier === null) {
      const event = this.#event(nowMs)
      this.#sent.push({ event, partition })
      return encode(event)
    }
    // Of two events with one id and one time in two partitions neither is a duplicate, and nothing says which is first.
    if (!conflicts || random.chance(0.6) || earlier.partition !== partition) return encode(earlier.event)
    return encode(random.chance(0.5) ? { ...earlier.event, n: 99 } : { ...earlier.event, at: nowMs })
  }

  /** Of the same partition, mostly: there it is a duplicate. The newest ones are the likeliest. */
  #earlier(partition: number): Sent | null {
    const random = this.#random
    const own = random.chance(0.9) ? this.#sent.filter((sent) => sent.partition === partition) : this.#sent
    if (own.length === 0) return null
    return own[own.length - 1 - random.below(Math.min(own.length, 12))]!
  }

  #event(nowMs: number): Event {
    const random = this.#random
    const { users, items, unkeyed } = this.#mixture
    const hot = random.chance(0.6)
    return {
      // Ids do not sort as they are made: ties are broken by them.
      id: `${random.below(10)}-${this.#next++}`,
      user: unkeyed && random.chance(0.15) ? null : userName(hot ? 0 : random.below(users)),
      item: hot ? 0 : random.below(items),
      n: random.chance(0.15) ? null : random.between(-2, 9),
      at: this.#instant(nowMs),
    }
  }

  #instant(nowMs: number): number {
    const random = this.#random
    const { disorder, late, future } = this.#mixture
    if (future && random.chance(0.08)) return nowMs + random.pick([1, 20, 21, 40, 3_600_000, 3_600_001])
    if (late && random.chance(0.15)) return nowMs - random.between(5, 400)
    const edge = this.#edge(nowMs)
    if (edge !== null) return edge
    if (disorder && random.chance(0.4)) return nowMs - random.below(40)
    return nowMs
  }

  /** An instant at a distance from an earlier event where one of the definitions' limits lies. */
  #edge(nowMs: number): number | null {
    const { distances } = this.#mixture
    const random = this.#random
    if (distances.length === 0 || this.#sent.length === 0 || !random.chance(0.4)) return null
    const { at } = random.pick(this.#sent).event
    const instant = at + random.pick(distances) + random.pick([-1, 0, 0, 1])
    return instant > nowMs || instant < nowMs - 250 ? null : instant
  }

  #poison(nowMs: number): Uint8Array | null {
    const event = this.#event(nowMs)
    const kind = this.#random.below(9)
    const text = [
      () => encode(event).subarray(0, -1),
      () => null,
      () => new Uint8Array(0),
      () => Buffer.from([0xff, 0xfe, 0x7b]),
      () => Buffer.from(JSON.stringify([event])),
      () => Buffer.from(JSON.stringify({ ...event, at: 'soon' })),
      () => Buffer.from(JSON.stringify({ ...event, item: 1.5 })),
      () => Buffer.from(JSON.stringify({ ...event, id: undefined })),
      () => Buffer.from(JSON.stringify({ ...event, at: 4_102_444_800_000 })),
    ]
    return text[kind]!()
  }
}

const encode = (event: Event): Uint8Array => Buffer.from(JSON.stringify(event))
