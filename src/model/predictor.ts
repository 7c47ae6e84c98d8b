import type { FeatureValue } from '../kernel/aggregation.ts'
import type { FeatureStatus } from '../plan/finish-view.ts'
import type { ModelPlan, ModelOutputPlan } from '../plan/model-plan.ts'
import type { FailureReason, FallbackCause, ModelFailure, ModelRunner, RunResult } from './runner.ts'

/** What a service gave for an entity, with the status of every value. */
export type ReadVector = { readonly values: readonly FeatureValue[]; readonly status: readonly FeatureStatus[] }

export type OutputValue = number | boolean | string | null

/** What came of one entity. Whatever the outcome, `inputs` has the status of each input that was not PRESENT. */
export type Prediction = { readonly inputs: Readonly<Record<string, FeatureStatus>> } & (
  | {
      readonly outcome: 'served'
      readonly output: Readonly<Record<string, OutputValue>>
      /** Why the output is that of the model's fallback, if it is. */
      readonly fallback?: FallbackCause
    }
  /** The rule for what is missing forbids it: the model was not asked. */
  | { readonly outcome: 'refused'; readonly reason: 'INPUT_MISSING'; readonly detail: string }
  /** The model was asked, and gave nothing that can be served. */
  | { readonly outcome: 'failed'; readonly reason: FailureReason; readonly detail: string; readonly cause?: unknown }
)

/** From vectors to predictions: the rule for what is missing, one run of all rows, and a check of all that it gives. */
export async function predict(
  plan: ModelPlan,
  runner: Pick<ModelRunner, 'run'>,
  vectors: readonly ReadVector[],
  deadlineMs?: number,
): Promise<Prediction[]> {
  const values: FeatureValue[] = []
  const taken = vectors.map((vector) => takeInputs(plan, vector, values))
  const size = taken.filter(({ refused }) => refused.length === 0).length
  const results = size === 0 ? [] : await runner.run({ size, width: plan.inputs.length, values }, deadlineMs)
  let next = 0
  return taken.map(({ inputs, refused }) => {
    if (refused.length > 0) {
      const detail = `no value to use for ${refused.map((name) => `${name} (${inputs[name]})`).join(', ')}`
      return { outcome: 'refused', reason: 'INPUT_MISSING', detail, inputs }
    }
    const checked = checkResult(plan, results[next++])
    return 'failure' in checked
      ? { outcome: 'failed', ...checked.failure, inputs }
      : { outcome: 'served', ...checked, inputs }
  })
}

type Taken = {
  readonly inputs: Readonly<Record<string, FeatureStatus>>
  /** Inputs that the rule has no value for. */
  readonly refused: readonly string[]
}

/** Of a vector whose inputs are all there. */
const whole: Taken = { inputs: {}, refused: [] }

/** Appends the inputs of a vector to `rows`, or nothing when one of them has no value. */
function takeInputs({ inputs: slots, passes }: ModelPlan, vector: ReadVector, rows: FeatureValue[]): Taken {
  const start = rows.length
  let inputs: Record<string, FeatureStatus> | null = null
  let refused: string[] | null = null
  for (const { name, place, default: fallback } of slots) {
    const [value, came] = [vector.values[place]!, vector.status[place]!]
    if (came === 'PRESENT') {
      rows.push(value)
      continue
    }
    inputs ??= {}
    inputs[name] = came
    if (!passes && fallback === undefined) (refused ??= []).push(name)
    rows.push(passes ? value : (fallback ?? null))
  }
  if (inputs === null) return whole
  if (refused === null) return { inputs, refused: whole.refused }
  rows.length = start
  return { inputs, refused }
}

type Checked =
  | { readonly output: Readonly<Record<string, OutputValue>>; readonly fallback?: FallbackCause }
  | { readonly failure: ModelFailure }

/** What is declared, or why it is not. */
export function checkResult({ outputs }: ModelPlan, result: RunResult | undefined): Checked {
  if (result === undefined) return { failure: { reason: 'OUTPUT_SHAPE', detail: 'the model gave no row for it' } }
  if ('failure' in result) return result
  const output: Record<string, OutputValue> = {}
  for (const [index, plan] of outputs.entries()) {
    const value = result.outputs[index]
    const failure = checkValue(plan, value)
    if (failure !== null) return { failure }
    output[plan.name] = value as OutputValue
  }
  return result.fallback === undefined ? { output } : { output, fallback: result.fallback }
}

/** Never a number that is none: NaN and infinities are failures, of whatever kind the output is. */
function checkValue({ name, kind, nullable }: ModelOutputPlan, value: unknown): ModelFailure | null {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { reason: 'OUTPUT_NOT_FINITE', detail: `${name} is ${value}` }
  }
  if (value === null && nullable) return null
  const isKind =
    kind === 'int' ? Number.isSafeInteger(value) : kind === 'float' ? typeof value === 'number' : typeof value === kind
  if (isKind) return null
  const came = value === undefined ? 'missing' : value === null ? 'null' : typeof value
  const shown = typeof value === 'number' ? String(value) : came
  return { reason: 'OUTPUT_TYPE', detail: `${name} is ${shown}, declared ${kind}` }
}
