import type { Scored } from './ranking.ts'

/** Predictions of about the same score, and what came of them. */
export type CalibrationBin = {
  /** `[low, high)` of scores; the last one includes 1. */
  readonly low: number
  readonly high: number
  readonly count: number
  readonly meanScore: number
  /** Share of positives. Of calibrated scores it is the mean score, but for chance. */
  readonly rate: number
}

export type Calibration = {
  /** Those with a prediction in them, by score. */
  readonly bins: readonly CalibrationBin[]
  /** Mean squared distance of score and outcome: 0 is perfect, 0.25 is what always saying one half gives. */
  readonly brier: number
  /** Mean distance of `meanScore` and `rate`, bins weighed by their counts. */
  readonly error: number
}

/** Of scores that are probabilities, in [0, 1]. Null without predictions. */
export function calibrate(scored: readonly Scored[], binCount = 10): Calibration | null {
  if (scored.length === 0) return null
  const sums = Array.from({ length: binCount }, () => ({ count: 0, score: 0, positives: 0 }))
  let squares = 0
  for (const { score, label } of scored) {
    const bin = sums[Math.min(binCount - 1, Math.max(0, Math.floor(score * binCount)))]!
    bin.count += 1
    bin.score += score
    bin.positives += label ? 1 : 0
    squares += (score - (label ? 1 : 0)) ** 2
  }
  const bins = sums.flatMap(({ count, score, positives }, index) =>
    count === 0
      ? []
      : [
          {
            low: index / binCount,
            high: (index + 1) / binCount,
            count,
            meanScore: score / count,
            rate: positives / count,
          },
        ],
  )
  const error = bins.reduce((sum, { count, meanScore, rate }) => sum + count * Math.abs(meanScore - rate), 0)
  return { bins, brier: squares / scored.length, error: error / scored.length }
}
