import type { Mill } from 'millrace'
import { payments } from '../features.ts'
import type { Delivery } from '../simulator.ts'
import type { SimulatedClock } from './simulated-clock.ts'

/** Of one call of `mill.ingest`. */
const batchMessagesMax = 2_000

export type Batch = {
  readonly deliveries: readonly Delivery[]
  /** Where each message lies in the log. */
  readonly places: readonly { readonly partition: number; readonly offset: number }[]
}

/** Sends the simulated messages into the mill. Taking one means that it arrives: the calendar moves there. */
export class Feed {
  readonly #mill: Mill
  readonly #clock: SimulatedClock
  readonly #deliveries: Iterator<Delivery>
  #next: Delivery
  #messages = 0
  #payments = 0

  constructor(mill: Mill, clock: SimulatedClock, deliveries: Iterable<Delivery>) {
    this.#mill = mill
    this.#clock = clock
    this.#deliveries = deliveries[Symbol.iterator]()
    this.#next = this.#pull()
  }

  /** Messages sent so far, of whatever kind. */
  get messages(): number {
    return this.#messages
  }

  /** Distinct payments sent so far: without what was resent or broken. */
  get payments(): number {
    return this.#payments
  }

  /** When the next message arrives. */
  get nextAt(): number {
    return this.#next.arrivesAt
  }

  /** The next messages that arrive up to an instant: one batch, empty when none does. */
  take(untilMs: number): Delivery[] {
    return this.#takeWhile(({ arrivesAt }, count) => arrivesAt <= untilMs && count < batchMessagesMax)
  }

  /** The next few messages as long as they are good payments and no two share a customer or a terminal. */
  takeUnrelated(untilMs: number, countMax: number): Delivery[] {
    const customers = new Set<number>()
    const terminals = new Set<number>()
    return this.#takeWhile(({ kind, payment, arrivesAt }, count) => {
      if (kind !== 'good' || payment === null || arrivesAt > untilMs || count >= countMax) return false
      if (customers.has(payment.customerId) || terminals.has(payment.terminalId)) return false
      customers.add(payment.customerId)
      terminals.add(payment.terminalId)
      return true
    })
  }

  /** Resolves when the messages are in the log and in the features. */
  async send(deliveries: readonly Delivery[]): Promise<Batch> {
    if (deliveries.length === 0) return { deliveries, places: [] }
    const places = await this.#mill.ingest(
      payments.name,
      deliveries.map(({ raw }) => raw),
    )
    await this.#mill.caughtUp()
    this.#messages += deliveries.length
    this.#payments += deliveries.filter(({ kind }) => kind === 'good' || kind === 'late').length
    return { deliveries, places }
  }

  #takeWhile(wanted: (delivery: Delivery, count: number) => boolean): Delivery[] {
    const taken: Delivery[] = []
    while (wanted(this.#next, taken.length)) {
      taken.push(this.#next)
      this.#next = this.#pull()
    }
    if (taken.length > 0) this.#clock.reach(taken.at(-1)!.arrivesAt)
    return taken
  }

  #pull(): Delivery {
    const { value, done } = this.#deliveries.next()
    if (done === true) throw new Error('the simulated payments ended, and they never should')
    return value
  }
}
