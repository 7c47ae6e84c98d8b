import { MillraceError } from '../base/faults.ts'
import type { Log, LogRecord } from '../log/log.ts'

export type ChangeLogOptions = {
  readonly log: Log
  readonly topic: string
  /** Takes each record once, in order, and decides whether it counts. What it throws ends the reading for good. */
  readonly take: (record: LogRecord) => void
}

const readBytesMax = 4 * 1024 * 1024

/**
 * Changes in a topic of one partition, read from its start. Each writer appends what it wants and reads back: the order
 * of the log decides between writers that do not know of each other, without a lock.
 */
export class ChangeLog {
  readonly #log: Log
  readonly #topic: string
  readonly #take: ChangeLogOptions['take']
  #next = 0
  #reading: Promise<void> = Promise.resolve()

  constructor({ log, topic, take }: ChangeLogOptions) {
    this.#log = log
    this.#topic = topic
    this.#take = take
  }

  /** Where reading goes on. */
  get next(): number {
    return this.#next
  }

  /** Reads what was appended since, by whomever. Throws `REGISTRY_CORRUPT`, and what taking a record throws. */
  async refresh(): Promise<void> {
    // One after the other: each record is taken once, in order. A fault stays for all who come after.
    this.#reading = this.#reading.then(() => this.#read())
    await this.#reading
  }

  get exists(): boolean {
    return this.#log.topics().some(({ topic }) => topic === this.#topic)
  }

  async create(): Promise<void> {
    await this.#log.createTopic(this.#topic, { partitions: 1 })
  }

  /** Appends a change and reads up to it. Resolves with its offset. */
  async append(record: { readonly key: Uint8Array | null; value: Uint8Array; timestampMs: number }): Promise<number> {
    await this.create()
    const offset = await this.#log.append(this.#topic, 0, [record])
    await this.refresh()
    return offset
  }

  async #read(): Promise<void> {
    if (!this.exists) return
    await this.#log.refresh(this.#topic)
    const start = this.#log.start(this.#topic, 0)
    if (start > 0) {
      throw new MillraceError('REGISTRY_CORRUPT', { place: `${this.#topic}/0@0`, detail: `the log begins at ${start}` })
    }
    while (this.#next < this.#log.end(this.#topic, 0)) {
      const { records, next } = await this.#log.read(this.#topic, 0, this.#next, readBytesMax)
      for (const record of records) {
        this.#take(record)
        this.#next = record.offset + 1
      }
      this.#next = next
    }
  }
}
