import type { Model, ModelSource } from '../definition/declared-model.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { Field } from '../schema/field.ts'
import { isNumeric, nameOfType, type ValueType } from '../schema/value-type.ts'
import { checkName } from './check-names.ts'
import { checkRemote } from './check-remote.ts'
import { compile } from './compile.ts'
import { FaultList } from './faults.ts'
import { viewsOf } from './find.ts'
import type { FeaturePlan, Plan } from './plan.ts'

/** A model that was checked against a plan: what it reads there, and what it has to give. */
export type ModelPlan = {
  readonly name: string
  /** 0: that of the registry, and this is only its declaration. */
  readonly version: number
  /** The service or view whose vectors it takes. */
  readonly target: string
  readonly inputs: readonly ModelInputPlan[]
  readonly outputs: readonly ModelOutputPlan[]
  /** Whether inputs that are not PRESENT go to the model as they are; else they need a default. */
  readonly passes: boolean
  readonly score: ScorePlan | null
  readonly from: ModelSource
}

/** Whose events a model scores, and where they have the join keys of its input. */
export type ScorePlan = {
  readonly stream: string
  readonly keys: readonly { readonly name: string; readonly field: Field; readonly place: number }[]
}

export type ModelInputPlan = {
  readonly name: string
  readonly type: ValueType
  /** Where the vector has it. */
  readonly place: number
  /** In place of a value that is not PRESENT; undefined: there is none. */
  readonly default: FeatureValue | undefined
}

export type ModelOutputPlan = {
  readonly name: string
  readonly kind: 'float' | 'int' | 'boolean' | 'string'
  readonly nullable: boolean
}

const sourceTypes = ['onnx', 'remote', 'registry']

const outputKinds = ['float', 'int', 'boolean', 'string']

/**
 * Checks models against a plan that holds what they read. Throws `DEFINITION` with all faults at once.
 *
 * The plan may be another than the author declared the model on, applied since. A feature that now means something
 * else under its old name is a fault: the model never saw such values.
 */
export function compileModels(models: readonly Model[], plan: Plan): ModelPlan[] {
  const faults = new FaultList()
  const names = new Set<string>()
  for (const { name } of models) {
    if (names.has(name)) faults.add(name, 'there are two models with this name', 'names are unique within a kind')
    names.add(name)
  }
  const plans = models.map((model) => compileModel(model, plan, faults))
  faults.throwIfAny()
  return plans
}

function compileModel(model: Model, plan: Plan, faults: FaultList): ModelPlan {
  const { name, version, from } = model
  checkName(name, 'model', name, faults)
  checkVersion(model, faults)
  if (typeof from !== 'function' && !sourceTypes.includes(from?.type)) {
    const allowed = 'a function, onnx(file), openInference(…), mlflowScoring(…) or registry()'
    faults.add(`${name}.from`, `it is ${typeof from}`, allowed)
  }
  if (typeof from === 'object' && from?.type === 'remote')
    checkRemote(`${name}.from`, from, { output: model.output, faults })
  return {
    name,
    version: version ?? 0,
    target: model.input.name,
    inputs: placeInputs({ ...model, target: model.input.name, inputs: declareInputs(model, faults) }, plan, faults),
    outputs: compileOutputs(model, faults),
    passes: model.missing === 'pass',
    score: compileScore(model, plan, faults),
    from,
  }
}

function checkVersion({ name, version, from, score }: Model, faults: FaultList): void {
  const path = `${name}.version`
  if (typeof from === 'object' && from?.type === 'registry') {
    if (score !== null)
      faults.add(
        `${name}.score`,
        'the model is from registry()',
        'leave it out: events are scored by models of a module',
      )
    if (version !== null)
      faults.add(path, `it is ${String(version)}`, 'leave it out: the registry numbers its versions')
  } else if (version === null || !Number.isSafeInteger(version) || version < 1) {
    faults.add(path, version === null ? 'it is missing' : `it is ${String(version)}`, 'a whole number from 1 on')
  }
}

/** A feature that a model takes, as it was when the model was declared. */
export type DeclaredInput = { readonly name: string; readonly type: string; readonly text: string }

/** What a model declares of its inputs: the features it takes, in its order. Throws `DEFINITION` for those of the input itself. */
export function declareInputs(model: Model, faults: FaultList): DeclaredInput[] {
  const declared = featuresOf(compile([model.input]), model.input.name)
  const defaults = typeof model.missing === 'object' ? model.missing.default : {}
  for (const name of Object.keys(defaults)) {
    if (declared.some((one) => one.name === name)) continue
    faults.unknown(`${model.name}.missing.default`, 'feature', { name, declared: declared.map((one) => one.name) })
  }
  return inputNames(model, declared, faults).map((name) => {
    const { type, text } = declared.find((one) => one.name === name)!
    return { name, type: nameOfType(type), text }
  })
}

export type InputsToPlace = Pick<Model, 'name' | 'missing' | 'from'> & {
  readonly target: string
  readonly inputs: readonly DeclaredInput[]
}

