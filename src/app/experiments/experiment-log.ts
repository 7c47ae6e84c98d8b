import type { Clock } from '../../base/clock.ts'
import { partitionFor } from '../../base/murmur2.ts'
import type { Log, RecordInput } from '../../log/log.ts'
import type { Prediction } from '../../model/predictor.ts'
import { experimentDataTopic } from '../../plan/topics.ts'
import { formatInstant } from '../../schema/instant.ts'
import type { ModelName } from '../models.ts'

/** A record of `experiment-data`: what a subject was given, and by which arm. */
export type Exposure = {
  readonly user_id: string
  readonly variant: string
  readonly prediction: unknown
  readonly timestamp: string
  readonly experiment_id: string
  readonly outcome: Prediction['outcome']
  readonly model: string
  readonly model_version: number
  /** Of a shadow: it was not served. */
  readonly shadow?: true
}

export function exposureOf(
  about: {
    readonly experiment: string
    readonly unit: string
    readonly arm: string
    readonly model: ModelName
    readonly shadow: boolean
  },
  prediction: Prediction,
  nowMs: number,
): Exposure {
  const output = prediction.outcome === 'served' ? prediction.output : {}
  return {
    user_id: about.unit,
    variant: about.arm,
    prediction: output['prediction'] ?? Object.values(output)[0] ?? null,
    timestamp: formatInstant(nowMs),
    experiment_id: about.experiment,
    outcome: prediction.outcome,
    model: about.model.name,
    model_version: about.model.version,
    ...(about.shadow ? { shadow: true as const } : {}),
  }
}

/** Records that wait to be written, before predictions wait for them. */
const waitingMax = 20_000

/**
 * Writes exposures of predictions that are asked for directly, behind their answers: those of the last few milliseconds
 * before a process is killed are lost. Those of requests that come through the log are written with their answers.
 */
export class ExperimentLog {
  readonly #log: Log
  readonly #clock: Clock
  #waiting: { readonly unit: string; readonly record: RecordInput }[] = []
  #writing: Promise<void> | null = null
  #fault: Error | null = null

  constructor({ log, clock }: { readonly log: Log; readonly clock: Clock }) {
    this.#log = log
    this.#clock = clock
  }

  static async createTopic({ log, partitions }: { readonly log: Log; readonly partitions: number }): Promise<void> {
    const isThere = log.topics().some(({ topic }) => topic === experimentDataTopic)
    if (!isThere) await log.createTopic(experimentDataTopic, { partitions })
  }

  get fault(): Error | null {
    return this.#fault
  }

  add(unit: string, exposure: Exposure): void {
    if (this.#fault !== null) return
    this.#waiting.push({ unit, record: exposureRecord(unit, exposure, this.#clock.now()) })
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
    const { partitions } = this.#log.topics().find(({ topic }) => topic === experimentDataTopic)!
    while (this.#waiting.length > 0 && this.#fault === null) {
      const waiting = this.#waiting
      this.#waiting = []
      // One subject is on one partition.
      const parts = Map.groupBy(waiting, ({ unit }) => partitionFor(Buffer.from(unit), partitions))
      try {
        const appends = [...parts].map(([partition, list]) =>
          this.#log.append(
            experimentDataTopic,
            partition,
            list.map(({ record }) => record),
          ),
        )
        await Promise.all(appends)
      } catch (error) {
        this.#fault = error instanceof Error ? error : new Error(String(error))
      }
    }
  }
}

export function exposureRecord(unit: string, exposure: Exposure, timestampMs: number): RecordInput {
  return { key: Buffer.from(unit), value: Buffer.from(JSON.stringify(exposure)), timestampMs }
}
