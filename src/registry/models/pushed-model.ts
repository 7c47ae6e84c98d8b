import { MillraceError } from '../../base/faults.ts'
import type { Model, OnnxOutput } from '../../definition/declared-model.ts'
import type { GoldenSet, ModelDeclaration } from '../../plan/model-declaration.ts'
import type { ModelOutputPlan } from '../../plan/model-plan.ts'
import {
  orNull,
  type Place,
  readList,
  readHash,
  readName,
  readNumber,
  readObject,
  readOneOf,
  readText,
  refuse,
  refuseTwice,
  refuseValue,
} from '../json-reader.ts'
import type { ArtefactPlace } from './artefacts.ts'

/** A version of a model as whoever pushed it described it, and where its artefact lies. */
export type PushedModel = ModelDescription & {
  /** Hash of the plan that was applied when it was pushed, which it fits. */
  readonly plan: string
  readonly artefact: ArtefactPlace
}

export type ModelDescription = {
  readonly declaration: ModelDeclaration
  /** What was measured of it, by name. */
  readonly metrics: Readonly<Record<string, number>>
  readonly tags: Readonly<Record<string, string>>
  /** What it was trained on; null: nobody said. */
  readonly training: TrainingOrigin | null
  readonly golden: GoldenSet | null
  /** Where it came from, in words; null: a file. */
  readonly source: string | null
}

/** What the manifest of a training set says, and the SHA-256 of that file. */
export type TrainingOrigin = {
  readonly manifest: string
  readonly plan: string
  readonly target: string
  readonly at: string
  readonly bound: string
  readonly rows: number | null
  readonly createdAt: string
  /** How its columns were spread, by name; left out by releases that did not know. */
  readonly spreads?: Readonly<Record<string, Spread>>
}

/** Counts of a column by the edges of its bins, one more than edges, and of nulls. */
export type Spread = {
  readonly edges: readonly number[]
  readonly counts: readonly number[]
  readonly nulls: number
}

const countMax = 1_000
const binsMax = 101
const textLengthMax = 1_000
/** The record that says all of this has to fit into the log beside everything else. */
export const descriptionBytesMax = 900_000

export const descriptionMembers = ['declaration', 'metrics', 'tags', 'training', 'golden', 'source'] as const

type DescriptionPlaces = { readonly [Name in (typeof descriptionMembers)[number]]: Place }

/** From a document of its own: a request, or files. Throws `REQUEST_MALFORMED` with the path of the first fault. */
export function readModelDescription(value: unknown): ModelDescription {
  return asRequest(() => readDescription(readObject({ value, path: 'description' }, descriptionMembers)))
}

/** Throws `REQUEST_MALFORMED`. */
export function readModelName(value: unknown): string {
  return asRequest(() => readName({ value, path: 'the name of the model' }))
}

/** What is wrong with a description is no fault of the definitions. */
function asRequest<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'DEFINITIONS_MALFORMED') throw error
    const { path, came, allowed } = error.details
    const details = { detail: `at ${path} there is ${came}`, allowed: `Allowed is ${allowed}.` }
    throw new MillraceError('REQUEST_MALFORMED', details, { cause: error })
  }
}

/** From data, whoever wrote it. Throws `DEFINITIONS_MALFORMED` with the path of the first fault. */
export function readDescription(found: DescriptionPlaces): ModelDescription {
  return {
    declaration: readDeclaration(found.declaration),
    metrics: readEntries(found.metrics, readNumber),
    tags: readEntries(found.tags, readShortText),
    training: orNull(found.training, readTraining),
    golden: orNull(found.golden, readGolden),
    source: orNull(found.source, readShortText),
  }
}

function readDeclaration(place: Place): ModelDeclaration {
  const found = readObject(place, ['target', 'inputs', 'outputs', 'missing', 'tensors'])
  const inputPlaces = readList(found.inputs, countMax)
  const inputs = inputPlaces.map((one) => {
    const { name, type, text } = readObject(one, ['name', 'type', 'text'])
    return { name: readName(name), type: readText(type), text: readText(text) }
  })
  const outputPlaces = readList(found.outputs, countMax)
  const outputs = outputPlaces.map(readOutput)
  if (inputs.length === 0) refuse(found.inputs, 'none', 'at least one')
  if (outputs.length === 0) refuse(found.outputs, 'none', 'at least one')
  refuseTwice(
    inputPlaces,
    inputs.map(({ name }) => name),
  )
  refuseTwice(
    outputPlaces,
    outputs.map(({ name }) => name),
  )
  return {
    target: readName(found.target),
    inputs,
    outputs,
    missing: readMissing(found.missing),
    tensors: readEntries(found.tensors, readTensor),
  }
}

