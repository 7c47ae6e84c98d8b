import { MillraceError } from '../../../src/base/faults.ts'
import type { Log, LogRead, LogRecord, RecordInput, TopicDescription } from '../../../src/log/log.ts'
import { Waiters } from '../../../src/log/waiters.ts'
import type { Random } from '../random.ts'
import type { Actor, Scheduler } from '../scheduler.ts'

type Partition = { records: LogRecord[]; end: number }

/** Probabilities per call of one process. */
export type LogFaults = {
  readonly slow: number
  /** An append is refused. */
  readonly refused: number
  /** An append has no answer: it is there, is not, or comes to be there later. */
  readonly lost: number
}

/** A log that several processes share, over a network that delays and loses: what a cluster of Kafka is to them. */
export class SimulatedLog {
  readonly #topics = new Map<string, Partition[]>()
  readonly #mounts = new Set<MountedLog>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  mount(scheduler: Scheduler, actor: Actor, faults: LogFaults): Log {
    const mounted = new MountedLog(this, { scheduler, actor, faults, random: this.#random })
    this.#mounts.add(mounted)
    return mounted
  }

  create(topic: string, partitions: number): void {
    if (this.#topics.has(topic)) return
    this.#topics.set(
      topic,
      Array.from({ length: partitions }, () => ({ records: [], end: 0 })),
    )
  }

  get topics(): readonly TopicDescription[] {
    return [...this.#topics].map(([topic, { length: partitions }]) => ({ topic, partitions, retentionMs: null }))
  }

  partition(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.[partition]
    if (found === undefined) throw new MillraceError('LOG_TOPIC_UNKNOWN', { topic, topics: '' })
    return found
  }

  append(topic: string, partition: number, records: readonly RecordInput[]): number {
    const place = this.partition(topic, partition)
    const base = place.end
    for (const { key, value, timestampMs, headers = [] } of records) {
      place.records.push({ offset: place.end, key, value, timestampMs, headers })
      place.end += 1
    }
    for (const mounted of this.#mounts) mounted.woken(topic, partition)
    return base
  }

  /** Of all but the newest so many records, the newest of each key. */
  compact(topic: string, partition: number, newest: number): number {
    const place = this.partition(topic, partition)
    const before = place.records.length
    const last = new Map(place.records.map(({ key, offset }) => [Buffer.from(key!).toString('latin1'), offset]))
    place.records = place.records.filter(
      ({ key, offset }, index) => index >= before - newest || last.get(Buffer.from(key!).toString('latin1')) === offset,
    )
    return before - place.records.length
  }
}

type Mount = {
  readonly scheduler: Scheduler
  readonly actor: Actor
  readonly faults: LogFaults
  readonly random: Random
}

class MountedLog implements Log {
  readonly id = 'simulated'
  readonly #log: SimulatedLog
  readonly #mount: Mount
  /** What this process knows of ends, its appends on their way, and who waits. By topic and partition. */
  readonly #ends = new Map<string, number>()
  readonly #newest = new Map<string, Promise<unknown>>()
  readonly #waiters = new Map<string, Waiters>()

  constructor(log: SimulatedLog, mount: Mount) {
    this.#log = log
    this.#mount = mount
  }

  async createTopic(topic: string, { partitions }: { readonly partitions: number }): Promise<void> {
    this.#log.create(topic, partitions)
    await Promise.resolve()
  }

  topics(): readonly TopicDescription[] {
    return this.#log.topics
  }

  append(topic: string, partition: number, records: readonly RecordInput[]): Promise<number> {
    const place = `${topic}/${partition}`
    const appended = (this.#newest.get(place) ?? Promise.resolve()).then(() => this.#append(topic, partition, records))
    this.#newest.set(
      place,
      appended.catch(() => undefined),
    )
    return appended
  }

  async #append(topic: string, partition: number, records: readonly RecordInput[]): Promise<number> {
    const { faults, random, scheduler, actor } = this.#mount
    const write = (): number => this.#log.append(topic, partition, records)
    const unreachable = new MillraceError('KAFKA_UNREACHABLE', { brokers: 'simulated', detail: 'it fails' })
    const fate = random.next()
    const run = (): number => {
      if (fate < faults.refused) throw unreachable
      if (fate >= faults.refused + faults.lost) return this.#learn(topic, partition, write())
      const kind = random.below(3)
      if (kind === 0) write()
      // What was sent may still lie somewhere in the network.
      if (kind === 1)
        void scheduler.step({ actor: network, label: 'late append' }, write, { delayMs: random.below(20_000) })
      throw unreachable
    }
    // The newest of what a process had under way when it died may be there.
    const abandon = (): void => {
      if (random.chance(0.5)) write()
    }
    return await scheduler.step({ actor, label: `append ${topic}` }, run, { delayMs: this.#delay(), abandon })
  }

  async read(topic: string, partition: number, offset: number, _bytesMax: number): Promise<LogRead> {
    const { scheduler, actor, random } = this.#mount
    const run = (): LogRead => {
      const { records, end } = this.#log.partition(topic, partition)
      this.#learn(topic, partition, 0)
      if (offset > end) {
        throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { topic, partition, offset, start: 0, end })
      }
      const found = records.filter((record) => record.offset >= offset).slice(0, 1 + random.below(20))
      const last = records.at(-1)
      const isAll = found.at(-1) === last
      return { records: found, next: isAll ? end : found.at(-1)!.offset + 1 }
    }
    return await scheduler.step({ actor, label: `read ${topic}` }, run, { delayMs: this.#delay() })
  }

  start(): number {
    return 0
  }

  end(topic: string, partition: number): number {
    return this.#ends.get(`${topic}/${partition}`) ?? 0
  }

  async refresh(topic: string): Promise<void> {
    const { scheduler, actor } = this.#mount
    const { partitions } = this.#log.topics.find((one) => one.topic === topic)!
    const run = (): void => {
      for (let partition = 0; partition < partitions; partition++) this.#learn(topic, partition, 0)
    }
    await scheduler.step({ actor, label: `refresh ${topic}` }, run, { delayMs: this.#delay() })
  }

  async offsetAt(): Promise<number> {
    return await Promise.reject(new Error('nobody asks for it'))
  }

  async waitFor(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.end(topic, partition) > offset) return
    const place = `${topic}/${partition}`
    const waiters = this.#waiters.get(place) ?? new Waiters()
    this.#waiters.set(place, waiters)
    const waiting = waiters.wait(offset, signal)
    this.woken(topic, partition)
    await waiting
  }

  /** Somebody has appended: this process hears of it some time later. */
  woken(topic: string, partition: number): void {
    const place = `${topic}/${partition}`
    const waiters = this.#waiters.get(place)
    const { scheduler, actor } = this.#mount
    if (waiters === undefined || actor.dead || this.#log.partition(topic, partition).end <= this.end(topic, partition))
      return
    const run = (): void => {
      this.#learn(topic, partition, 0)
      waiters.wake(this.end(topic, partition))
    }
    void scheduler.step({ actor, label: `wake ${topic}` }, run, { delayMs: this.#delay() })
  }

  async close(): Promise<void> {}

  #learn(topic: string, partition: number, base: number): number {
    this.#ends.set(`${topic}/${partition}`, this.#log.partition(topic, partition).end)
    return base
  }

  #delay(): number {
    const { faults, random } = this.#mount
    return random.chance(faults.slow) ? random.pick([1, 5, 100, 6_000, 15_000]) : 0
  }
}

const network: Actor = { name: 'network', dead: false }
