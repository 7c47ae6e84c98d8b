import { calibrate, type Calibration } from './calibration.ts'
import type { InputWatch } from './input-window.ts'
import type { JoinedVersion } from './label-join.ts'
import { aucError, averagePrecision, rank, rocAuc } from './ranking.ts'
import type { ScoreBin, ScoreHistogram } from './score-histogram.ts'

/** How good the scores of a version were, as far as it is known what came true. */
export type ScoreQuality = {
  readonly labels: {
    readonly joined: number
    readonly positives: number
    /** Scores whose labels came after the horizon. */
    readonly late: number
    /** Scores without a label so far. */
    readonly missing: number
  }
  /** Null while labels are of one kind. */
  readonly auc: number | null
  readonly aucError: number | null
  readonly averagePrecision: number | null
  /** Null when scores are no probabilities, or none has a label. */
  readonly calibration: Calibration | null
}

/** What one version of a model did. */
export type ModelWatch = ScoreQuality & {
  readonly outcomes: Readonly<Record<string, number>>
  readonly scores: {
    readonly count: number
    readonly mean: number | null
    /** Those of positives apart, as far as labels are known and held. */
    readonly bins: readonly (ScoreBin & { readonly positives: number })[]
  }
  /** Share of the predictions, by hash of their ids, that labels are of. */
  readonly share: number
  readonly vectors: number
  readonly inputs: readonly InputWatch[]
}

const nothingJoined: JoinedVersion = { scored: [], late: 0, missing: 0 }

/** Unknown is never taken for negative. */
export function scoreQuality({ scored, late, missing }: JoinedVersion = nothingJoined): ScoreQuality {
  const ranking = rank(scored)
  const [positives, negatives] = [ranking.positives.length, ranking.negatives.length]
  const auc = rocAuc(ranking)
  const isProbability = scored.every(({ score }) => score >= 0 && score <= 1)
  return {
    labels: { joined: scored.length, positives, late, missing },
    auc,
    aucError: auc === null ? null : aucError(auc, positives, negatives),
    averagePrecision: averagePrecision(ranking),
    calibration: isProbability ? calibrate(scored) : null,
  }
}

/** The bins of all scores, with those of positives. */
export function scoreBins(histogram: ScoreHistogram, { scored }: JoinedVersion = nothingJoined): ModelWatch['scores'] {
  const bins = histogram.bins()
  const positives = bins.map(() => 0)
  const width = bins.length === 0 ? 1 : bins[0]!.high - bins[0]!.low
  for (const { score, label } of scored) {
    if (label) positives[Math.floor(score / width) - Math.floor(bins[0]!.low / width)]! += 1
  }
  return {
    count: histogram.count,
    mean: histogram.mean,
    bins: bins.map((bin, index) => ({ ...bin, positives: positives[index]! })),
  }
}
