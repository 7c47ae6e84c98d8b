import { assert } from '../../base/assert.ts'

/**
 * How a feature was spread when a model was trained: what is seen now is held against it. Small, and made of counts
 * alone, so that it can lie beside the model.
 */
export type Distribution = {
  /** Ascending. Bin `i` holds values in `[edges[i - 1], edges[i])`; the first and the last one are open. */
  readonly edges: readonly number[]
  /** One more than edges. */
  readonly counts: readonly number[]
  readonly nulls: number
}

/**
 * Bins of about equal counts, by quantiles of the values; fewer where values repeat. What is the least value of more
 * than a bin's worth, as zero often is, has a bin of its own.
 */
export function describeDistribution(values: readonly (number | null)[], binCount = 10): Distribution {
  assert(binCount >= 2, 'a distribution has two bins at least')
  const present = values.filter((value) => value !== null).sort((a, b) => a - b)
  const edges: number[] = []
  for (let bin = 1; bin < binCount && present.length > 0; bin++) {
    const least = edges.at(-1) ?? present[0]!
    const edge = present[Math.floor((bin * present.length) / binCount)]!
    if (edge > least) edges.push(edge)
    else if (edges.length === 0) {
      const next = present.find((value) => value > least)
      if (next !== undefined) edges.push(next)
    }
  }
  return count(edges, values)
}

/** Other values in the bins of a distribution. */
export function count(edges: readonly number[], values: readonly (number | null)[]): Distribution {
  const counts = Array.from({ length: edges.length + 1 }, () => 0)
  let nulls = 0
  for (const value of values) {
    if (value === null) nulls += 1
    else counts[binOf(edges, value)]! += 1
  }
  return { edges, counts, nulls }
}

/**
 * The population stability index: sum over bins of (now - before) · ln(now / before), nulls being a bin of their own.
 * Below 0.1 nothing to speak of, above 0.25 another population (the rule of thumb of credit scoring). Empty bins count
 * as half a value, so that it is finite. Null without values on either side.
 */
export function stabilityIndex(before: Distribution, now: Distribution): number | null {
  assert(before.edges.length === now.edges.length, 'both are counted in the same bins')
  const left = sharesOf(before)
  const right = sharesOf(now)
  if (left === null || right === null) return null
  return left.reduce((sum, share, bin) => sum + (right[bin]! - share) * Math.log(right[bin]! / share), 0)
}

function sharesOf({ counts, nulls }: Distribution): number[] | null {
  const all = [...counts, nulls]
  const total = all.reduce((sum, one) => sum + one, 0)
  if (total === 0) return null
  const smoothed = all.map((one) => Math.max(one, 0.5))
  const sum = smoothed.reduce((total, one) => total + one, 0)
  return smoothed.map((one) => one / sum)
}

export function binOf(edges: readonly number[], value: number): number {
  let low = 0
  let high = edges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (edges[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low
}
