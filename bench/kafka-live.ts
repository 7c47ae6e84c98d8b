import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../src/log/log.ts'
import { partitionFor } from '../src/base/murmur2.ts'
import { encodeKey } from '../src/schema/key-codec.ts'
import { shares } from './kafka-entrants.ts'
import { customers, partitions, results, send } from './kafka-place.ts'
import { readVectors } from './kafka-values.ts'

const everyMs = 20

/** Sends payments of now at a steady pace until it is stopped. */
export class LiveLoad {
  readonly #log: Log
  #made = 0
  #failure: unknown = null
  readonly #timer: NodeJS.Timeout

  constructor(log: Log, perSecond: number) {
    this.#log = log
    const startedAt = performance.now()
    // A timer that comes late is made up for.
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond) - this.#made
      if (due > 0) this.#send(Array.from({ length: due }, () => paymentText(Math.floor(Math.random() * customers))))
    }, everyMs)
  }

  #send(texts: readonly string[]): void {
    this.#made += texts.length
    send(
      this.#log,
      texts.map((text) => Buffer.from(text)),
    ).catch((error: unknown) => (this.#failure = error))
  }

  stop(): void {
    clearInterval(this.#timer)
    if (this.#failure !== null) throw this.#failure
  }
}

/** Sends events of customers that were never seen, and knows for how long each was not there. */
export class Probes {
  readonly #log: Log
  readonly #sentAt = new Map<number, number>()
  readonly samples: number[] = []
  #next = firstProbe

  constructor(log: Log) {
    this.#log = log
  }

  get outstanding(): readonly number[] {
    return [...this.#sentAt.keys()]
  }

  /** The event counts as produced when the call is made: linger, network and replication are in. */
  send(): void {
    const id = this.#next++
    this.#sentAt.set(id, performance.now())
    void send(this.#log, [Buffer.from(paymentText(id))])
  }

  seen(id: number): void {
    const sentAt = this.#sentAt.get(id)
    if (sentAt === undefined) return
    this.#sentAt.delete(id)
    this.samples.push(performance.now() - sentAt)
  }

  /** Until all are there. Those that are not by then count with what they have waited so far. */
  async allSeen(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs
    while (this.#sentAt.size > 0 && performance.now() < until) await sleep(1)
    for (const id of this.#sentAt.keys()) this.seen(id)
  }
}

const firstProbe = 10_000_000

function paymentText(customerId: number): string {
  const terminalId = customerId % (customers / 10)
  return `{"paymentId":"live","customerId":${customerId},"terminalId":${terminalId},"amount":12.5,"currency":"EUR","channel":"web","country":"FR","device":"d123456","category":"groceries","fraud":false,"at":${Date.now()},"loyalty":null,"note":"one of many"}`
}

/** Looks for probes until it is aborted. */
export type Watch = (probes: Probes, signal: AbortSignal) => Promise<void>

/**
 * In the vectors that millrace serves over HTTP: all that are missing, again and again, where the process of a customer
 * is. Of a cluster of two, each has its partitions.
 */
export function watchVectors(portsOf: () => readonly number[], processes: number): Watch {
  return async (probes, signal) => {
    const ofProcess = (process: number): Promise<void> => watchProcess({ portsOf, process, processes }, probes, signal)
    await Promise.all(Array.from({ length: processes }, (_, process) => ofProcess(process)))
  }
}

type Watched = { readonly portsOf: () => readonly number[]; readonly process: number; readonly processes: number }

async function watchProcess(
  { portsOf, process, processes }: Watched,
  probes: Probes,
  signal: AbortSignal,
): Promise<void> {
  const isIts = (id: number): boolean => processes === 1 || shares[process]!.includes(processedPartitionOf(id))
  while (!signal.aborted) {
    const [port, wanted] = [portsOf()[process], probes.outstanding.filter(isIts).slice(0, 100)]
    if (port === undefined || wanted.length === 0) {
      await sleep(1)
      continue
    }
    const entities = wanted.map((customerId) => ({ customerId }))
    // While the server is down nothing can be seen.
    const answer = await readVectors(port, { service: 'customers', entities }).catch(() => null)
    for (const [index, id] of wanted.entries()) {
      if (((answer?.rows[index]?.values[0] as number | undefined) ?? 0) > 0) probes.seen(id)
    }
    if (answer === null) await sleep(5)
  }
}

/** Of `processed-events.customer`. */
function processedPartitionOf(customerId: number): number {
  return partitionFor(encodeKey(['int'], [customerId]), partitions)
}

/** In the topic of results, as whoever reads what is committed sees them. */
export function watchResults(log: Log): Watch {
  return async (probes, signal) => {
    const topic = results.customers
    await log.refresh(topic)
    const { partitions } = log.topics().find((one) => one.topic === topic)!
    const follow = async (partition: number): Promise<void> => {
      let offset = log.end(topic, partition)
      while (!signal.aborted) {
        await log.waitFor(topic, partition, offset, signal)
        if (signal.aborted) return
        const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
        for (const { key } of records) if (key !== null) probes.seen(Number(Buffer.from(key).toString('latin1')))
        offset = next
      }
    }
    await Promise.all(Array.from({ length: partitions }, (_, partition) => follow(partition)))
  }
}
