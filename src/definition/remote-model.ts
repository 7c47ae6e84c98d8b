import type { Fallback, ModelFunction, OnnxFile, OnnxOutput, RemoteModel } from './declared-model.ts'

export interface RemoteOptions {
  /** Where the server answers: `http://models:8080`. No user, password or query: see `headersFrom`. */
  readonly url: string
  /** Where the answer has an output, if not as a tensor or column of its name. */
  readonly outputs?: Readonly<Record<string, OnnxOutput>>
  /** When an answer is of no use any more, repetitions included. Default 500. A request's own deadline may be sooner. */
  readonly timeoutMs?: number
  /** Default 8. Further requests wait for one, within their time. */
  readonly connectionsMax?: number
  /** Default 4 MiB. A longer answer is none. */
  readonly answerBytesMax?: number
  /**
   * Of the requests to this server, how many may be sent again where it was not reached. Default 0.1, and 10 on top: a
   * server in trouble must not get all of its requests twice. 0: none.
   */
  readonly retryShare?: number
  /** How long a server is left alone that failed to answer half of the last requests. Default 5,000. */
  readonly pauseMs?: number
  /** Header → environment variable that holds its value: `{ authorization: 'FRAUD_MODEL_AUTH' }`. */
  readonly headersFrom?: Readonly<Record<string, string>>
  /**
   * What answers where the server gives nothing that can be served: outputs that are always the same, an ONNX file, a
   * function, or another server. The prediction says so. Default: nothing, it has failed.
   */
  readonly fallback?: { readonly output: Readonly<Record<string, unknown>> } | OnnxFile | RemoteModel | ModelFunction
}

export interface OpenInferenceOptions extends RemoteOptions {
  /** Its name over there. */
  readonly model: string
  /** Default: whichever the server takes. */
  readonly version?: string
  /** Tensors as bytes rather than JSON, which has no NaN: Triton and KServe take them. Default false. */
  readonly binary?: boolean
}

/** A model on a server of the Open Inference Protocol, version 2: Triton, KServe, MLServer. */
export function openInference(options: OpenInferenceOptions): RemoteModel {
  const { model, version = null, binary = false } = options
  return remoteModel('open-inference', options, { model, version, binary })
}

/** A model behind MLflow's scoring server (`mlflow models serve`), asked with `dataframe_split`. */
export function mlflowScoring(options: RemoteOptions): RemoteModel {
  return remoteModel('mlflow', options, { model: null, version: null, binary: false })
}

function remoteModel(
  protocol: RemoteModel['protocol'],
  options: RemoteOptions,
  named: Pick<RemoteModel, 'model' | 'version' | 'binary'>,
): RemoteModel {
  return Object.freeze({
    type: 'remote',
    protocol,
    url: options.url,
    ...named,
    outputs: Object.freeze({ ...options.outputs }),
    timeoutMs: options.timeoutMs ?? 500,
    connectionsMax: options.connectionsMax ?? 8,
    answerBytesMax: options.answerBytesMax ?? 4 * 1024 * 1024,
    retryShare: options.retryShare ?? 0.1,
    pauseMs: options.pauseMs ?? 5_000,
    headersFrom: Object.freeze({ ...options.headersFrom }),
    fallback: fallbackOf(options.fallback),
  })
}

function fallbackOf(given: RemoteOptions['fallback']): Fallback | null {
  if (given === undefined) return null
  if (typeof given === 'function' || 'type' in given) return given
  return Object.freeze({ type: 'output', output: Object.freeze({ ...given.output }) })
}
