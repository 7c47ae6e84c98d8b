/**
 * What an experiment says about two arms, in closed forms and classical series. Conversions are counts of subjects with
 * an outcome, so rates are binomial.
 */
import { assert } from '../../base/assert.ts'
import { chiSquareTail, normalQuantile } from './distributions.ts'

export type Outcomes = { readonly subjects: number; readonly converted: number }

export type Interval = { readonly low: number; readonly high: number }

/**
 * Wilson's score interval of a rate. Unlike the textbook's ± it stays inside [0, 1] and keeps its level near both ends
 * and for small counts. Null without subjects.
 */
export function rateInterval({ subjects, converted }: Outcomes, level = 0.95): Interval | null {
  if (subjects === 0) return null
  const z = normalQuantile((1 + level) / 2)
  const rate = converted / subjects
  const spread = z * z
  const centre = (rate + spread / (2 * subjects)) / (1 + spread / subjects)
  const half =
    (z * Math.sqrt((rate * (1 - rate)) / subjects + spread / (4 * subjects * subjects))) / (1 + spread / subjects)
  return { low: converted === 0 ? 0 : centre - half, high: converted === subjects ? 1 : centre + half }
}

export type Comparison = {
  /** Rate of the treatment less that of the control. */
  readonly lift: number
  /**
   * Covers the true lift at every moment at once with at least the given probability: it may be looked at daily, and
   * the experiment ended the day it leaves zero.
   */
  readonly interval: Interval
  /** Least over all looks so far is a valid p-value; one look's is too. Below 1 - level exactly when 0 is outside. */
  readonly pValue: number
}

/**
 * A sequential comparison of two rates: the mixture sequential probability ratio test over the difference of means
 * (Robbins 1970; Johari et al., "Always valid inference", 2015), with the variance of the difference estimated as it
 * is. The mixture is normal with variance `tau²` around no difference.
 *
 * Null until both arms have ten subjects: before that the normal approximation says nothing.
 *
 * @param tau the size of the lift that is looked for: the test is quickest for lifts of about this size, and valid for
 *   all.
 */
export function compareRates(
  control: Outcomes,
  treatment: Outcomes,
  { level = 0.95, tau = 0.01 }: { level?: number; tau?: number } = {},
): Comparison | null {
  assert(tau > 0 && level > 0 && level < 1, 'a lift to look for, and a level between 0 and 1')
  if (Math.min(control.subjects, treatment.subjects) < 10) return null
  const lift = treatment.converted / treatment.subjects - control.converted / control.subjects
  const variance = varianceOfRate(control) + varianceOfRate(treatment)
  const both = variance + tau * tau
  const logRatio = 0.5 * Math.log(variance / both) + (lift * lift * tau * tau) / (2 * variance * both)
  const alpha = 1 - level
  const half = Math.sqrt(
    ((2 * variance * both) / (tau * tau)) * (Math.log(1 / alpha) + 0.5 * Math.log(both / variance)),
  )
  return { lift, interval: { low: lift - half, high: lift + half }, pValue: Math.min(1, Math.exp(-logRatio)) }
}

/** Of the mean of an arm. Half an outcome more on both sides, so that an arm without any still has a variance. */
function varianceOfRate({ subjects, converted }: Outcomes): number {
  const rate = (converted + 0.5) / (subjects + 1)
  return (rate * (1 - rate)) / subjects
}

export type SampleRatio = { readonly chiSquare: number; readonly pValue: number }

/**
 * Whether the arms got the shares of subjects they were declared to get (Pearson's chi-square). A p-value below 0.001
 * means that assignment, logging or joining loses subjects of one arm, and that the arms cannot be compared.
 *
 * @param arms with a share above 0 each.
 */
export function sampleRatio(arms: readonly { readonly subjects: number; readonly share: number }[]): SampleRatio {
  const subjects = arms.reduce((sum, arm) => sum + arm.subjects, 0)
  const shares = arms.reduce((sum, arm) => sum + arm.share, 0)
  if (subjects === 0 || arms.length < 2) return { chiSquare: 0, pValue: 1 }
  const chiSquare = arms.reduce((sum, arm) => {
    const expected = (subjects * arm.share) / shares
    return sum + (arm.subjects - expected) ** 2 / expected
  }, 0)
  return { chiSquare, pValue: chiSquareTail(chiSquare, arms.length - 1) }
}
