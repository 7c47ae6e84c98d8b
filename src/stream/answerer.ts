import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Log, LogRecord, RecordInput } from '../log/log.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { faultOf } from './engine-faults.ts'
import { coordinateHeaders, type Coordinates, coordinatesIn } from './output-headers.ts'
import { answeredKey } from './store-keys.ts'
import { WrittenOutputs } from './written-outputs.ts'

/** A request that has no answer, with what an earlier attempt has left of one: the last record of each of `besides`. */
export type Request = { readonly record: LogRecord; readonly found: ReadonlyMap<string, LogRecord> }

/** What is written for a request. Headers that say which request it was are added. */
export type Answer = {
  readonly answer: RecordInput
  /** Records of `besides`, durable before the answer is: those that were not found. */
  readonly besides?: readonly { readonly topic: string; readonly record: RecordInput }[]
}

export type AnswererOptions = {
  /** Names it in headers and in the store: never changed, and no two are alike. */
  readonly name: string
  readonly requests: string
  /** Where answers go. Others may write to it as well. */
  readonly answers: string
  /** Topics of what answers have beside them. */
  readonly besides: readonly string[]
  readonly log: Log
  readonly store: OnlineStore
  readonly clock: Clock
  /**
   * Answers some requests of a partition, one answer each, in their order. What a request is at fault for is an answer
   * too; what this throws stops the partition.
   */
  readonly answer: (requests: readonly Request[], partition: number) => Promise<readonly Answer[]>
}

export type AnsweredPartition = {
  readonly topic: string
  readonly partition: number
  /** Everything before is answered. */
  readonly next: number
  /** Why it stopped; null while it goes on. */
  readonly fault: Error | null
}

const readBytesMax = 256 * 1024
/** Answered together, with one append. */
const batchMax = 256
const checkpointMs = 1_000
/** What a recovery may have to look through of a topic that others write to, before its place is noted anew. */
const scanMax = 50_000

/**
 * Answers each record of a request topic with exactly one record of an answer topic: those of partition p on partition
 * p (modulo their number, where there are fewer), in their order.
 *
 * Exactly once, with no state that counts but the log: an answer carries the coordinates of its request, and whoever
 * starts looks through the answers for those that are there. The place noted in the store only bounds how far it has to
 * look; without one it looks through all of them. So the answer that is written first stands, whatever a second attempt
 * would have found a moment later.
 */
export class Answerer {
  readonly #options: AnswererOptions
  readonly #stop = new AbortController()
  readonly #partitions: Partition[]
  #running: Promise<void> | null = null

  /** The topics exist. */
  constructor(options: AnswererOptions) {
    this.#options = options
    const count = countOf(options.log, options.requests)
    this.#partitions = Array.from({ length: count }, (_, partition) => new Partition(options, partition))
  }

  /** Answers what is there and what comes. Each partition first looks for what is answered already. */
  start(): void {
    assert(this.#running === null, 'an answerer is started once')
    const { signal } = this.#stop
    this.#running = Promise.all([...this.#partitions.map((one) => one.run(signal)), this.#keepNoting(signal)]).then(
      () => undefined,
    )
  }

  get partitions(): readonly AnsweredPartition[] {
    return this.#partitions
  }

  /** Resolves once every request that is durable now is answered. Throws why a partition has stopped. */
  async caughtUp(): Promise<void> {
    const { log, requests, clock } = this.#options
    const ends = this.#partitions.map(({ partition }) => log.end(requests, partition))
    for (const [index, one] of this.#partitions.entries()) {
      while (one.next < ends[index]!) {
        if (one.fault !== null) throw one.fault
        if (this.#stop.signal.aborted) throw new MillraceError('ENGINE_STOPPED', { detail: 'it was closed' })
        await clock.sleep(1, this.#stop.signal)
      }
    }
  }

  /** Finishes what is under way and notes how far it got. Log and store stay open. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** A store that fails here fails the engine's checkpoints too, which tell of it: nothing depends on these notes. */
  async #keepNoting(signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#options
    for (;;) {
      await clock.sleep(checkpointMs, signal)
      const changes = this.#partitions.flatMap((one) => one.takeNote() ?? [])
      if (changes.length > 0) await store.write(changes).catch(() => undefined)
      if (signal.aborted) return
    }
  }
}

type Note = { readonly log: string; readonly next: number; readonly ends: Readonly<Record<string, number>> }

/** One partition of the requests, and where it is in them. */
class Partition implements AnsweredPartition {
  readonly topic: string
  readonly partition: number
  readonly #options: AnswererOptions
  readonly #written = new WrittenOutputs()
  /** What was written beside answers that are not there. */
  readonly #found = new Map<number, Map<string, LogRecord>>()
  readonly #key: Uint8Array
  #next = -1
  #note: Note | null = null
  #noted: Note | null = null
  #fault: Error | null = null

  constructor(options: AnswererOptions, partition: number) {
    this.#options = options
    this.topic = options.requests
    this.partition = partition
    this.#key = answeredKey(options.name, partition)
  }

  get next(): number {
    return this.#next
  }

