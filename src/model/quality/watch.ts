import { calibrate, type Calibration } from './calibration.ts'
import { count, type Distribution, stabilityIndex } from './drift.ts'
import { averagePrecision, rocAuc, type Scored } from './ranking.ts'

/** A prediction as it was served, and the inputs that the model got for it. */
export type WatchedPrediction = {
  readonly id: string
  readonly asOf: number
  readonly outcome: string
  /** Null when it was not served, or gave no number. */
  readonly score: number | null
  /** Null where they are not known. */
  readonly inputs: Readonly<Record<string, unknown>> | null
}

/** What came true of a prediction, and when that was known. */
export type Outcome = { readonly at: number; readonly label: boolean }

export type WatchOptions = {
  /** Of each input, as the model's training set had it. */
  readonly training: ReadonlyMap<string, Distribution>
  /** A label that is known later than this after a prediction comes too late for it. */
  readonly horizonMs: number
}

export type InputDrift = {
  readonly name: string
  /** Population stability index against the training set; null: one of both is not known. */
  readonly psi: number | null
  readonly values: number
  readonly nulls: number
}

/** What one version of a model did. */
export type ModelWatch = {
  readonly outcomes: Readonly<Record<string, number>>
  readonly scores: {
    readonly count: number
    readonly mean: number | null
    /** Of equal width between `low` and `high`; those of positives apart, as far as labels are known. */
    readonly low: number
    readonly high: number
    readonly bins: readonly { readonly count: number; readonly positives: number }[]
  }
  readonly labels: {
    readonly joined: number
    readonly positives: number
    /** Labels that came after the horizon. */
    readonly late: number
    /** Scores without a label so far. */
    readonly missing: number
  }
  readonly auc: number | null
  readonly averagePrecision: number | null
  /** Null when scores are no probabilities, or none has a label. */
  readonly calibration: Calibration | null
  readonly inputs: readonly InputDrift[]
}

const binCount = 20

/** Joins predictions with what came true of them, and says how good they were and what they were made of. */
export function watchModel(
  predictions: readonly WatchedPrediction[],
  outcomes: ReadonlyMap<string, readonly Outcome[]>,
  { training, horizonMs }: WatchOptions,
): ModelWatch {
  const joined: Scored[] = []
  const scores: { readonly score: number; readonly label: boolean | null }[] = []
  let late = 0
  for (const { id, asOf, score } of predictions) {
    if (score === null) continue
    const known = outcomes.get(id) ?? []
    // The last one in time: a label may be mended.
    const label = known.findLast(({ at }) => at <= asOf + horizonMs)?.label ?? null
    if (label === null && known.length > 0) late += 1
    if (label !== null) joined.push({ score, label })
    scores.push({ score, label })
  }
  const counted: Record<string, number> = {}
  for (const { outcome } of predictions) counted[outcome] = (counted[outcome] ?? 0) + 1
  const isProbability = scores.every(({ score }) => score >= 0 && score <= 1)
  return {
    outcomes: counted,
    scores: spreadOf(scores, isProbability),
    labels: {
      joined: joined.length,
      positives: joined.filter(({ label }) => label).length,
      late,
      missing: scores.length - joined.length - late,
    },
    auc: rocAuc(joined),
    averagePrecision: averagePrecision(joined),
    calibration: isProbability ? calibrate(joined) : null,
    inputs: driftOf(predictions, training),
  }
}

function spreadOf(
  scores: readonly { readonly score: number; readonly label: boolean | null }[],
  isProbability: boolean,
): ModelWatch['scores'] {
  const least = scores.reduce((min, { score }) => Math.min(min, score), Number.POSITIVE_INFINITY)
  const most = scores.reduce((max, { score }) => Math.max(max, score), Number.NEGATIVE_INFINITY)
  const [low, high] = isProbability || scores.length === 0 ? [0, 1] : [least, most]
  const bins = Array.from({ length: binCount }, () => ({ count: 0, positives: 0 }))
  for (const { score, label } of scores) {
    const share = high === low ? 0 : (score - low) / (high - low)
    const bin = bins[Math.min(binCount - 1, Math.floor(share * binCount))]!
    bin.count += 1
    if (label === true) bin.positives += 1
  }
  const mean = scores.length === 0 ? null : scores.reduce((sum, { score }) => sum + score, 0) / scores.length
  return { count: scores.length, mean, low, high, bins }
}

function driftOf(predictions: readonly WatchedPrediction[], training: ReadonlyMap<string, Distribution>): InputDrift[] {
  const vectors = predictions.flatMap(({ inputs }) => (inputs === null ? [] : [inputs]))
  const names = [...new Set(vectors.flatMap((inputs) => Object.keys(inputs)))]
  return names.flatMap((name): InputDrift[] => {
    const values = vectors.map((inputs) => numberOf(inputs[name]))
    if (values.every((value) => value === undefined)) return []
    const known = values.map((value) => value ?? null)
    const before = training.get(name)
    const psi = before === undefined ? null : stabilityIndex(before, count(before.edges, known))
    return [{ name, psi, values: known.length, nulls: known.filter((value) => value === null).length }]
  })
}

/** Undefined for what is no number. */
function numberOf(value: unknown): number | null | undefined {
  if (value === null || typeof value === 'number') return value
  return typeof value === 'boolean' ? Number(value) : undefined
}
