import { readFileSync } from 'node:fs'

/** What SciPy 1.17.1 and scikit-learn 1.9.1 give. */
export const reference = JSON.parse(readFileSync(new URL('reference.json', import.meta.url), 'utf8')) as {
  readonly quantiles: readonly [probability: number, quantile: number][]
  readonly below: readonly [value: number, probability: number][]
  readonly chi: readonly [value: number, degrees: number, tail: number][]
  readonly wilson: readonly [subjects: number, converted: number, low: number, high: number][]
  readonly srm: readonly [subjects: number[], shares: number[], chiSquare: number, pValue: number][]
  readonly sets: readonly {
    readonly scores: readonly number[]
    readonly labels: readonly boolean[]
    readonly auc: number
    readonly ap: number
    readonly brier: number
  }[]
}

export function isNear(found: number, expected: number, relative = 1e-12): boolean {
  return Math.abs(found - expected) <= relative * Math.max(1e-12, Math.abs(expected))
}