  get fault(): Error | null {
    return this.#fault
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    try {
      await this.#recover()
      while (!signal.aborted) {
        if (this.#next >= log.end(this.topic, this.partition)) {
          await log.waitFor(this.topic, this.partition, this.#next, signal)
          continue
        }
        const { records, next } = await log.read(this.topic, this.partition, this.#next, readBytesMax)
        for (let from = 0; from < records.length && !signal.aborted; from += batchMax) {
          await this.#answer(records.slice(from, from + batchMax))
        }
        if (!signal.aborted) this.#advance(next)
      }
    } catch (error) {
      if (!signal.aborted) this.#fault = faultOf(error)
    }
  }

  /** What the store is to keep, when there is something new to say. */
  takeNote(): readonly StoreChange[] | null {
    const [now, before] = [this.#currentNote(), this.#noted]
    if (now === null) return null
    const isNew = before === null || now.next !== before.next
    const isFar = Object.entries(now.ends).some(([topic, end]) => end - (before?.ends[topic] ?? 0) > scanMax)
    if (!isNew && !isFar) return null
    this.#noted = now
    return [[this.#key, Buffer.from(JSON.stringify(now))]]
  }

  /** Where nothing has been asked since, the others' records since then are none of this partition's. */
  #currentNote(): Note | null {
    const isIdle = this.#note !== null && this.#next >= this.#options.log.end(this.topic, this.partition)
    return isIdle ? { ...this.#note!, ends: this.#ends() } : this.#note
  }

  /** Finds out what is answered, and what was begun. */
  async #recover(): Promise<void> {
    const { log, store, name, answers, besides } = this.#options
    await log.refresh(this.topic)
    const bytes = store.get(this.#key)
    const stored = bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString()) as Note)
    const note = stored?.log === log.id ? stored : null
    const start = log.start(this.topic, this.partition)
    const next = Math.max(note?.next ?? 0, start)
    // Answers first: where there is one, what was written beside it is of no interest.
    for (const topic of [answers, ...besides]) {
      await log.refresh(topic)
      const partition = this.#partitionOf(topic)
      const end = log.end(topic, partition)
      let offset = Math.max(note?.ends[topic] ?? 0, log.start(topic, partition))
      while (offset < end) {
        const read = await log.read(topic, partition, offset, 1024 * 1024)
        for (const record of read.records) {
          const source = coordinatesIn(record)
          if (source.stream !== name || source.topic !== this.topic || source.partition !== this.partition) continue
          if (source.offset < next) continue
          this.#written.add({ topic, partition, offset: record.offset }, source)
          if (topic !== answers && !this.#has(answers, source.offset)) this.#remember(topic, source.offset, record)
        }
        offset = read.next
      }
    }
    this.#advance(next)
  }

  #remember(topic: string, offset: number, record: LogRecord): void {
    let found = this.#found.get(offset)
    if (found === undefined) this.#found.set(offset, (found = new Map()))
    found.set(topic, record)
  }

  async #answer(records: readonly LogRecord[]): Promise<void> {
    const { log, answers, answer } = this.#options
    const open = records.filter(({ offset }) => !this.#has(answers, offset))
    if (open.length > 0) {
      const given = await answer(
        open.map((record) => ({ record, found: this.#found.get(record.offset) ?? nothing })),
        this.partition,
      )
      assert(given.length === open.length, 'there is one answer to each request')
      const beside = new Map<string, RecordInput[]>()
      for (const [index, { besides = [] }] of given.entries()) {
        for (const { topic, record } of besides) {
          const list = beside.get(topic)
          if (list === undefined) beside.set(topic, [this.#withSource(record, open[index]!)])
          else list.push(this.#withSource(record, open[index]!))
        }
      }
      await Promise.all([...beside].map(([topic, list]) => log.append(topic, this.#partitionOf(topic), list)))
      const list = given.map((one, index) => this.#withSource(one.answer, open[index]!))
      await log.append(answers, this.#partitionOf(answers), list)
      for (const { offset } of open) this.#found.delete(offset)
    }
    this.#advance(records.at(-1)!.offset + 1)
  }

  /** Everything that this partition has written so far is of requests before `next`, but for what a recovery found. */
  #advance(next: number): void {
    this.#next = next
    const ahead = this.#written.aheadFrom(() => next)
    const ends = this.#ends()
    for (const topic of Object.keys(ends)) {
      ends[topic] = Math.min(ends[topic]!, ahead.get(`${topic}/${this.#partitionOf(topic)}`) ?? ends[topic]!)
    }
    this.#note = { log: this.#options.log.id, next, ends }
  }

  #ends(): Record<string, number> {
    const { log, answers, besides } = this.#options
    return Object.fromEntries([answers, ...besides].map((topic) => [topic, log.end(topic, this.#partitionOf(topic))]))
  }

  #has(topic: string, offset: number): boolean {
    return this.#written.has(topic, this.#coordinates(offset))
  }

  #withSource(record: RecordInput, { offset }: LogRecord): RecordInput {
    const source = Object.entries(coordinateHeaders(this.#coordinates(offset)))
    const headers = source.map(([name, value]) => [name, Buffer.from(value)] as const)
    return { ...record, headers: [...(record.headers ?? []), ...headers] }
  }

  #coordinates(offset: number): Coordinates {
    return { stream: this.#options.name, topic: this.topic, partition: this.partition, offset }
  }

  #partitionOf(topic: string): number {
    return this.partition % countOf(this.#options.log, topic)
  }
}

const nothing: ReadonlyMap<string, LogRecord> = new Map()

function countOf(log: Log, topic: string): number {
  const found = log.topics().find((one) => one.topic === topic)
  assert(found !== undefined, 'topics of requests and answers exist')
  return found.partitions
}
