import type { Field, Fields } from '../schema/field.ts'
import type { FeatureService } from './feature-service.ts'
import type { FeatureView } from './feature-view.ts'
import type { Stream } from './stream.ts'

/** A model as its author declared it. Everything here is as it was written; `plan/model-plan.ts` checks it. */
export interface Model<
  Name extends string = string,
  Input extends ModelInput = ModelInput,
  Output extends Fields = Fields,
> {
  readonly type: 'model'
  readonly name: Name
  /** Null: the registry numbers its versions. */
  readonly version: number | null
  readonly input: Input
  /** The features it takes, in order; null: all of the input's, in its order. */
  readonly inputs: readonly string[] | null
  readonly from: ModelSource
  readonly output: Output
  /** The stream whose events it scores as they arrive; null: none. */
  readonly score: { readonly on: Stream } | null
  readonly missing: 'refuse' | 'pass' | { readonly default: Readonly<Record<string, unknown>> }
  /** Null: nobody says what came true. */
  readonly outcome: ModelOutcome | null
  /** Manifest of the set that it was trained on; null: nobody says which. */
  readonly training: string | URL | null
}

/** What came true of predictions: events of a stream that name them, within some time of each. */
export type ModelOutcome = {
  readonly on: Stream
  /** The field that has the `request_id` of the prediction; null: the stream's id. */
  readonly id: string | null
  readonly label: string
  readonly horizon: string
}

/** Where the answers of a model come from. */
export type ModelSource = ModelFunction | OnnxFile | RemoteModel | RegistryModel

/** What a model reads: all features of a service, or of a view by itself. */
export type ModelInput = FeatureService | FeatureView

/** What a model may give. Text comes from functions only. */
export type ModelOutput = Readonly<Record<string, Field<'float' | 'int' | 'boolean' | 'string'>>>

/** A function as the source of a model, its types left to `model()`. */
export type ModelFunction = (vector: never) => Readonly<Record<string, unknown>>

/** An ONNX file as the source of a model. Made by `onnx`. */
export type OnnxFile = {
  readonly type: 'onnx'
  readonly file: string | URL
  /** What the file has to be; null: whatever lies there. */
  readonly sha256: string | null
  /** Output of the model → where the graph gives it. Those left out are tensors of one column, of the same name. */
  readonly outputs: Readonly<Record<string, OnnxOutput>>
  readonly bytesMax: number
}

/** A model whose versions lie in the registry: which of them answers is decided there. Made by `registry`. */
export type RegistryModel = {
  readonly type: 'registry'
  readonly outputs: Readonly<Record<string, OnnxOutput>>
  readonly bytesMax: number
}

/** A model that another process runs. Made by `openInference` and `mlflowScoring`. */
export type RemoteModel = {
  readonly type: 'remote'
  readonly protocol: 'open-inference' | 'mlflow'
  readonly url: string
  /** Name and version over there; null for version: whichever the server takes. MLflow serves one model, unnamed. */
  readonly model: string | null
  readonly version: string | null
  /** Tensors as bytes rather than JSON. */
  readonly binary: boolean
  readonly outputs: Readonly<Record<string, OnnxOutput>>
  readonly timeoutMs: number
  readonly connectionsMax: number
  readonly answerBytesMax: number
  /** Of the requests, how many may be sent again. */
  readonly retryShare: number
  /** How long a server that fails is left alone. */
  readonly pauseMs: number
  /** Header → the environment variable that holds its value, looked up when the model is loaded. */
  readonly headersFrom: Readonly<Record<string, string>>
  /** What answers where the server does not; null: nothing. */
  readonly fallback: Fallback | null
}

/** Outputs that are always the same, or another source of the same inputs and outputs. */
export type Fallback =
  | { readonly type: 'output'; readonly output: Readonly<Record<string, unknown>> }
  | Exclude<ModelSource, RegistryModel>

/** A column of an output tensor of a graph: `{ tensor: 'probabilities', column: 1 }`. */
export type OnnxOutput = { readonly tensor: string; readonly column?: number }

/** Finds the models among the exports of a module. */
export function isModel(value: unknown): value is Model {
  return (
    value !== null && typeof value === 'object' && 'type' in value && Object.isFrozen(value) && value.type === 'model'
  )
}
