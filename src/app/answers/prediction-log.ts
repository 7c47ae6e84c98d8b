import { randomUUID } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../log/log.ts'
import { modelInputTopic, predictionsTopic } from '../../plan/topics.ts'
import { planDigits } from '../../stream/feature-record.ts'
import type { DirectPredictions } from '../models.ts'
import { WriteBehind } from '../write-behind.ts'
import { askedText, inputText, predictionText } from './answer-text.ts'

/** The vectors first, as for every prediction in the log. */
const topics = [modelInputTopic, predictionsTopic]

/**
 * Puts predictions that were asked for by HTTP or the library on `model-input` and `predictions`, as those that came
 * through the log are: behind their answers (`WriteBehind`).
 */
export class PredictionLog {
  readonly #clock: Clock
  readonly #behind: WriteBehind

  constructor({ log, clock }: { readonly log: Log; readonly clock: Clock }) {
    this.#clock = clock
    this.#behind = new WriteBehind({ log, clock, topics })
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
    return this.#behind.fault
  }

  add({ name, plan, planHash, entities, ids, read, predictions }: DirectPredictions): void {
    if (this.fault !== null) return
    const timestampMs = this.#clock.now()
    for (const [row, keys] of entities.entries()) {
      const about = { request_id: ids?.[row] ?? randomUUID() }
      const asOf = read.asOf[row]!
      const said = { about, keys, asOf, prefix: read.prefix, plan: planHash.slice(0, planDigits) }
      const asked = { ...said, taken: { name, plan }, vector: read.vectors[row]!, text: askedText(said) }
      const key = Buffer.from(asked.text.keys)
      const put = (topic: string, text: string): void =>
        this.#behind.add(topic, { key, value: Buffer.from(text), timestampMs })
      put(modelInputTopic, inputText(asked))
      put(predictionsTopic, predictionText(asked, predictions[row]!, timestampMs))
    }
  }

  async room(): Promise<void> {
    await this.#behind.room()
  }

  async close(): Promise<void> {
    await this.#behind.close()
  }
}