/** Where a plan has the inputs of a model, if they are what they were when it was declared. */
export function placeInputs(model: InputsToPlace, plan: Plan, faults: FaultList): ModelInputPlan[] {
  const { target, missing, from } = model
  const path = `${model.name}.input`
  const isKnown = [...plan.services, ...plan.views].some(({ name }) => name === target)
  if (!isKnown) {
    const declared = [...plan.services, ...plan.views].map(({ name }) => name)
    faults.unknown(path, 'feature service or view', { name: target, declared })
    return []
  }
  const served = featuresOf(plan, target)
  const places = new Map(served.map(({ name }, place) => [name, place]))
  const defaults = typeof missing === 'object' ? missing.default : {}
  return model.inputs.flatMap((feature) => {
    const { name } = feature
    const place = places.get(name)
    if (place === undefined) {
      faults.unknown(path, 'feature', { name, declared: [...places.keys()] })
      return []
    }
    const { type, text } = served[place]!
    if (nameOfType(type) !== feature.type || text !== feature.text) {
      const was = `${feature.type}, ${feature.text}`
      faults.add(path, `feature "${name}" is ${nameOfType(type)}, ${text}`, `the model was declared on ${was}`)
    }
    if (typeof from !== 'function' && !isTensorType(type)) {
      faults.add(
        `${path}.${name}`,
        `it is ${nameOfType(type)}`,
        'only a function takes anything else than numbers and booleans',
      )
    }
    const fallback = Object.hasOwn(defaults, name) ? defaults[name] : undefined
    if (fallback !== undefined && !isOfType(fallback, type)) {
      const came = JSON.stringify(fallback) ?? typeof fallback
      faults.add(`${model.name}.missing.default.${name}`, `it is ${came}`, `a value of ${nameOfType(type)}`)
    }
    return [{ name, type, place, default: fallback as FeatureValue | undefined }]
  })
}

function compileScore({ name, score, input }: Model, plan: Plan, faults: FaultList): ScorePlan | null {
  if (score === null) return null
  const path = `${name}.score.on`
  const stream = plan.streams.find((one) => one.name === score.on.name)
  if (stream === undefined) {
    faults.unknown(path, 'stream', { name: score.on.name, declared: plan.streams.map((one) => one.name) })
    return null
  }
  const isKnown = [...plan.services, ...plan.views].some((one) => one.name === input.name)
  const columns = Object.keys(stream.fields)
  const keys = new Map<string, ScorePlan['keys'][number]>()
  for (const view of isKnown ? viewsOf(plan, input.name) : []) {
    for (const { name: key, field, column } of view.keys) {
      // Another stream's view is found by the field of the key's own name.
      const place = columns.indexOf(view.stream === stream.name ? column : key)
      if (place < 0 || stream.fields[columns[place]!]!.kind !== field.kind) {
        faults.add(
          path,
          `stream "${stream.name}" has no field "${key}" of ${field.kind}`,
          `every join key of "${view.name}"`,
        )
      } else keys.set(key, { name: key, field, place })
    }
  }
  return { stream: stream.name, keys: [...keys.values()] }
}

function featuresOf(plan: Plan, target: string): readonly FeaturePlan[] {
  return viewsOf(plan, target).flatMap(({ features }) => features)
}

/** Which features the model takes, in its order; those that are declared. */
function inputNames({ name, inputs, from }: Model, declared: readonly FeaturePlan[], faults: FaultList): string[] {
  const all = declared.map((one) => one.name)
  if (inputs === null) return all
  const path = `${name}.inputs`
  if (typeof from === 'function') faults.add(path, 'the model is a function', 'leave it out: it gets values by name')
  if (inputs.length === 0) faults.add(path, 'there is none', 'at least one feature')
  for (const [index, input] of inputs.entries()) {
    if (inputs.indexOf(input) !== index) faults.add(path, `"${input}" is there twice`, 'each feature once')
    if (!all.includes(input)) faults.unknown(path, 'feature', { name: input, declared: all })
  }
  return inputs.filter((input) => all.includes(input))
}

export function compileOutputs({ name, output, from }: Model, faults: FaultList): ModelOutputPlan[] {
  const path = `${name}.output`
  const entries = Object.entries(output)
  if (entries.length === 0) faults.add(path, 'there is none', 'at least one')
  if (typeof from !== 'function') {
    for (const mapped of Object.keys(from?.outputs ?? {})) {
      if (Object.hasOwn(output, mapped)) continue
      faults.unknown(`${name}.from.outputs`, 'output', { name: mapped, declared: Object.keys(output) })
    }
  }
  return entries.map(([field, { kind, presence }]) => {
    checkName(`${path}.${field}`, 'output', field, faults)
    const allowed = typeof from === 'function' ? outputKinds : outputKinds.filter((one) => one !== 'string')
    if (!allowed.includes(kind)) faults.add(`${path}.${field}`, `it is ${kind}`, allowed.join(', '))
    return { name: field, kind: kind as ModelOutputPlan['kind'], nullable: presence !== 'required' }
  })
}

function isTensorType(type: ValueType): boolean {
  return isNumeric(type) || type.kind === 'boolean'
}

function isOfType(value: unknown, type: ValueType): boolean {
  switch (type.kind) {
    case 'list':
      return Array.isArray(value) && value.every((item) => isOfType(item, type.of))
    case 'string':
    case 'boolean':
      return typeof value === type.kind
    case 'int':
    case 'timestamp':
      return Number.isSafeInteger(value)
    default:
      return typeof value === 'number' && Number.isFinite(value)
  }
}
