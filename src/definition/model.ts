import type { Duration } from '../base/duration.ts'
import type { Fields, FieldValue } from '../schema/field.ts'
import type {
  Model,
  ModelInput,
  ModelOutput,
  OnnxFile,
  OnnxOutput,
  RegistryModel,
  RemoteModel,
} from './declared-model.ts'
import type { Infer } from './infer.ts'
import type { Stream } from './stream.ts'

/**
 * What to do with inputs whose status is not `PRESENT`. The answer names them, whatever the rule.
 *
 * - `refuse`: no prediction. The default, because it is the only one that cannot serve a guess as a score.
 * - `default`: these values in their place; an input without one is refused.
 * - `pass`: the value as it was read, null included (for ONNX: NaN). For models that were trained on such rows.
 */
export type MissingRule<Input> =
  | 'refuse'
  | 'pass'
  | { readonly default: { readonly [K in keyof Infer<Input>]?: NonNullable<Infer<Input>[K]> } }

/** The vector that a function gets. Only `pass` lets a null through. */
export type ModelVector<Input, Missing> = Missing extends 'pass'
  ? Infer<Input>
  : { readonly [K in keyof Infer<Input>]: NonNullable<Infer<Input>[K]> }

type OutputRow<Output extends Fields> = { readonly [K in keyof Output]: FieldValue<Output[K]> }

export interface ModelOptions<Input extends ModelInput, Output extends ModelOutput, Missing> {
  /**
   * A whole number from 1 on, raised by the author with every change of the model. In every answer. Left out where the
   * model comes from the registry, which numbers its versions.
   */
  readonly version?: number
  readonly input: Input
  /** Not for functions: the features that are its columns, in order. Default: all of the input, in its order. */
  readonly inputs?: readonly NoInfer<keyof Infer<Input> & string>[]
  /** A function of one vector, synchronous; an ONNX file; a model that another process runs; or the registry's live one. */
  readonly from:
    | ((vector: ModelVector<Input, NoInfer<Missing>>) => OutputRow<NoInfer<Output>>)
    | OnnxFile
    | RemoteModel
    | RegistryModel
  readonly output: Output
  readonly missing?: Missing
  /**
   * Score each accepted event of a stream as it arrives, its own effect included. The stream has to have every join key
   * of the input. Predictions go to the topic `predictions`.
   */
  readonly score?: { readonly on: Stream }
  /** What came true of its predictions, so that it is known how good they were: in `/metrics` and `model report`. */
  readonly outcome?: {
    readonly on: Stream
    /** The field that has the `request_id` of the prediction: of an event that was scored, its id. Default: the stream's id. */
    readonly id?: string
    /** A boolean field, or a number that is above 0 where it came true. */
    readonly label: string
    /** After a prediction, how long its label counts. */
    readonly horizon: Duration
  }
  /**
   * The FILE.manifest.json of the training set, relative to where the process runs: how far the inputs have drifted from
   * it is in `/metrics` and `model report`. Versions of the registry bring their own.
   */
  readonly training?: string | URL
}

/** `model('fraud', { version: 1, input: fraudV1, from: onnx('fraud.onnx'), output: { score: float() } })` */
export function model<
  const Name extends string,
  Input extends ModelInput,
  const Output extends ModelOutput,
  const Missing extends MissingRule<Input> = 'refuse',
>(name: Name, options: ModelOptions<Input, Output, Missing>): Model<Name, Input, Output> {
  const missing: Model['missing'] = options.missing ?? 'refuse'
  return Object.freeze({
    type: 'model',
    name,
    version: options.version ?? null,
    input: options.input,
    inputs: options.inputs === undefined ? null : Object.freeze([...options.inputs]),
    from: options.from as Model['from'],
    output: Object.freeze({ ...options.output }),
    score: options.score === undefined ? null : Object.freeze({ on: options.score.on }),
    outcome:
      options.outcome === undefined ? null : Object.freeze({ ...options.outcome, id: options.outcome.id ?? null }),
    training: options.training ?? null,
    missing: typeof missing === 'object' ? Object.freeze({ default: Object.freeze({ ...missing.default }) }) : missing,
  })
}

export interface OnnxOptions {
  /** Refuse any other file. */
  readonly sha256?: string
  /** Where the graph gives an output, if not as a tensor of its name with one column. */
  readonly outputs?: Readonly<Record<string, OnnxOutput>>
  /** Default 64 MiB. */
  readonly bytesMax?: number
}

const bytesMaxDefault = 64 * 1024 * 1024

/** An ONNX file: `onnx('fraud.onnx')`, or beside the module `onnx(new URL('fraud.onnx', import.meta.url))`. */
export function onnx(file: string | URL, options: OnnxOptions = {}): OnnxFile {
  return Object.freeze({
    type: 'onnx',
    file,
    sha256: options.sha256 ?? null,
    outputs: Object.freeze({ ...options.outputs }),
    bytesMax: options.bytesMax ?? bytesMaxDefault,
  })
}

/**
 * Versions that are pushed to the registry with `mill.modelVersions.push`; the live one answers, and a process follows when
 * another goes live: `from: registry()`.
 */
export function registry(options: Omit<OnnxOptions, 'sha256'> = {}): RegistryModel {
  return Object.freeze({
    type: 'registry',
    outputs: Object.freeze({ ...options.outputs }),
    bytesMax: options.bytesMax ?? bytesMaxDefault,
  })
}
