// Goal: scores of any size are counted in few bins, exactly, and in the same ones whatever their order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ScoreHistogram } from '../../../src/model/quality/score-histogram.ts'
import { scoreBins } from '../../../src/model/quality/watch.ts'

function histogramOf(scores: readonly number[]): ScoreHistogram {
  const histogram = new ScoreHistogram()
  for (const score of scores) histogram.add(score)
  return histogram
}

test('every score lies in its bin, in whatever order they came', () => {
  // Beside what is largest, a quotient of what is least would be zero.
  const score = fc
    .oneof(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
    )
    .map((one) => (Math.abs(one) < 1e-9 ? 0 : one))
  fc.assert(
    fc.property(fc.array(score, { maxLength: 50 }), (scores) => {
      const bins = histogramOf(scores).bins()
      assert.ok(bins.length <= 64)
      for (const { low, high, count } of bins) {
        assert.equal(count, scores.filter((one) => one >= low && one < high).length)
      }
      assert.equal(
        bins.reduce((sum, { count }) => sum + count, 0),
        scores.length,
      )
      assert.deepEqual(histogramOf(scores.toReversed()).bins(), bins)
    }),
    { seed: Number(process.env['SEED'] ?? 1), numRuns: 300 },
  )
})

test('positives are counted in the bins of all scores; of none there is nothing', () => {
  const histogram = histogramOf([0, 0.25, 0.5, 1])
  assert.ok(histogram.isProbability && histogram.mean === 0.4375)
  const { bins, count } = scoreBins(histogram, { scored: [{ score: 1, label: true }], late: 0, missing: 3 })
  assert.equal(count, 4)
  assert.deepEqual(bins.at(-1), { low: 1, high: 1 + bins[0]!.high, count: 1, positives: 1 })
  assert.equal(
    bins.reduce((sum, { positives }) => sum + positives, 0),
    1,
  )
  assert.deepEqual(scoreBins(new ScoreHistogram(), undefined), { count: 0, mean: null, bins: [] })
})
