import { endianness } from 'node:os'
import { assert } from '../../base/assert.ts'
import type { GivenTensor } from '../tensors.ts'
import { listOf, MalformedAnswer, objectOf } from './protocol.ts'

/** Types of tensors that are sent or taken, and what the Open Inference Protocol calls them. */
export const dataTypes: Readonly<Record<string, string>> = {
  float32: 'FP32',
  float64: 'FP64',
  int64: 'INT64',
  int32: 'INT32',
  bool: 'BOOL',
}

// The protocol is little-endian, and so is every machine that Node runs on but for one.
assert(endianness() === 'LE', 'tensors are sent as they lie in memory')

/** An output as it stands in the JSON of an answer, its values beside it or among the bytes that follow. */
export type TensorPart = {
  readonly name?: unknown
  readonly datatype?: unknown
  readonly shape?: unknown
  readonly data?: unknown
  readonly parameters?: unknown
}

/** Tensors by name. Throws `MalformedAnswer`. */
export function readTensors(parts: readonly TensorPart[], bytes: Uint8Array): Record<string, GivenTensor> {
  const tensors: Record<string, GivenTensor> = {}
  let at = 0
  for (const part of parts) {
    const { name, datatype } = part
    if (typeof name !== 'string') throw new MalformedAnswer('an output has no name')
    const type = Object.entries(dataTypes).find(([, wire]) => wire === datatype)?.[0]
    if (type === undefined) throw new MalformedAnswer(`output ${name} is of type ${JSON.stringify(datatype)}`)
    const dims = listOf(part.shape, `the shape of ${name}`)
    if (!dims.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)) {
      throw new MalformedAnswer(`the shape of ${name} is ${JSON.stringify(dims)}`)
    }
    const size = (dims as number[]).reduce((product, one) => product * one, 1)
    const length =
      part.parameters === undefined ? undefined : objectOf(part.parameters, 'parameters')['binary_data_size']
    let data: ArrayLike<unknown>
    if (length === undefined) data = listOf(part.data, `the data of ${name}`).flat(8)
    else {
      const isInside =
        Number.isSafeInteger(length) && (length as number) >= 0 && at + (length as number) <= bytes.length
      if (!isInside) throw new MalformedAnswer(`the bytes of ${name} are not there`)
      data = readBytes(type, Uint8Array.from(bytes.subarray(at, at + (length as number))), name)
      at += length as number
    }
    if (data.length !== size) throw new MalformedAnswer(`output ${name} has ${data.length} values, its shape ${size}`)
    tensors[name] = { type, dims: dims as number[], data }
  }
  return tensors
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  bool: Uint8Array,
} as const

/** `bytes` are a copy: they begin where an array may begin. */
function readBytes(type: string, bytes: Uint8Array, name: string): ArrayLike<unknown> {
  const array = arrays[type as keyof typeof arrays]
  if (bytes.length % array.BYTES_PER_ELEMENT === 0) return new array(bytes.buffer as ArrayBuffer)
  throw new MalformedAnswer(`the bytes of ${name} are no whole number of ${type}`)
}
