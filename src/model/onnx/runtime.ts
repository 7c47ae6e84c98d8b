import { MillraceError } from '../../base/faults.ts'
import type { GivenTensor, TensorData, TensorSlot, TensorType } from '../tensors.ts'

/**
 * The part of `onnxruntime-node` that is used. Written down here, not imported: the package is an optional peer, and
 * the types of this one must hold where it is not installed.
 */
export type OnnxRuntime = {
  readonly InferenceSession: {
    create(file: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OnnxSession>
  }
  readonly Tensor: new (type: TensorType, data: TensorData, dims: readonly number[]) => GivenTensor
}

export type OnnxSession = {
  readonly inputMetadata: readonly TensorSlot[]
  readonly outputMetadata: readonly TensorSlot[]
  run(feeds: Readonly<Record<string, GivenTensor>>, fetches: readonly string[]): Promise<Record<string, GivenTensor>>
  release(): Promise<void>
}

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
