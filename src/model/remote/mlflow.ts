import type { RemotePlan } from '../../plan/check-remote.ts'
import type { ModelPlan } from '../../plan/model-plan.ts'
import { failAll, type ModelRows, type RunResult } from '../runner.ts'
import { jsonRequest, listOf, objectOf, parseJson, type RemoteProtocol } from './protocol.ts'
import type { HttpAnswer, HttpRequest } from './transport.ts'

/**
 * MLflow's scoring server. It says nothing of its model, so that only a first run, of two rows of zeros, can check it:
 * that a model with a signature takes these columns, and that it gives two rows of what was declared.
 */
export class MlflowScoring implements RemoteProtocol {
  readonly checks: readonly HttpRequest[]
  readonly #plan: ModelPlan
  readonly #remote: RemotePlan
  readonly #trial: ModelRows

  constructor(plan: ModelPlan, remote: RemotePlan) {
    this.#plan = plan
    this.#remote = remote
    const width = plan.inputs.length
    const zeros = plan.inputs.map(({ type }) => (type.kind === 'boolean' ? false : 0))
    this.#trial = { size: 2, width, values: [...zeros, ...zeros] }
    this.checks = [this.request(this.#trial)]
  }

  check([answer]: readonly HttpAnswer[]): { readonly detail: string; readonly allowed: string } | null {
    const failed = this.results(answer!, this.#trial).find((result) => 'failure' in result)
    if (failed === undefined || !('failure' in failed)) return null
    const allowed = 'Say with mlflowScoring({ outputs }) where the answer has them.'
    return { detail: `a first run gave no output: ${failed.failure.detail}`, allowed }
  }

  /** JSON's null is NaN to pandas. */
  unfit(): null {
    return null
  }

  request({ size, width, values }: ModelRows): HttpRequest {
    const columns = this.#plan.inputs.map(({ name }) => name)
    const data = Array.from({ length: size }, (_, row) => values.slice(row * width, (row + 1) * width))
    return jsonRequest('/invocations', { dataframe_split: { columns, data } })
  }

  results({ body }: HttpAnswer, rows: ModelRows): readonly RunResult[] {
    const predictions = listOf(objectOf(parseJson(body), 'the answer')['predictions'], 'predictions')
    if (predictions.length !== rows.size) {
      const detail = `the server gave ${predictions.length} predictions for ${rows.size} rows`
      return failAll(rows, { reason: 'OUTPUT_SHAPE', detail })
    }
    return predictions.map((prediction) => this.#resultOf(prediction))
  }

  /** A prediction is an object of columns, a list of them, or the one value of a model with one output. */
  #resultOf(prediction: unknown): RunResult {
    const { outputs } = this.#plan
    const given = outputs.map(({ name }) => {
      const { tensor: column, column: index = 0 } = this.#remote.outputs[name] ?? { tensor: name }
      if (Array.isArray(prediction)) return prediction[index] as unknown
      if (prediction === null || typeof prediction !== 'object') return outputs.length === 1 ? prediction : undefined
      return Object.hasOwn(prediction, column) ? (prediction as Record<string, unknown>)[column] : undefined
    })
    const missing = given.indexOf(undefined)
    if (missing === -1) return { outputs: given }
    return { failure: { reason: 'OUTPUT_SHAPE', detail: `the answer has no ${outputs[missing]!.name}` } }
  }
}
