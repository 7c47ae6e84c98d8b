import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { AggregationSpec } from '../../../src/kernel/aggregation.ts'
import { makeAggregation } from '../../../src/kernel/aggregations/make-aggregation.ts'

// Goal: sums, means and moments are what another exact implementation says.
// Method: `known-answers.json` holds what CPython gives; `known-answers.py` wrote it.

type Known = { readonly name: string; readonly values: readonly number[] } & Readonly<Record<Answer, number>>
type Answer = 'sum' | 'mean' | 'variance' | 'populationVariance' | 'stddev' | 'populationStddev'

const input = { kind: 'float' } as const
const specs: Readonly<Record<Answer, AggregationSpec>> = {
  sum: { name: 'sum', input },
  mean: { name: 'mean', input },
  variance: { name: 'variance', input, of: 'sample' },
  populationVariance: { name: 'variance', input, of: 'population' },
  stddev: { name: 'stddev', input, of: 'sample' },
  populationStddev: { name: 'stddev', input, of: 'population' },
}

const file = new URL('known-answers.json', import.meta.url)
const known = JSON.parse(readFileSync(file, 'utf8')) as readonly Known[]

for (const [answer, spec] of Object.entries(specs) as [Answer, AggregationSpec][]) {
  describe(`${answer} agrees with CPython`, () => {
    for (const expected of known) {
      test(expected.name, () => {
        const aggregation = makeAggregation(spec)
        const state = expected.values.reduce<unknown>(
          (sum, value, index) => aggregation.add(sum, value, { ts: index, tie: index }),
          aggregation.zero(),
        )
        assert.equal(aggregation.value(state), expected[answer])
      })
    }
  })
}
