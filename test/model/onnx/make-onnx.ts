// Encodes tiny ONNX files by hand. Field numbers are those of `onnx.proto`; this is not the reader of src/ turned round.

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return [...bytes, rest]
}

export function num(field: number, value: number): Buffer {
  return Buffer.from([...varint(field * 8), ...varint(value)])
}

export function sub(field: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body])
}

export const elemTypes = { float: 1, int64: 7, bool: 9, double: 11, string: 8 }
type ElemType = keyof typeof elemTypes

/** A value of the graph: dimensions that are text are left open. */
export function value(field: 11 | 12, name: string, type: ElemType, dims: readonly (number | string)[]): Buffer {
  const shape = dims.map((dim) => sub(1, typeof dim === 'number' ? num(1, dim) : sub(2, dim)))
  return sub(field, sub(1, name), sub(2, sub(1, num(1, elemTypes[type]), sub(2, ...shape))))
}

export function floats(name: string, dims: readonly number[], values: readonly number[]): Buffer {
  return sub(
    5,
    ...dims.map((dim) => num(1, dim)),
    num(2, 1),
    sub(8, name),
    sub(9, Buffer.from(new Float32Array(values).buffer)),
  )
}

export type Node = {
  readonly op: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly domain?: string
  readonly attributes?: readonly Uint8Array[]
}

export function node({ op, inputs, outputs, domain, attributes = [] }: Node): Buffer {
  return sub(
    1,
    ...inputs.map((name) => sub(1, name)),
    ...outputs.map((name) => sub(2, name)),
    sub(4, op),
    ...(domain === undefined ? [] : [sub(7, domain)]),
    ...attributes.map((attribute) => sub(5, attribute)),
  )
}

/** An attribute that is an integer. */
export function intAttribute(name: string, value: number): Buffer {
  return Buffer.concat([sub(1, name), num(3, value), num(20, 2)])
}

export function graph(...parts: readonly Uint8Array[]): Buffer {
  return onnxFile(sub(7, ...parts, sub(2, 'test')))
}

export function onnxFile(...parts: readonly Uint8Array[]): Buffer {
  const opsets = [sub(8, sub(1, ''), num(2, 17)), sub(8, sub(1, 'ai.onnx.ml'), num(2, 3))]
  return Buffer.concat([num(1, 8), ...opsets, ...parts])
}

/** `score = sigmoid(x · weights + bias)`, rows left open. */
export function logistic(weights: readonly number[], bias: number): Buffer {
  return graph(...logisticParts(weights, bias))
}

export function logisticParts(weights: readonly number[], bias: number): Buffer[] {
  return [
    node({ op: 'MatMul', inputs: ['x', 'w'], outputs: ['xw'] }),
    node({ op: 'Add', inputs: ['xw', 'b'], outputs: ['z'] }),
    node({ op: 'Sigmoid', inputs: ['z'], outputs: ['score'] }),
    floats('w', [weights.length, 1], weights),
    floats('b', [1], [bias]),
    value(11, 'x', 'float', ['rows', weights.length]),
    value(12, 'score', 'float', ['rows', 1]),
  ]
}
