import { MillraceError } from '../../base/faults.ts'
import type { Model } from '../../definition/declared-model.ts'
import type { LogRecord } from '../../log/log.ts'
import type { Outcome } from '../../model/quality/label-join.ts'
import { scoreOf } from '../../model/quality/version-watch.ts'
import { FaultList } from '../../plan/faults.ts'
import { inspect } from '../../plan/intake.ts'
import { type LabelPlan, type NamedLabels, placeLabels } from '../../plan/outcome-plan.ts'
import type { Plan } from '../../plan/plan.ts'

/** A record of `predictions`, as far as watching needs it. */
export type LoggedPrediction = {
  readonly id: string
  readonly model: string
  readonly version: number
  readonly checksum: string | null
  readonly outcome: string
  readonly asOf: number
  /** Null where there is none, or it is a fallback's. */
  readonly score: number | null
}

/** Null for what is no prediction of a model that could be asked. */
export function readPrediction(record: LogRecord): LoggedPrediction | null {
  const said = objectOf(record)
  if (said === null || typeof said['model'] !== 'string' || typeof said['model_version'] !== 'number') return null
  const isFallback = said['fallback'] !== undefined
  return {
    id: String(said['request_id']),
    model: said['model'],
    version: said['model_version'],
    checksum: typeof said['checksum'] === 'string' ? said['checksum'] : null,
    outcome: isFallback ? 'fallback' : String(said['outcome']),
    asOf: Date.parse(String(said['as_of'])),
    score: isFallback ? null : scoreOf(said['prediction']),
  }
}

/** What a record of an outcome's stream says of a prediction; null: nothing. */
export function readLabel({ stream, id, label }: LabelPlan, record: LogRecord): (Outcome & { id: string }) | null {
  const event = inspect(stream, record)
  // What is refused has its place among the dead letters.
  if ('refusals' in event) return null
  const [key, value] = [event.row[id], event.row[label]]
  if (key === null || key === undefined || value === null || value === undefined) return null
  return { id: String(key), at: event.ts, label: Number(value) > 0 }
}

export function objectOf({ value }: LogRecord): Readonly<Record<string, unknown>> | null {
  return value === null ? null : objectIn(JSON.parse(Buffer.from(value).toString()))
}

export function objectIn(value: unknown): Readonly<Record<string, unknown>> | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

export function namedLabels({ outcome }: Pick<Model, 'outcome'>): NamedLabels | null {
  return outcome === null ? null : { ...outcome, stream: outcome.on.name }
}

/** Checks where the outcomes of models are. Throws `DEFINITION` with all faults at once. */
export function checkOutcomes(models: readonly Model[], plan: Plan): void {
  const faults = new FaultList()
  for (const model of models) {
    const labels = namedLabels(model)
    if (labels !== null) placeLabels(`${model.name}.outcome`, labels, { plan, faults })
  }
  faults.throwIfAny()
}

/** Where the labels are in a plan. Throws `REQUEST_MALFORMED`. */
export function labelsIn(plan: Plan, labels: NamedLabels): LabelPlan {
  const faults = new FaultList()
  const found = placeLabels('outcome', labels, { plan, faults })
  const [first] = faults.list
  if (first === undefined) return found!
  throw new MillraceError('REQUEST_MALFORMED', { detail: `${first.path}: ${first.fault}`, allowed: first.hint })
}
