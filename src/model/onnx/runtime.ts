import { MillraceError } from '../../base/faults.ts'

/**
 * The part of `onnxruntime-node` that is used. Written down here, not imported: the package is an optional peer, and
 * the types of this one must hold where it is not installed.
 */
export type OnnxRuntime = {
  readonly InferenceSession: {
    create(file: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OnnxSession>
  }
  readonly Tensor: new (type: TensorType, data: TensorData, dims: readonly number[]) => OnnxTensor
}

export type OnnxSession = {
  readonly inputMetadata: readonly OnnxValue[]
  readonly outputMetadata: readonly OnnxValue[]
  run(feeds: Readonly<Record<string, OnnxTensor>>, fetches: readonly string[]): Promise<Record<string, OnnxTensor>>
  release(): Promise<void>
}

/** An input or output of a graph. A dimension is a number where it is fixed, a name where it is not. */
export type OnnxValue =
  | { readonly name: string; readonly isTensor: false }
  | {
      readonly name: string
      readonly isTensor: true
      readonly type: string
      readonly shape: readonly (number | string)[]
    }

export type TensorType = 'float32' | 'float64' | 'int64'
export type TensorData = Float32Array | Float64Array | BigInt64Array
export type OnnxTensor = { readonly type: string; readonly dims: readonly number[]; readonly data: ArrayLike<unknown> }

/** As in `peerDependencies`. */
const version = '1.30.0'

/** Throws `MODEL_RUNTIME_MISSING`. */
export async function loadOnnxRuntime(): Promise<OnnxRuntime> {
  // Named by a constant, or the compiler would look for its types.
  const name: string = 'onnxruntime-node'
  try {
    const module = (await import(name)) as OnnxRuntime & { readonly default?: OnnxRuntime }
    return module.default ?? module
  } catch (error) {
    throw new MillraceError('MODEL_RUNTIME_MISSING', { name, version }, { cause: error })
  }
}
