import type { MillraceError } from '../../base/faults.ts'
import type { LogRead } from '../log.ts'
import { Waiters } from '../waiters.ts'
import { type Chunk, readChunks } from './fetched-batches.ts'

/** A partition as this process knows it: who leads it, where it begins and ends, and what was fetched of it ahead. */
export class KafkaPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly waiters: Waiters = new Waiters()
  /** -1: nobody at the moment. */
  leader = -1
  leaderEpoch = -1
  /** Polls for which this goes on being fetched ahead though nobody reads it. */
  interest = 0
  /** How many wait for records of it. */
  waiting = 0
  /** What the poll that is under way fetches of it. */
  polling: { readonly offset: number; readonly done: Promise<void> } | null = null
  #start = 0
  #end = 0
  #chunks: Chunk[] = []
  #next = 0
  #epoch = -1
  #failure: MillraceError | null = null

  constructor(topic: string, topicId: string, partition: number) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  /** Why nothing can be read or written here any more. */
  get failure(): MillraceError | null {
    return this.#failure
  }

  /** Where fetching goes on. */
  get next(): number {
    return this.#next
  }

  /** Leader epoch of what was fetched last, if that is what comes before `offset`. */
  epochBefore(offset: number): number {
    return offset === this.#next ? this.#epoch : -1
  }

  get bufferedBytes(): number {
    return this.#chunks.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Of an answer: both only ever grow. */
  learn(start: number, end: number): void {
    this.#start = Math.max(this.#start, start)
    if (end <= this.#end) return
    this.#end = end
    this.waiters.wake(end)
  }

  /** Keeps what was fetched if it goes on from what is here, or starts anew with it. */
  keep(chunk: Chunk): void {
    if (chunk.from !== this.#next) this.#chunks = []
    if (chunk.next > chunk.from) this.#chunks.push(chunk)
    this.#next = chunk.next
    if (chunk.epoch >= 0) this.#epoch = chunk.epoch
  }

  /** Drops what was fetched, and goes on from another offset. */
  restartFrom(offset: number): void {
    this.#chunks = []
    this.#next = offset
    this.#epoch = -1
  }

  /** What is here from `offset` on; null when that has to be fetched. Drops what lies before. */
  take(offset: number, bytesMax: number): LogRead | null {
    const index = this.#chunks.findIndex(({ from, next }) => from <= offset && offset < next)
    if (index === -1) {
      // All of it was read: it leaves its room to what comes.
      if (offset === this.#next) this.#chunks = []
      return null
    }
    this.#chunks.splice(0, index)
    return readChunks(this.#chunks, { topic: this.topic, partition: this.partition, offset }, bytesMax)
  }

  fail(failure: MillraceError): void {
    this.#failure ??= failure
    this.waiters.fail(this.#failure)
  }
}
