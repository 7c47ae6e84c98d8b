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
  /** Left out: what is written besides is all, and comes out the same however often it is asked. */
  readonly answer?: RecordInput
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
   * Answers some requests of a partition, in their order, at most one answer each. What a request is at fault for is an
   * answer too; what this throws stops the partition. Null: none is to be had, which has to come out the same however
   * often it is asked. `later`: it was held up, and is asked again.
   */
  readonly answer: (requests: readonly Request[], context: AnswerContext) => Promise<readonly Answered[]>
  /** Requests that are answered together, with one append. Default 256. */
  readonly batchMax?: number
  /** What is before is not asked about; it may grow. Default: nothing is. */
  readonly from?: (partition: number) => number
  /** Resolves when answering may go on, or when `signal` aborts. */
  readonly gate?: (signal: AbortSignal) => Promise<void>
}

/** `signal`: aborted when no more answers are waited for. */
export type AnswerContext = { readonly partition: number; readonly signal: AbortSignal }

export type Answered = Answer | null | 'later'

export type AnsweredPartition = {
  readonly topic: string
  readonly partition: number
  /** Everything before is answered. */
  readonly next: number
  /** The timestamp of the first request that is read and not answered; null: there is none. */
  readonly oldestMs: number | null
  /** Why it stopped; null while it goes on. */
  readonly fault: Error | null
}

const readBytesMax = 256 * 1024
/** Answered together, with one append. */
const batchMaxDefault = 256
const checkpointMs = 1_000
/** What a recovery may have to look through of a topic that others write to, before its place is noted anew. */
const scanMax = 50_000

/**
 * Answers each record of a request topic with exactly one record of an answer topic, or none: those of partition p on partition
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
  #oldestMs: number | null = null
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

  get oldestMs(): number | null {
    return this.#oldestMs
  }

  get fault(): Error | null {
    return this.#fault
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log, batchMax = batchMaxDefault } = this.#options
    try {
      await this.#recover()
      while (!signal.aborted) {
        this.#passOver()
        if (this.#next >= log.end(this.topic, this.partition)) {
          await log.waitFor(this.topic, this.partition, this.#next, signal)
          continue
        }
        const { records, next } = await log.read(this.topic, this.partition, this.#next, readBytesMax)
        let isHeldUp = false
        for (let from = 0; from < records.length && !signal.aborted && !isHeldUp; from += batchMax) {
          isHeldUp = !(await this.#answer(records.slice(from, from + batchMax), signal))
        }
        if (!signal.aborted && !isHeldUp) this.#advance(Math.max(next, this.#next))
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
    const note = readNote(store.get(this.#key), log)
    const start = log.start(this.topic, this.partition)
    const next = Math.max(note?.next ?? 0, start, this.#options.from?.(this.partition) ?? 0)
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

  /** Goes to where answering begins by now. */
  #passOver(): void {
    const { from, log } = this.#options
    const begins = Math.min(from?.(this.partition) ?? 0, log.end(this.topic, this.partition))
    if (begins > this.#next) this.#advance(begins)
  }

  #remember(topic: string, offset: number, record: LogRecord): void {
    let found = this.#found.get(offset)
    if (found === undefined) this.#found.set(offset, (found = new Map()))
    found.set(topic, record)
  }

  /** Resolves with whether all of them were; those that were not are asked again. */
  async #answer(records: readonly LogRecord[], signal: AbortSignal): Promise<boolean> {
    const { answers, answer, gate } = this.#options
    this.#oldestMs = records[0]!.timestampMs
    await gate?.(signal)
    if (signal.aborted) return false
    this.#passOver()
    const open = records.filter(({ offset }) => offset >= this.#next && !this.#has(answers, offset))
    let next = Math.max(this.#next, records.at(-1)!.offset + 1)
    if (open.length > 0) {
      const given = await answer(
        open.map((record) => ({ record, found: this.#found.get(record.offset) ?? nothing })),
        { partition: this.partition, signal },
      )
      assert(given.length === open.length, 'there is something said of each request')
      const made = given.flatMap((one, index) =>
        one === null || one === 'later' ? [] : [{ ...one, request: open[index]! }],
      )
      const at = await this.#write(made)
      const held = given.indexOf('later')
      if (held >= 0) {
        next = open[held]!.offset
        // What is answered behind it is not asked about again.
        const [topic, partition] = [answers, this.#partitionOf(answers)]
        for (const [index, { request }] of made.filter(({ answer }) => answer !== undefined).entries()) {
          if (request.offset > next) {
            this.#written.add({ topic, partition, offset: at + index }, this.#coordinates(request.offset))
          }
        }
        this.#advance(next)
        return false
      }
    }
    this.#advance(next)
    this.#oldestMs = null
    return true
  }

  /** Resolves with the offset of the first answer. */
  async #write(made: readonly (Answer & { readonly request: LogRecord })[]): Promise<number> {
    if (made.length === 0) return 0
    const { log, answers } = this.#options
    const beside = new Map<string, RecordInput[]>()
    for (const { besides = [], request } of made) {
      for (const { topic, record } of besides) {
        const list = beside.get(topic)
        if (list === undefined) beside.set(topic, [this.#withSource(record, request)])
        else list.push(this.#withSource(record, request))
      }
    }
    await Promise.all([...beside].map(([topic, list]) => log.append(topic, this.#partitionOf(topic), list)))
    const list = made.flatMap(({ answer, request }) =>
      answer === undefined ? [] : [this.#withSource(answer, request)],
    )
    const at = list.length === 0 ? 0 : await log.append(answers, this.#partitionOf(answers), list)
    for (const { request } of made) this.#found.delete(request.offset)
    return at
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

/** Up to where each partition of the requests is answered, as the store has it: 0 where it has no note of this log. */
export function notedPlaces(
  { log, store }: Pick<AnswererOptions, 'log' | 'store'>,
  name: string,
  requests: string,
): number[] {
  return Array.from({ length: countOf(log, requests) }, (_, partition) => {
    return readNote(store.get(answeredKey(name, partition)), log)?.next ?? 0
  })
}

function readNote(bytes: Uint8Array | undefined, log: Log): Note | null {
  const stored = bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString()) as Note)
  return stored?.log === log.id ? stored : null
}

const nothing: ReadonlyMap<string, LogRecord> = new Map()

function countOf(log: Log, topic: string): number {
  const found = log.topics().find((one) => one.topic === topic)
  assert(found !== undefined, 'topics of requests and answers exist')
  return found.partitions
}
