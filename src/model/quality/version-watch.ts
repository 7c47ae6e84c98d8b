import type { ModelPlan } from '../../plan/model-plan.ts'
import type { Prediction, ReadVector } from '../predictor.ts'
import type { Distribution } from './drift.ts'
import { InputWindow, type InputWatch } from './input-window.ts'

/** Of scores. Fine where probabilities are, which most scores are; coarse for what is predicted of other sizes. */
export const scoreBounds: readonly number[] = [
  -1e6, -1e4, -1_000, -100, -10, -1, 0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99,
  1, 10, 100, 1_000, 1e4, 1e6,
]

/** What a version of a model gave and got in this process, whoever asked it, served or as a shadow. */
export type WatchedVersion = {
  readonly scores: { readonly bounds: readonly number[]; readonly counts: ArrayLike<number>; readonly sum: number }
  /** Why nothing was served, by outcome and reason; and why a fallback answered. */
  readonly reasons: readonly { readonly outcome: 'refused' | 'failed' | 'fallback'; reason: string; count: number }[]
  /** Vectors in the window that the inputs are of. */
  readonly vectors: number
  readonly inputs: readonly InputWatch[]
}

/** Counts what goes through a version of a model: some nanoseconds for each input. */
export class VersionWatch {
  readonly #training: ReadonlyMap<string, Distribution>
  readonly #scores = new Float64Array(scoreBounds.length + 1)
  #sum = 0
  readonly #reasons = new Map<string, WatchedVersion['reasons'][number]>()
  #inputs: InputWindow | null = null

  /** @param training how the inputs were spread in the training set, by name; those that are known. */
  constructor(training: ReadonlyMap<string, Distribution>) {
    this.#training = training
  }

  /** Predictions in the order of their vectors. */
  saw(plan: ModelPlan, vectors: readonly ReadVector[], predictions: readonly Prediction[]): void {
    this.#inputs ??= new InputWindow(
      plan.inputs.map(({ name }) => name),
      this.#training,
    )
    const name = scoreName(plan)
    for (const [row, vector] of vectors.entries()) {
      this.#inputs.add(plan.inputs, vector)
      const prediction = predictions[row]!
      if (prediction.outcome !== 'served') {
        this.#count(prediction.outcome, prediction.reason)
        continue
      }
      if (prediction.fallback !== undefined) this.#count('fallback', prediction.fallback.reason)
      else this.#score(prediction.output[name])
    }
  }

  watch(): WatchedVersion {
    return {
      scores: { bounds: scoreBounds, counts: this.#scores, sum: this.#sum },
      reasons: [...this.#reasons.values()],
      vectors: this.#inputs?.vectors ?? 0,
      inputs: this.#inputs?.watch() ?? [],
    }
  }

  #score(value: unknown): void {
    const score = scoreOf(value)
    if (score === null) return
    let low = 0
    let high = scoreBounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (scoreBounds[middle]! < score) low = middle + 1
      else high = middle
    }
    this.#scores[low]! += 1
    this.#sum += score
  }

  #count(outcome: 'refused' | 'failed' | 'fallback', reason: string): void {
    const key = `${outcome} ${reason}`
    const found = this.#reasons.get(key)
    if (found === undefined) this.#reasons.set(key, { outcome, reason, count: 1 })
    else found.count += 1
  }
}

/** The output that is the score: the one called `prediction`, else the first. */
export function scoreName({ outputs }: Pick<ModelPlan, 'outputs'>): string {
  return outputs.find(({ name }) => name === 'prediction')?.name ?? outputs[0]!.name
}

/** A number, or the number of a boolean; null for anything else. */
export function scoreOf(value: unknown): number | null {
  return typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : null
}
