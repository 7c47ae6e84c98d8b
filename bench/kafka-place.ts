import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cluster, startCluster } from '../scripts/kafka/cluster.ts'
import { systemClock } from '../src/base/clock.ts'
import { partitionFor } from '../src/base/murmur2.ts'
import { openKafkaLog } from '../src/log/kafka/kafka-log.ts'
import type { Log } from '../src/log/log.ts'
import { cpuSecondsOf } from './contender.ts'
import { makePayments } from './workloads/payments.ts'

export const topic = 'payments'
export const customers = 100_000
/** Of the peers. */
export const results = { customers: 'results-customers', terminals: 'results-terminals' } as const
export const partitions = 4

/** A broker of its own for each turn, which begins with the same payments in its topic and nothing else. */
export class KafkaPlace {
  readonly #folder: string
  #cluster: Cluster | null = null

  constructor(folder: string) {
    this.#folder = folder
  }

  get brokers(): string {
    return this.#cluster!.brokers
  }

  get pid(): number {
    return this.#cluster!.nodes[0]!.pid!
  }

  /** Fills the topic, once. Seconds of CPU per million events that it took this process and the broker. */
  async fill(events: number, spanMs: number): Promise<{ readonly generator: number; readonly broker: number }> {
    await this.#start()
    const log = await this.openLog()
    for (const name of [topic, ...Object.values(results)]) await log.createTopic(name, { partitions })
    const stepMs = Math.floor(spanMs / events)
    const values = makePayments({ events, customers, keys: 'uniform', stepMs, startMs: Date.now() - events * stepMs })
    const [own, broker] = [process.cpuUsage(), cpuSecondsOf(this.pid)]
    for (let from = 0; from < events; from += batch) await send(log, values.slice(from, from + batch))
    const used = process.cpuUsage(own)
    const millions = events / 1e6
    const cpu = {
      generator: (used.user + used.system) / 1e6 / millions,
      broker: (cpuSecondsOf(this.pid) - broker) / millions,
    }
    await log.close()
    await this.stop()
    await cp(this.#live, this.#seed, { recursive: true })
    return cpu
  }

  /** As it was after `fill`. */
  async restart(): Promise<void> {
    await rm(this.#live, { recursive: true, force: true })
    await cp(this.#seed, this.#live, { recursive: true })
    await this.#start()
  }

  async stop(): Promise<void> {
    await this.#cluster?.stop()
    this.#cluster = null
  }

  /** As many as lie in the topic. */
  async records(log: Log): Promise<number> {
    await log.refresh(topic)
    return Array.from({ length: partitions }, (_, partition) => log.end(topic, partition)).reduce((a, b) => a + b)
  }

  async withLog<T>(use: (log: Log) => Promise<T>): Promise<T> {
    const log = await this.openLog()
    try {
      return await use(log)
    } finally {
      await log.close()
    }
  }

  async openLog(): Promise<Log> {
    return await openKafkaLog({ brokers: this.brokers, replication: 1, clock: systemClock })
  }

  async #start(): Promise<void> {
    this.#cluster = await startCluster({ folder: this.#live, heapMebibytes: 768 })
  }

  get #live(): string {
    return join(this.#folder, 'cluster')
  }

  get #seed(): string {
    return join(this.#folder, 'seed')
  }
}

const batch = 4_000

/** Payments, keyed by their customer and placed by that key as Java clients do. Resolves when they are durable. */
export async function send(log: Log, values: readonly Uint8Array[]): Promise<void> {
  const timestampMs = Date.now()
  const records = values.map((value) => {
    const key = Buffer.from(/"customerId":(\d+)/.exec(Buffer.from(value).toString('latin1'))![1]!)
    return { key, value, timestampMs, partition: partitionFor(key, partitions) }
  })
  const placed = Map.groupBy(records, ({ partition }) => partition)
  await Promise.all([...placed].map(([partition, list]) => log.append(topic, partition, list)))
}