function readOutput(place: Place): ModelOutputPlan {
  const { name, kind, nullable } = readObject(place, ['name', 'kind', 'nullable'])
  if (typeof nullable.value !== 'boolean') refuseValue(nullable, 'true or false')
  return { name: readName(name), kind: readOneOf(kind, ['float', 'int', 'boolean']), nullable: nullable.value === true }
}

function readMissing(place: Place): Model['missing'] {
  if (typeof place.value === 'string') return readOneOf(place, ['refuse', 'pass'])
  const found = readObject(place, ['default'])
  return { default: readEntries(found.default, readScalar) }
}

function readTensor(place: Place): OnnxOutput {
  const found = readObject(place, ['tensor', 'column?'])
  const tensor = readShortText(found.tensor)
  if (found.column.value === undefined) return { tensor }
  const column = readNumber(found.column)
  if (!Number.isSafeInteger(column) || column < 0) refuseValue(found.column, 'a whole number from 0 on')
  return { tensor, column }
}

function readTraining(place: Place): TrainingOrigin {
  const found = readObject(place, ['manifest', 'plan', 'target', 'at', 'bound', 'rows', 'createdAt', 'spreads?'])
  return {
    manifest: readHash(found.manifest),
    plan: readHash(found.plan),
    target: readShortText(found.target),
    at: readShortText(found.at),
    bound: readShortText(found.bound),
    rows: orNull(found.rows, readNumber),
    createdAt: readShortText(found.createdAt),
    ...(found.spreads.value === undefined ? {} : { spreads: readEntries(found.spreads, readSpread) }),
  }
}

function readSpread(place: Place): Spread {
  const found = readObject(place, ['edges', 'counts', 'nulls'])
  const edges = readList(found.edges, binsMax).map(readNumber)
  const counts = readList(found.counts, binsMax).map(readCount)
  if (edges.some((edge, index) => index > 0 && edge <= edges[index - 1]!)) refuseValue(found.edges, 'ascending numbers')
  if (counts.length !== edges.length + 1) refuse(found.counts, `${counts.length}`, 'one more than edges')
  return { edges, counts, nulls: readCount(found.nulls) }
}

function readCount(place: Place): number {
  const count = readNumber(place)
  return Number.isSafeInteger(count) && count >= 0 ? count : refuseValue(place, 'a whole number from 0 on')
}

function readGolden(place: Place): GoldenSet {
  const found = readObject(place, ['tolerance', 'rows'])
  const tolerance = readNumber(found.tolerance)
  if (tolerance < 0) refuseValue(found.tolerance, '0 or more')
  const rows = readList(found.rows, countMax).map((one) => {
    const { input, output } = readObject(one, ['input', 'output'])
    return { input: readEntries(input, readScalar), output: readEntries(output, readScalar) }
  })
  if (rows.length === 0) refuse(found.rows, 'none', 'at least one')
  return { tolerance, rows }
}

/** The members of an object whose names nobody knows beforehand. */
export function readEntries<T>(place: Place, read: (place: Place) => T): Readonly<Record<string, T>> {
  const { value, path } = place
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return refuseValue(place, 'an object')
  const entries = Object.entries(value)
  if (entries.length > countMax) return refuse(place, `${entries.length} members`, `at most ${countMax}`)
  const names = entries.map(([name]) => name)
  const wrong = names.find((name) => name.length === 0 || name.length > 256 || name === '__proto__')
  if (wrong !== undefined) return refuse(place, `a member "${wrong.slice(0, 40)}"`, 'names of 1 to 256 characters')
  return Object.fromEntries(entries.map(([name, member]) => [name, read({ value: member, path: `${path}.${name}` })]))
}

function readScalar(place: Place): number | boolean | null {
  const { value } = place
  if (value === null || typeof value === 'boolean') return value
  return typeof value === 'number' ? readNumber(place) : refuseValue(place, 'a number, true, false or null')
}

function readShortText(place: Place): string {
  const text = readText(place)
  return text.length <= textLengthMax ? text : refuse(place, `${text.length} characters`, `at most ${textLengthMax}`)
}
