import type { Model, OnnxFile, OnnxOutput } from '../definition/declared-model.ts'
import { FaultList } from './faults.ts'
import {
  compileOutputs,
  type DeclaredInput,
  declareInputs,
  type ModelOutputPlan,
  type ModelPlan,
  placeInputs,
} from './model-plan.ts'
import type { Plan } from './plan.ts'

/** What a version of a model takes and gives, as data: it stays what it was when the version was pushed. */
export type ModelDeclaration = {
  /** The service or view whose vectors it takes. */
  readonly target: string
  readonly inputs: readonly DeclaredInput[]
  readonly outputs: readonly ModelOutputPlan[]
  readonly missing: Model['missing']
  /** Output → where the graph gives it; those left out are tensors of their name. */
  readonly tensors: Readonly<Record<string, OnnxOutput>>
}

/** Inputs as the model gets them, and what it has to give for them before it may go live. */
export type GoldenSet = {
  /** A number may differ by so much, absolutely or relative to the expected one. */
  readonly tolerance: number
  readonly rows: readonly {
    readonly input: Readonly<Record<string, number | boolean | null>>
    readonly output: Readonly<Record<string, number | boolean | null>>
  }[]
}

/** What an author's model declares. Throws `DEFINITION`. */
export function declareModel(model: Model): ModelDeclaration {
  const faults = new FaultList()
  const { input, missing, from } = model
  const inputs = declareInputs(model, faults)
  const outputs = compileOutputs(model, faults)
  faults.throwIfAny()
  const tensors = typeof from === 'object' && 'outputs' in from ? from.outputs : {}
  return { target: input.name, inputs, outputs, missing, tensors }
}

export type DeclaredVersion = {
  readonly name: string
  readonly version: number
  readonly declaration: ModelDeclaration
  /** SHA-256 and size of its artefact. */
  readonly artefact: { readonly sha256: string; readonly bytes: number }
}

/** Checks a version against a plan. Throws `DEFINITION` where its inputs are not there, or are not what they were. */
export function compileDeclared({ name, version, declaration, artefact }: DeclaredVersion, plan: Plan): ModelPlan {
  const faults = new FaultList()
  const { target, inputs, outputs, missing, tensors } = declaration
  const from: OnnxFile = {
    type: 'onnx',
    file: `version ${version} of ${name}`,
    sha256: artefact.sha256,
    outputs: tensors,
    bytesMax: artefact.bytes,
  }
  const placed = placeInputs({ name, target, inputs, missing, from }, plan, faults)
  faults.throwIfAny()
  return { name, version, target, inputs: placed, outputs, passes: missing === 'pass', from, score: null }
}

/** What differs between two declarations, a line each; from null everything is new, and nobody needs to be told. */
export function declarationLines(before: ModelDeclaration | null, after: ModelDeclaration): string[] {
  if (before === null) return []
  const lines: string[] = []
  if (before.target !== after.target) lines.push(`~ input ${before.target} → ${after.target}`)
  const was = new Map(before.inputs.map((one) => [one.name, one]))
  for (const { name, type, text } of after.inputs) {
    const old = was.get(name)
    if (old === undefined) lines.push(`+ input ${name}: ${text}`)
    else if (old.type !== type || old.text !== text) lines.push(`~ input ${name}: ${old.text} → ${text}`)
  }
  for (const { name } of before.inputs) {
    if (!after.inputs.some((one) => one.name === name)) lines.push(`- input ${name}`)
  }
  const order = (one: ModelDeclaration): string => one.inputs.map(({ name }) => name).join()
  if (lines.length === 0 && order(before) !== order(after)) lines.push('~ the order of its inputs')
  return [...lines, ...outputLines(before.outputs, after.outputs), ...missingLines(before, after)]
}

function outputLines(before: readonly ModelOutputPlan[], after: readonly ModelOutputPlan[]): string[] {
  const textOf = ({ kind, nullable }: ModelOutputPlan): string => `${kind}${nullable ? ' or null' : ''}`
  const lines = after.flatMap((one) => {
    const old = before.find(({ name }) => name === one.name)
    if (old === undefined) return [`+ output ${one.name}: ${textOf(one)}`]
    return textOf(old) === textOf(one) ? [] : [`~ output ${one.name}: ${textOf(old)} → ${textOf(one)}`]
  })
  const gone = before.filter((old) => !after.some(({ name }) => name === old.name))
  return [...lines, ...gone.map(({ name }) => `- output ${name}`)]
}

function missingLines(before: ModelDeclaration, after: ModelDeclaration): string[] {
  const textOf = ({ missing }: ModelDeclaration): string =>
    typeof missing === 'string' ? missing : `default ${JSON.stringify(missing.default)}`
  return textOf(before) === textOf(after) ? [] : [`~ missing inputs: ${textOf(before)} → ${textOf(after)}`]
}
