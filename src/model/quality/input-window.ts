import type { FeatureStatus } from '../../plan/finish-view.ts'
import type { ModelInputPlan } from '../../plan/model-plan.ts'
import { binOf, type Distribution, stabilityIndex } from './drift.ts'
import type { ReadVector } from '../predictor.ts'

/** What came for one input. */
export type InputWatch = {
  readonly name: string
  /** How often it came with each status, since the beginning. */
  readonly statuses: Readonly<Partial<Record<FeatureStatus, number>>>
  /** Population stability index of the window against the training set; null: one of both is not known. */
  readonly psi: number | null
  /** Shares of the vectors of the window. */
  readonly nulls: number
  readonly warming: number
}

/** The window is counted in parts, and slides by one of them. */
const partsMax = 8
export const vectorsPerPart = 2_500

type Part = { readonly counts: Float64Array; vectors: number }

type Column = {
  readonly name: string
  /** Null: it is nothing that was counted when the model was trained. */
  readonly training: Distribution | null
  /** Where its bins begin in a part's counts; after them its nulls, and those that were warming. */
  readonly from: number
  readonly statuses: Partial<Record<FeatureStatus, number>>
}

/**
 * The inputs of a model over its newest 17,500 to 20,000 vectors, each in the bins of its own training set. Exact, and
 * of a size that inputs and bins alone decide. A window of vectors and not of time: the index of few values says
 * nothing, since chance alone gives about bins / values.
 */
export class InputWindow {
  readonly #columns: readonly Column[]
  readonly #width: number
  readonly #partVectors: number
  #parts: Part[] = []
  #total = 0

  /** @param slides false: the window is all that ever came. */
  constructor(names: readonly string[], training: ReadonlyMap<string, Distribution>, slides = true) {
    this.#partVectors = slides ? vectorsPerPart : Number.POSITIVE_INFINITY
    let from = 0
    this.#columns = names.map((name) => {
      const column = { name, training: training.get(name) ?? null, from, statuses: {} }
      from += (column.training?.counts.length ?? 0) + 2
      return column
    })
    this.#width = from
  }

  /** Vectors since the beginning. */
  get total(): number {
    return this.#total
  }

  /** Vectors in the window. */
  get vectors(): number {
    return this.#parts.reduce((sum, { vectors }) => sum + vectors, 0)
  }

  /** @param inputs those of the columns, in their order. */
  add(inputs: readonly Pick<ModelInputPlan, 'place'>[], { values, status }: ReadVector): void {
    const part = this.#part()
    part.vectors += 1
    this.#total += 1
    const { counts } = part
    for (let index = 0; index < this.#columns.length; index++) {
      const { training, from, statuses } = this.#columns[index]!
      const { place } = inputs[index]!
      const value = values[place]
      const came = status[place]!
      statuses[came] = (statuses[came] ?? 0) + 1
      const nulls = from + (training?.counts.length ?? 0)
      if (came === 'WARMING') counts[nulls + 1]! += 1
      if (value === null || value === undefined) counts[nulls]! += 1
      else if (training !== null) counts[from + binOf(training.edges, Number(value))]! += 1
    }
  }

  watch(): InputWatch[] {
    const sums = new Float64Array(this.#width)
    for (const { counts } of this.#parts) for (let at = 0; at < sums.length; at++) sums[at]! += counts[at]!
    const { vectors } = this
    return this.#columns.map(({ name, training, from, statuses }) => {
      const end = from + (training?.counts.length ?? 0)
      const [nulls, warming] = [sums[end]!, sums[end + 1]!]
      const now = training === null ? null : { edges: training.edges, counts: [...sums.subarray(from, end)], nulls }
      const psi = training === null || now === null ? null : stabilityIndex(training, now)
      const share = (count: number): number => (vectors === 0 ? 0 : count / vectors)
      return { name, statuses: { ...statuses }, psi, nulls: share(nulls), warming: share(warming) }
    })
  }

  #part(): Part {
    const last = this.#parts.at(-1)
    if (last !== undefined && last.vectors < this.#partVectors) return last
    const part = { counts: new Float64Array(this.#width), vectors: 0 }
    this.#parts = [...this.#parts.slice(1 - partsMax), part]
    return part
  }
}
