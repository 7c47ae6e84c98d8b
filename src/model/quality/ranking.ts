/** How well scores tell positives from negatives. Both agree with scikit-learn's functions of these names. */

export type Scored = { readonly score: number; readonly label: boolean }

/** Scores by what came true, each ascending. */
export type Ranking = { readonly positives: Float64Array; readonly negatives: Float64Array }

export function rank(scored: Iterable<Scored>): Ranking {
  const parts: { readonly positives: number[]; readonly negatives: number[] } = { positives: [], negatives: [] }
  for (const { score, label } of scored) (label ? parts.positives : parts.negatives).push(score)
  return {
    positives: Float64Array.from(parts.positives).sort(),
    negatives: Float64Array.from(parts.negatives).sort(),
  }
}

/**
 * Area under the ROC curve: the chance that a positive scores above a negative, ties counting half. Null without both.
 */
export function rocAuc({ positives, negatives }: Ranking): number | null {
  if (positives.length === 0 || negatives.length === 0) return null
  // Negatives below each positive, and half of those beside it. Doubled, it is a whole number.
  let doubled = 0
  let below = 0
  let upTo = 0
  for (const score of positives) {
    while (below < negatives.length && negatives[below]! < score) below += 1
    upTo = Math.max(upTo, below)
    while (upTo < negatives.length && negatives[upTo]! <= score) upTo += 1
    doubled += below + upTo
  }
  return doubled / (2 * positives.length * negatives.length)
}

/** Standard error of an AUC of so many of both, after Hanley and McNeil (1982): how far chance alone may move it. */
export function aucError(auc: number, positives: number, negatives: number): number {
  const [one, two] = [auc / (2 - auc), (2 * auc * auc) / (1 + auc)]
  const square = auc * auc
  const variance = auc * (1 - auc) + (positives - 1) * (one - square) + (negatives - 1) * (two - square)
  return Math.sqrt(Math.max(0, variance) / (positives * negatives))
}

/**
 * Average precision: the mean, over the positives from the highest score down, of the share of positives among what
 * scores as high. The figure for rare positives, where the ROC curve flatters. Null without a positive.
 */
export function averagePrecision({ positives, negatives }: Ranking): number | null {
  if (positives.length === 0) return null
  let sum = 0
  let others = negatives.length - 1
  for (let at = positives.length - 1; at >= 0; ) {
    const score = positives[at]!
    let next = at
    while (next >= 0 && positives[next] === score) next -= 1
    while (others >= 0 && negatives[others]! >= score) others -= 1
    const found = positives.length - 1 - next
    sum += ((at - next) * found) / (found + negatives.length - 1 - others)
    at = next
  }
  return sum / positives.length
}
