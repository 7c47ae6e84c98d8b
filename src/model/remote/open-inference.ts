import { assert } from '../../base/assert.ts'
import type { RemotePlan } from '../../plan/check-remote.ts'
import type { ModelPlan } from '../../plan/model-plan.ts'
import type { ModelRows, RunResult } from '../runner.ts'
import {
  findUnfit,
  type GivenTensor,
  type InputTensor,
  matchInputs,
  matchOutputs,
  type Misfit,
  type OutputColumn,
  packInput,
  readOutputs,
  type TensorSlot,
} from '../tensors.ts'
import { dataTypes, readTensors, type TensorPart } from './inference-tensors.ts'
import {
  getRequest,
  jsonRequest,
  listOf,
  MalformedAnswer,
  objectOf,
  parseJson,
  type RemoteProtocol,
} from './protocol.ts'
import type { HttpAnswer, HttpRequest } from './transport.ts'

const headerLength = 'inference-header-content-length'

/** The Open Inference Protocol, version 2, over HTTP: https://github.com/open-inference/open-inference-protocol. */
export class OpenInference implements RemoteProtocol {
  readonly checks: readonly HttpRequest[]
  readonly #plan: ModelPlan
  readonly #remote: RemotePlan
  readonly #path: string
  #inputs: readonly InputTensor[] = []
  #outputs: readonly OutputColumn[] = []

  constructor(plan: ModelPlan, remote: RemotePlan) {
    assert(remote.model !== null, 'a model of this protocol has a name')
    this.#plan = plan
    this.#remote = remote
    const version = remote.version === null ? '' : `/versions/${encodeURIComponent(remote.version)}`
    this.#path = `/v2/models/${encodeURIComponent(remote.model)}${version}`
    this.checks = [getRequest(this.#path)]
  }

  check([answer]: readonly HttpAnswer[]): Misfit | null {
    const metadata = objectOf(parseJson(answer!.body), 'the metadata')
    this.#checkName(metadata, 'name')
    const inputs = slotsOf(metadata['inputs'], 'inputs')
    const outputs = slotsOf(metadata['outputs'], 'outputs')
    if (inputs.length === 0 || outputs.length === 0) {
      const allowed = 'Declare them over there, for MLServer in its model-settings.json: nothing is asked unchecked.'
      return { detail: `the server names no ${inputs.length === 0 ? 'inputs' : 'outputs'} of the model`, allowed }
    }
    const matched = matchInputs(inputs, this.#plan.inputs)
    if ('detail' in matched) return matched
    const columns = matchOutputs(outputs, this.#plan.outputs, this.#remote.outputs)
    if ('detail' in columns) return columns
    this.#inputs = matched
    this.#outputs = columns
    return null
  }

  unfit(rows: ModelRows, row: number): string | null {
    const column = findUnfit(this.#inputs, rows, row) ?? (this.#remote.binary ? null : findNull(rows, row))
    return column === null ? null : this.#plan.inputs[column]!.name
  }

  request(rows: ModelRows): HttpRequest {
    const path = `${this.#path}/infer`
    const tensors = this.#inputs.map((input) => ({ name: input.name, ...packInput(input, rows) }))
    const outputs = [...new Set(this.#outputs.map(({ tensor }) => tensor))].map((name) => ({ name }))
    if (!this.#remote.binary) {
      const inputs = tensors.map(({ name, type, data, dims }) => ({
        name,
        shape: dims,
        datatype: dataTypes[type],
        data: Array.from<number | bigint, number>(data, Number),
      }))
      return jsonRequest(path, { inputs, outputs })
    }
    const parts = tensors.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    const inputs = tensors.map(({ name, type, dims }, index) => ({
      name,
      shape: dims,
      datatype: dataTypes[type],
      parameters: { binary_data_size: parts[index]!.length },
    }))
    const head = Buffer.from(JSON.stringify({ inputs, outputs, parameters: { binary_data_output: true } }))
    const headers = { 'content-type': 'application/octet-stream', [headerLength]: String(head.length) }
    return { method: 'POST', path, headers, body: Buffer.concat([head, ...parts]) }
  }

  results({ headers, body }: HttpAnswer, rows: ModelRows): readonly RunResult[] {
    const given = headers[headerLength]
    const length = given === undefined ? body.length : Number(given)
    if (!Number.isSafeInteger(length) || length < 0 || length > body.length) {
      throw new MalformedAnswer(`${headerLength} is ${String(given)} in an answer of ${body.length} bytes`)
    }
    const answer = objectOf(parseJson(body.subarray(0, length)), 'the answer')
    this.#checkName(answer, 'model_name')
    const version = answer['model_version']
    // Empty is what servers say that know of none.
    if (this.#remote.version !== null && version !== undefined && version !== '' && version !== this.#remote.version) {
      throw new MalformedAnswer(`version ${JSON.stringify(version)} answers, and ${this.#remote.version} was asked`)
    }
    const parts = listOf(answer['outputs'], 'outputs').map((one) => objectOf(one, 'an output') as TensorPart)
    const tensors: Readonly<Record<string, GivenTensor>> = readTensors(parts, body.subarray(length))
    return readOutputs(tensors, this.#outputs, rows)
  }

  #checkName(answer: Readonly<Record<string, unknown>>, member: string): void {
    if (answer[member] === this.#remote.model) return
    throw new MalformedAnswer(`${member} is ${JSON.stringify(answer[member])}, and ${this.#remote.model} was asked`)
  }
}

/** JSON has no NaN, which is what missing values are in tensors. */
function findNull({ values, width }: ModelRows, row: number): number | null {
  const column = values.slice(row * width, (row + 1) * width).indexOf(null)
  return column === -1 ? null : column
}

function slotsOf(given: unknown, what: string): TensorSlot[] {
  return listOf(given ?? [], what).map((one) => {
    const { name, datatype, shape } = objectOf(one, `one of ${what}`)
    if (typeof name !== 'string' || typeof datatype !== 'string') {
      throw new MalformedAnswer(`one of ${what} lacks name or datatype`)
    }
    const type = Object.entries(dataTypes).find(([, wire]) => wire === datatype)?.[0] ?? datatype
    const dimensions = listOf(shape, `the shape of ${name}`).map((size) => {
      if (!Number.isSafeInteger(size)) throw new MalformedAnswer(`the shape of ${name} holds ${JSON.stringify(size)}`)
      return (size as number) < 0 ? 'any' : (size as number)
    })
    return { name, isTensor: true, type, shape: dimensions }
  })
}
