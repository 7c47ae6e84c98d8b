import { assert } from '../base/assert.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { ModelInputPlan, ModelOutputPlan } from '../plan/model-plan.ts'
import { failAll, type ModelRows, type RunResult } from './runner.ts'

/** An input or output of a graph. A dimension is a number where it is fixed, a name where it is not. */
export type TensorSlot =
  | { readonly name: string; readonly isTensor: false }
  | {
      readonly name: string
      readonly isTensor: true
      readonly type: string
      readonly shape: readonly (number | string)[]
    }

export type TensorType = 'float32' | 'float64' | 'int64'
export type TensorData = Float32Array | Float64Array | BigInt64Array

/** What goes in. */
export type Tensor = { readonly type: TensorType; readonly data: TensorData; readonly dims: readonly number[] }

/** What comes out. */
export type GivenTensor = { readonly type: string; readonly dims: readonly number[]; readonly data: ArrayLike<unknown> }

/** Which inputs of the model one tensor of the graph takes, as its columns. */
export type InputTensor = {
  readonly name: string
  readonly type: TensorType
  readonly columns: readonly number[]
  /** A list rather than a table of one column. */
  readonly isList: boolean
}

/** Where an output of the model is among those of the graph. */
export type OutputColumn = { readonly tensor: string; readonly column: number }

export type Misfit = { readonly detail: string; readonly allowed: string }

const inputTypes: readonly string[] = ['float32', 'float64', 'int64']

/**
 * A graph of one input takes the whole vector as a table; one of several takes one feature each, by name. Gives the
 * misfit where it takes anything else.
 */
export function matchInputs(given: readonly TensorSlot[], inputs: readonly ModelInputPlan[]): InputTensor[] | Misfit {
  const tensors: InputTensor[] = []
  for (const value of given) {
    const columns =
      given.length === 1 ? inputs.map((_, column) => column) : [inputs.findIndex(({ name }) => name === value.name)]
    if (columns[0] === -1) {
      return { detail: `the graph has an input "${value.name}"`, allowed: `Inputs are ${listOf(inputs)}.` }
    }
    if (!value.isTensor || !inputTypes.includes(value.type)) {
      const came = value.isTensor ? value.type : 'no tensor'
      return { detail: `input "${value.name}" is ${came}`, allowed: `Allowed are tensors of ${inputTypes.join(', ')}.` }
    }
    const [rows, width] = value.shape
    const isList = value.shape.length === 1 && columns.length === 1
    const isTable = value.shape.length === 2 && (typeof width === 'string' || width === columns.length)
    if (typeof rows !== 'string' || !(isList || isTable)) {
      const allowed = `It takes rows of ${columns.length}: [rows, ${columns.length}], the number of rows left open.`
      return { detail: `input "${value.name}" has the shape [${value.shape.join(', ')}]`, allowed }
    }
    const unfit = columns.map((column) => inputs[column]!).find(({ type }) => !fits(type.kind, value.type))
    if (unfit !== undefined) {
      const detail = `input "${value.name}" is int64, and "${unfit.name}" is ${unfit.type.kind}`
      return { detail, allowed: 'Export the model for floats.' }
    }
    tensors.push({ name: value.name, type: value.type as TensorType, columns, isList })
  }
  const missing = inputs.filter((_, column) => !tensors.some(({ columns }) => columns.includes(column)))
  if (missing.length === 0) return tensors
  return { detail: `the graph has no input for ${listOf(missing)}`, allowed: 'Name in `inputs` what it takes.' }
}

function fits(kind: string, type: string): boolean {
  return type !== 'int64' || kind === 'int' || kind === 'boolean'
}

function listOf(inputs: readonly ModelInputPlan[]): string {
  return inputs.map(({ name }) => name).join(', ')
}

const outputTypes: Readonly<Record<string, readonly string[]>> = {
  float: ['float32', 'float64'],
  int: ['int64', 'int32'],
  boolean: ['bool'],
}

export function matchOutputs(
  given: readonly TensorSlot[],
  outputs: readonly ModelOutputPlan[],
  mapped: Readonly<Record<string, { readonly tensor: string; readonly column?: number }>>,
): OutputColumn[] | Misfit {
  const columns: OutputColumn[] = []
  for (const { name, kind } of outputs) {
    const { tensor, column = 0 } = Object.hasOwn(mapped, name) ? mapped[name]! : { tensor: name }
    const value = given.find((one) => one.name === tensor)
    if (value === undefined) {
      const allowed = `It has ${given.map((one) => `"${one.name}"`).join(', ')}: say which with onnx(file, { outputs }).`
      return { detail: `the graph has no output "${tensor}"`, allowed }
    }
    const types = outputTypes[kind] ?? []
    if (!value.isTensor || !types.includes(value.type)) {
      const came = value.isTensor ? value.type : 'no tensor'
      return { detail: `output "${tensor}" is ${came}`, allowed: `For ${kind} it has to be ${types.join(' or ')}.` }
    }
    columns.push({ tensor, column })
  }
  return columns
}

