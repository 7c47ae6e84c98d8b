import assert from 'node:assert/strict'
import { openReadOnlyLog } from '../../src/app/inspect-folder.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'

/** Keeps every record of a topic whose segments retention removes, for the comparison at the end. */
export class Archive {
  readonly #folder: string
  readonly #topic: string
  readonly #partitions: LogRecord[][] = []
  /** Records that retention has removed by now. */
  removed = 0

  constructor(folder: string, topic: string) {
    this.#folder = folder
    this.#topic = topic
  }

  get records(): number {
    return this.#partitions.reduce((sum, { length }) => sum + length, 0)
  }

  at(partition: number, offset: number): LogRecord | undefined {
    return this.#partitions[partition]?.[offset]
  }

  /** Reads what came since the last time. Nothing may have been removed before it was seen. */
  async follow(): Promise<void> {
    const log = await openReadOnlyLog(this.#folder)
    try {
      await this.take(log)
    } finally {
      await log.close()
    }
  }

  async take(log: Log): Promise<void> {
    this.removed = 0
    const partitions = log.topics().find(({ topic }) => topic === this.#topic)?.partitions ?? 0
    for (let partition = 0; partition < partitions; partition++) {
      const records = (this.#partitions[partition] ??= [])
      this.removed += log.start(this.#topic, partition)
      assert.ok(log.start(this.#topic, partition) <= records.length, 'records were removed before they were archived')
      const end = log.end(this.#topic, partition)
      assert.ok(end >= records.length, 'records that were there are gone')
      while (records.length < end) {
        records.push(...(await log.read(this.#topic, partition, records.length, 1024 * 1024)).records)
      }
    }
  }

  /** The log as if nothing had been removed from the topic. */
  over(log: Log): Log {
    const own = (topic: string): boolean => topic === this.#topic
    return {
      id: log.id,
      createTopic: (topic, options) => log.createTopic(topic, options),
      topics: () => log.topics(),
      append: (topic, partition, records) => log.append(topic, partition, records),
      read: async (topic, partition, offset, bytesMax) => {
        if (!own(topic)) return await log.read(topic, partition, offset, bytesMax)
        const records = this.#partitions[partition]!.slice(offset, offset + 1_000)
        return { records, next: offset + records.length }
      },
      start: (topic, partition) => (own(topic) ? 0 : log.start(topic, partition)),
      end: (topic, partition) => log.end(topic, partition),
      refresh: (topic) => log.refresh(topic),
      offsetAt: (topic, partition, timestampMs) => log.offsetAt(topic, partition, timestampMs),
      waitFor: (topic, partition, offset, signal) => log.waitFor(topic, partition, offset, signal),
      close: () => log.close(),
    }
  }
}
