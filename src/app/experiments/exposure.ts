import type { RecordInput } from '../../log/log.ts'
import type { Prediction } from '../../model/predictor.ts'
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

/** Keyed by the subject: one is on one partition. */
export function exposureRecord(unit: string, exposure: Exposure, timestampMs: number): RecordInput {
  return { key: Buffer.from(unit), value: Buffer.from(JSON.stringify(exposure)), timestampMs }
}
