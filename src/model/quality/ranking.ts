/** How well scores tell positives from negatives. Both agree with scikit-learn's functions of these names. */

export type Scored = { readonly score: number; readonly label: boolean }

/**
 * Area under the ROC curve: the chance that a positive scores above a negative, ties counting half. Null without both.
 */
export function rocAuc(scored: readonly Scored[]): number | null {
  const ordered = scored.toSorted((a, b) => a.score - b.score)
  const positives = ordered.filter(({ label }) => label).length
  const negatives = ordered.length - positives
  if (positives === 0 || negatives === 0) return null
  // Negatives below each positive, and half of those beside it. Doubled, it is a whole number.
  let doubled = 0
  let below = 0
  for (let at = 0; at < ordered.length; ) {
    const tie = tieAt(ordered, at)
    doubled += tie.positives * (2 * below + tie.negatives)
    below += tie.negatives
    at = tie.end
  }
  return doubled / (2 * positives * negatives)
}

/**
 * Average precision: the mean, over the positives from the highest score down, of the share of positives among what
 * scores as high. The figure for rare positives, where the ROC curve flatters. Null without a positive.
 */
export function averagePrecision(scored: readonly Scored[]): number | null {
  const ordered = scored.toSorted((a, b) => b.score - a.score)
  let found = 0
  let sum = 0
  for (let at = 0; at < ordered.length; ) {
    const tie = tieAt(ordered, at)
    found += tie.positives
    at = tie.end
    sum += (tie.positives * found) / at
  }
  return found === 0 ? null : sum / found
}

type Tie = { readonly positives: number; readonly negatives: number; readonly end: number }

function tieAt(ordered: readonly Scored[], at: number): Tie {
  const { score } = ordered[at]!
  let end = at
  let positives = 0
  for (; end < ordered.length && ordered[end]!.score === score; end++) if (ordered[end]!.label) positives += 1
  return { positives, negatives: end - at - positives, end }
}
