import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { partitionFor } from '../base/murmur2.ts'
import type { Log, RecordInput } from '../log/log.ts'

/** Records that wait to be written, before who makes them waits. */
const waitingMax = 20_000

export type WriteBehindOptions = {
  readonly log: Log
  readonly clock: Clock
  /** They exist once something is added. Of what waits together, each is written before the next. */
  readonly topics: readonly string[]
}

/**
 * Records that are written behind the answers that they tell of, many at once, each on the partition of its key: those
 * of the last few milliseconds before a process is killed are lost.
 */
export class WriteBehind {
  readonly #log: Log
  readonly #clock: Clock
  readonly #waiting: ReadonlyMap<string, RecordInput[]>
  #writing: Promise<void> | null = null
  #fault: Error | null = null

  constructor({ log, clock, topics }: WriteBehindOptions) {
    this.#log = log
    this.#clock = clock
    this.#waiting = new Map(topics.map((topic) => [topic, []]))
  }

  /** Why nothing is written any more; null while it is. */
  get fault(): Error | null {
    return this.#fault
  }

  add(topic: string, record: RecordInput): void {
    if (this.#fault !== null) return
    const waiting = this.#waiting.get(topic)
    assert(waiting !== undefined, 'a record is for one of the topics')
    waiting.push(record)
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null
    })
  }

  /** Waits while too many do. */
  async room(): Promise<void> {
    while (this.#count >= waitingMax && this.#fault === null) await this.#writing
  }

  async close(): Promise<void> {
    while (this.#writing !== null) await this.#writing
  }

  get #count(): number {
    let count = 0
    for (const waiting of this.#waiting.values()) count += waiting.length
    return count
  }

  async #write(): Promise<void> {
    await this.#clock.turn()
    while (this.#count > 0 && this.#fault === null) {
      // Taken together: what is added while the first topic is written belongs to the next turn, in all topics.
      const taken = [...this.#waiting].map(([topic, waiting]) => [topic, waiting.splice(0)] as const)
      try {
        for (const [topic, records] of taken) await this.#append(topic, records)
      } catch (error) {
        this.#fault = error instanceof Error ? error : new Error(String(error))
      }
    }
  }

  async #append(topic: string, records: readonly RecordInput[]): Promise<void> {
    if (records.length === 0) return
    const found = this.#log.topics().find((one) => one.topic === topic)
    assert(found !== undefined, 'the topic was made before something was written to it')
    const parts = Map.groupBy(records, ({ key }) => partitionFor(key!, found.partitions))
    await Promise.all([...parts].map(([partition, own]) => this.#log.append(topic, partition, own)))
  }
}
