import type { FeatureValue } from '../../kernel/aggregation.ts'
import type { FallbackCause } from '../../model/runner.ts'
import type { FeatureStatus } from '../../plan/finish-view.ts'
import type { ModelPlan } from '../../plan/model-plan.ts'
import type { OutputValue, Prediction, ReadVector } from '../../model/predictor.ts'
import { formatInstant } from '../../schema/instant.ts'
import type { EntityKeys } from '../../serve/entity-key.ts'
import type { TakenModel } from '../models.ts'

/** A vector that is handed to a model, with all that its answer says of it. */
export type Asked = {
  /** What names the question: the request's id and user, or the event's. */
  readonly about: Readonly<Record<string, unknown>>
  readonly taken: TakenModel
  readonly vector: ReadVector
  readonly keys: EntityKeys
  readonly asOf: number
  readonly prefix: Readonly<Record<string, readonly number[]>>
  /** As `millrace plan` prints it. */
  readonly plan: string
  /** The parts of it that its records have in common. */
  readonly text: AskedText
}

/** What records of a question are made of. */
type Told = Pick<Asked, 'vector' | 'text'> & { readonly taken: Pick<TakenModel, 'name' | 'plan'> }

/**
 * The JSON of records about a question. Put together from pieces, of which most are the same for both records of a
 * question or for all questions of a model: as objects, they would be a third of what a scored event costs.
 */
export type AskedText = {
  /** `{"request_id":…`, not closed. */
  readonly about: string
  readonly keys: string
  /** `,"keys":…,"as_of":…` */
  readonly read: string
  /** `,"prefix":…,"plan":…}` */
  readonly seen: string
}

/** `about` has a member. */
export function askedText({ about, keys, asOf, prefix, plan }: Omit<Asked, 'taken' | 'vector' | 'text'>): AskedText {
  const keysText = JSON.stringify(keys)
  return {
    about: JSON.stringify(about).slice(0, -1),
    keys: keysText,
    read: `,"keys":${keysText},"as_of":"${formatInstant(asOf)}"`,
    seen: `,"prefix":${JSON.stringify(prefix)},"plan":"${plan}"}`,
  }
}

/** What `model-input` says of a question: enough to ask the same again. */
export function inputText({ taken, vector, text }: Told): string {
  const { inputs } = taken.plan
  const { inputNames } = namesOf(taken.plan)
  let [values, status] = ['', '']
  for (let index = 0; index < inputs.length; index++) {
    const { place } = inputs[index]!
    const name = inputNames[index]!
    values += `${index === 0 ? '' : ','}${name}${valueText(vector.values[place]!)}`
    const one = vector.status[place]!
    if (one !== 'PRESENT') status += `${status === '' ? '' : ','}${name}"${one}"`
  }
  return `${text.about}${modelText(taken.name)}${text.read},"inputs":{${values}},"status":{${status}}${text.seen}`
}

/** What `predictions` says: the names that readers of the field look for first, then ours. */
export function predictionText({ taken, text }: Omit<Told, 'vector'>, prediction: Prediction, nowMs: number): string {
  const { outputs } = taken.plan
  const output = prediction.outcome === 'served' ? prediction.output : null
  const first = output === null ? null : (output['prediction'] ?? output[outputs[0]!.name] ?? null)
  const given =
    prediction.outcome === 'served'
      ? `,"output":${outputText(taken.plan, prediction.output)}${fallbackText(prediction.fallback)}`
      : `,"reason":"${prediction.reason}","detail":${JSON.stringify(prediction.detail)}`
  const heard = `,"prediction":${valueText(first)},"confidence":${valueText(output?.['confidence'] ?? null)}`
  const outcome = `,"timestamp":"${formatInstant(nowMs)}"${modelText(taken.name)},"outcome":"${prediction.outcome}"`
  return `${text.about}${heard}${outcome}${given},"status":${statusText(prediction.inputs)}${text.read}${text.seen}`
}

function outputText(plan: ModelPlan, output: Readonly<Record<string, OutputValue>>): string {
  const { outputNames } = namesOf(plan)
  let values = ''
  for (let index = 0; index < outputNames.length; index++) {
    values += `${index === 0 ? '' : ','}${outputNames[index]!}${valueText(output[plan.outputs[index]!.name]!)}`
  }
  return `{${values}}`
}

/** Why the output is not that of the model itself. */
function fallbackText(cause: FallbackCause | undefined): string {
  return cause === undefined ? '' : `,"fallback":${JSON.stringify({ reason: cause.reason, detail: cause.detail })}`
}

function statusText(inputs: Readonly<Record<string, FeatureStatus>>): string {
  for (const _ in inputs) return JSON.stringify(inputs)
  return '{}'
}

function modelText({ name, version, checksum }: Asked['taken']['name']): string {
  return `,"model":"${name}","model_version":${version},"checksum":${checksum === null ? 'null' : `"${checksum}"`}`
}

/** As `JSON.stringify`, at less for a finite number, which most values are. */
function valueText(value: FeatureValue | OutputValue): string {
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : JSON.stringify(value)
}

/** Each as JSON, with the colon. */
type Names = { readonly inputNames: readonly string[]; readonly outputNames: readonly string[] }

const known = new WeakMap<ModelPlan, Names>()

function namesOf(plan: ModelPlan): Names {
  let names = known.get(plan)
  if (names === undefined) {
    const members = (list: readonly { readonly name: string }[]) => list.map(({ name }) => `${JSON.stringify(name)}:`)
    known.set(plan, (names = { inputNames: members(plan.inputs), outputNames: members(plan.outputs) }))
  }
  return names
}