/** The tensor of some rows whose values it can hold. */
export function packInput({ type, columns, isList }: InputTensor, { size, width, values }: ModelRows): Tensor {
  const data = makeData(type, size * columns.length)
  let at = 0
  for (let row = 0; row < size; row++) {
    for (const column of columns) {
      const value = values[row * width + column]!
      if (data instanceof BigInt64Array) data[at++] = BigInt(Number(value))
      else data[at++] = numberOf(value)
    }
  }
  return { type, data, dims: isList ? [size] : [size, columns.length] }
}

function makeData(type: TensorType, size: number): TensorData {
  if (type === 'int64') return new BigInt64Array(size)
  return type === 'float32' ? new Float32Array(size) : new Float64Array(size)
}

/** What is missing is NaN, as tree models have it. */
function numberOf(value: FeatureValue): number {
  if (value === null) return Number.NaN
  assert(typeof value === 'number' || typeof value === 'boolean', 'inputs of tensors are numbers and booleans')
  return Number(value)
}

/** Whether a tensor can hold a value: a number of 1e39 is no float32, and nothing is no integer. */
function canHold(type: TensorType, value: FeatureValue): boolean {
  if (value === null) return type !== 'int64'
  return type !== 'float32' || Number.isFinite(Math.fround(Number(value)))
}

/**
 * Runs the rows that the tensors can hold; each of the others fails by itself. `unfit` names the first input of a row
 * that cannot go to the model.
 */
export async function runFitting(
  rows: ModelRows,
  unfit: (row: number) => string | null,
  run: (rows: ModelRows) => Promise<readonly RunResult[]>,
): Promise<readonly RunResult[]> {
  const names = Array.from({ length: rows.size }, (_, row) => unfit(row))
  if (names.every((name) => name === null)) return await run(rows)
  const { values, width } = rows
  const fit = names.flatMap((name, row) => (name === null ? values.slice(row * width, (row + 1) * width) : []))
  const size = names.filter((name) => name === null).length
  const results = size === 0 ? [] : await run({ size, width, values: fit })
  let next = 0
  return names.map((name) => {
    if (name === null) return results[next++]!
    return { failure: { reason: 'INPUT_UNUSABLE', detail: `the tensor cannot hold the value of ${name}` } }
  })
}

/** The column of a row whose value its tensor cannot hold. */
export function findUnfit(inputs: readonly InputTensor[], { values, width }: ModelRows, row: number): number | null {
  for (const { type, columns } of inputs) {
    const column = columns.find((one) => !canHold(type, values[row * width + one]!))
    if (column !== undefined) return column
  }
  return null
}

/** The outputs of each row; of all rows a failure where a tensor has not this many rows, or not the column. */
export function readOutputs(
  given: Readonly<Record<string, GivenTensor>>,
  outputs: readonly OutputColumn[],
  rows: ModelRows,
): readonly RunResult[] {
  const columns: unknown[][] = []
  for (const place of outputs) {
    const column = unpackOutput(given[place.tensor], place, rows.size)
    if (column === null) {
      const dims = given[place.tensor]?.dims.join(', ') ?? ''
      const detail = `output "${place.tensor}" has the shape [${dims}] for ${rows.size} rows, column ${place.column}`
      return failAll(rows, { reason: 'OUTPUT_SHAPE', detail })
    }
    columns.push(column)
  }
  return Array.from({ length: rows.size }, (_, row) => ({ outputs: columns.map((column) => column[row]) }))
}

/** The values of a column, or null where the tensor has not this many rows, or not the column. */
function unpackOutput(tensor: GivenTensor | undefined, { column }: OutputColumn, size: number): unknown[] | null {
  if (tensor === undefined) return null
  const [rows, width = 1] = tensor.dims
  if (tensor.dims.length > 2 || rows !== size || column >= width || tensor.data.length !== size * width) return null
  return Array.from({ length: size }, (_, row) => plain(tensor.type, tensor.data[row * width + column]))
}

/** As JSON has it. An integer beyond 2^53 is no safe one, and fails the check of the output. */
function plain(type: string, value: unknown): unknown {
  if (type === 'bool') return value === 1 || value === true
  return typeof value === 'bigint' ? Number(value) : value
}
