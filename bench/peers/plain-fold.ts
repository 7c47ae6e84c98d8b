/**
 * What a team writes in an afternoon: JSON.parse, a Map per entity, an array of raw events per key, values added up
 * when they are read. The same events are kept as in the contender; no ids, no lateness, no exact sums, and an event
 * out of order goes to the end.
 */
import { cpuSeconds } from '../harness.ts'
import { type CardEvent, readerOf } from '../workloads/card-events.ts'

type Kept = { at: number; amount: number; fraud: boolean }

export type PlainFoldOptions = {
  readonly read?: (raw: string) => CardEvent
  /** The longest window of each entity. Default: a day, and seven. */
  readonly customerMs?: number
  readonly terminalMs?: number
}

export class PlainFold {
  readonly customers = new Map<number, Kept[]>()
  readonly terminals = new Map<number, Kept[]>()
  readonly #read: (raw: string) => CardEvent
  readonly #customerMs: number
  readonly #terminalMs: number

  constructor({
    read = readerOf('flat'),
    customerMs = 86_400_000,
    terminalMs = 7 * 86_400_000,
  }: PlainFoldOptions = {}) {
    this.#read = read
    this.#customerMs = customerMs
    this.#terminalMs = terminalMs
  }

  take(value: Uint8Array): void {
    const { customerId, terminalId, amount, fraud, at } = this.#read(Buffer.from(value).toString())
    keep(this.customers, customerId, { at, amount, fraud }, this.#customerMs)
    keep(this.terminals, terminalId, { at, amount, fraud }, this.#terminalMs)
  }

  /** Seconds of CPU it takes to fold the events. */
  takeAll(values: readonly Uint8Array[]): number {
    return cpuSeconds(() => {
      for (const value of values) this.take(value)
    })
  }

  /** Five values per window of a customer, added up from its events: count, sum, mean, max, share of fraud. */
  read(customerId: number, windowsMs: readonly number[], asOf: number): (number | null)[] {
    const events = this.customers.get(customerId) ?? []
    return windowsMs.flatMap((lengthMs) => {
      let [count, sum, frauds] = [0, 0, 0]
      let max: number | null = null
      for (const { at, amount, fraud } of events) {
        if (at < asOf - lengthMs || at >= asOf) continue
        count += 1
        sum += amount
        if (fraud) frauds += 1
        if (max === null || amount > max) max = amount
      }
      return [count, sum, count === 0 ? null : sum / count, max, count === 0 ? null : frauds / count]
    })
  }
}

function keep(map: Map<number, Kept[]>, key: number, event: Kept, lengthMs: number): void {
  let events = map.get(key)
  if (events === undefined) {
    events = []
    map.set(key, events)
  }
  events.push(event)
  while (events[0]!.at < event.at - lengthMs) events.shift()
}
