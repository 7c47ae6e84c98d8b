import { randomUUID } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { partitionFor } from '../../base/murmur2.ts'
import type { Log, RecordInput } from '../../log/log.ts'
import { modelInputTopic, predictionsTopic } from '../../plan/topics.ts'
import { planDigits } from '../../stream/feature-record.ts'
import type { DirectPredictions } from '../models.ts'
import { askedText, inputText, predictionText } from './answer-text.ts'

type Waiting = { readonly topic: string; readonly key: Uint8Array; readonly record: RecordInput }

/** Records that wait to be written, before predictions wait for them. */
const waitingMax = 20_000
const topics = [modelInputTopic, predictionsTopic]

/**
 * Writes predictions that were asked for by HTTP or the library to `model-input` and `predictions`, as those that came
 * through the log are, behind their answers: those of the last few milliseconds before a process is killed are lost.
 */
export class PredictionLog {
  readonly #log: Log
  readonly #clock: Clock
  #waiting: Waiting[] = []
  #writing: Promise<void> | null = null
  #fault: Error | null = null

  constructor({ log, clock }: { readonly log: Log; readonly clock: Clock }) {
    this.#log = log
    this.#clock = clock
  }

  /** With its topics. */
  static async open(options: {
    readonly log: Log
    readonly clock: Clock
    readonly partitions: number
  }): Promise<PredictionLog> {
    const { log, partitions } = options
    const missing = topics.filter((topic) => log.topics().every((one) => one.topic !== topic))
    for (const topic of missing) await log.createTopic(topic, { partitions })
    return new PredictionLog(options)
  }

  /** Why nothing is written any more; null while it is. */
  get fault(): Error | null {
    return this.#fault
  }

  add({ name, plan, planHash, entities, ids, read, predictions }: DirectPredictions): void {
    if (this.#fault !== null) return
    const nowMs = this.#clock.now()
    for (const [row, keys] of entities.entries()) {
      const about = { request_id: ids?.[row] ?? randomUUID() }
      const asOf = read.asOf[row]!
      const said = { about, keys, asOf, prefix: read.prefix, plan: planHash.slice(0, planDigits) }
      const asked = { ...said, taken: { name, plan }, vector: read.vectors[row]!, text: askedText(said) }
      const key = Buffer.from(asked.text.keys)
      for (const [topic, text] of [
        [modelInputTopic, inputText(asked)],
        [predictionsTopic, predictionText(asked, predictions[row]!, nowMs)],
      ] as const) {
        this.#waiting.push({ topic, key, record: { key, value: Buffer.from(text), timestampMs: nowMs } })
      }
    }
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null
    })
  }

  async room(): Promise<void> {
    while (this.#waiting.length >= waitingMax && this.#fault === null) await this.#writing
  }

  async close(): Promise<void> {
    while (this.#writing !== null) await this.#writing
  }

  async #write(): Promise<void> {
    await this.#clock.turn()
    while (this.#waiting.length > 0 && this.#fault === null) {
      const waiting = this.#waiting
      this.#waiting = []
      try {
        // The vectors first, as for every prediction in the log.
        for (const topic of topics) await this.#append(topic, waiting)
      } catch (error) {
        this.#fault = error instanceof Error ? error : new Error(String(error))
      }
    }
  }

  async #append(topic: string, waiting: readonly Waiting[]): Promise<void> {
    const { partitions } = this.#log.topics().find((one) => one.topic === topic)!
    const own = waiting.filter((one) => one.topic === topic)
    const parts = Map.groupBy(own, ({ key }) => partitionFor(key, partitions))
    const appends = [...parts].map(([partition, list]) =>
      this.#log.append(
        topic,
        partition,
        list.map(({ record }) => record),
      ),
    )
    await Promise.all(appends)
  }
}
