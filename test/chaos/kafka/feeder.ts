import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../src/log/log.ts'
import { makeEvent } from '../../integration/kill-stream.ts'

/** An event that was acknowledged: where it was said to lie. */
export type Acknowledged = readonly [index: number, partition: number, offset: number]

export type FeederOptions = {
  readonly log: Log
  readonly topic: string
  readonly partitions: number
  readonly seed: number
  readonly perSecond: number
}

type Waiting = { readonly createdMs: number; offset: number | null }

const tickMs = 50
/** That have no answer yet: while brokers are down no more come. */
const appendsMax = 200

/** Appends seeded events at a steady rate, those of a customer in one partition, and knows when each was made. */
export class Feeder {
  readonly acknowledged: Acknowledged[] = []
  readonly #options: FeederOptions
  readonly #appends = new Set<Promise<void>>()
  /** By partition, in order: appends that are not known to be in all states. */
  readonly #waiting: Waiting[][]
  readonly #running: Promise<void>
  #stop = false
  #sent = 0

  constructor(options: FeederOptions) {
    this.#options = options
    this.#waiting = Array.from({ length: options.partitions }, () => [])
    this.#running = this.#run()
    this.#running.catch(() => undefined)
  }

  /** Events that were made. */
  get sent(): number {
    return this.#sent
  }

  /** Resolves when everything is acknowledged. Throws what an append throws. */
  async end(): Promise<void> {
    this.#stop = true
    await this.#running
    await Promise.all(this.#appends)
  }

  /** How old the oldest event is that is not in all states, given the next offset of each partition there. */
  oldestMs(prefix: readonly number[]): number {
    const now = performance.now()
    let oldest = now
    for (const [partition, waiting] of this.#waiting.entries()) {
      while (waiting[0] !== undefined && waiting[0].offset !== null && waiting[0].offset < prefix[partition]!) {
        waiting.shift()
      }
      oldest = Math.min(oldest, waiting[0]?.createdMs ?? now)
    }
    return now - oldest
  }

  async #run(): Promise<void> {
    const startedMs = performance.now()
    while (!this.#stop) {
      const due = Math.floor(((performance.now() - startedMs) / 1_000) * this.#options.perSecond)
      // After a long pause of this process itself, not all at once.
      if (this.#appends.size < appendsMax) this.#append(Math.min(due - this.#sent, 500))
      // A failed append is thrown here.
      await Promise.race([Promise.all(this.#appends), sleep(tickMs)])
      if (this.#appends.size === 0) await sleep(tickMs)
    }
  }

  #append(count: number): void {
    const { log, topic, partitions, seed } = this.#options
    const of = Array.from({ length: partitions }, (): { index: number; value: Uint8Array }[] => [])
    for (let left = count; left > 0; left--) {
      const index = this.#sent++
      const value = makeEvent(seed, index)
      of[partitionOf(value, index) % partitions]!.push({ index, value })
    }
    for (const [partition, events] of of.entries()) {
      if (events.length === 0) continue
      const waiting: Waiting = { createdMs: performance.now(), offset: null }
      this.#waiting[partition]!.push(waiting)
      const records = events.map(({ value }) => ({ key: null, value, timestampMs: Date.now() }))
      const append = log.append(topic, partition, records).then((offset) => {
        // Of the last one: those before it are there when it is.
        waiting.offset = offset + events.length - 1
        for (const [nth, { index }] of events.entries()) this.acknowledged.push([index, partition, offset + nth])
        this.#appends.delete(append)
      })
      append.catch(() => undefined)
      this.#appends.add(append)
    }
  }
}

/** By the customer; what cannot be read, anywhere. */
function partitionOf(value: Uint8Array, index: number): number {
  const found = /"customerId":(\d+)/.exec(Buffer.from(value).toString())
  return found === null ? index : Number(found[1])
}
