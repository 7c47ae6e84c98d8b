import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { calibrate } from '../../../src/model/quality/calibration.ts'
import { count, describeDistribution, stabilityIndex } from '../../../src/model/quality/drift.ts'
import { aucError, averagePrecision, rank, rocAuc, type Scored } from '../../../src/model/quality/ranking.ts'
import fc from 'fast-check'
import { isNear, reference } from '../reference.ts'

/** What scikit-learn and NumPy give; `sklearn/make.py` makes it. */
const golden = JSON.parse(readFileSync(new URL('sklearn/expected.json', import.meta.url), 'utf8')) as {
  readonly sets: readonly {
    readonly scores: readonly number[]
    readonly labels: readonly boolean[]
    readonly auc: number
    readonly aucError: number
    readonly averagePrecision: number
    readonly brier: number
    readonly calibrationError: number
  }[]
  readonly drifts: readonly {
    readonly before: readonly (number | null)[]
    readonly now: readonly (number | null)[]
    readonly edges: readonly number[]
    readonly psi: number
  }[]
}

const sets = reference.sets.map(({ scores, labels, ...expected }) => ({
  scored: scores.map((score, index) => ({ score, label: labels[index]! })),
  expected,
}))

test('AUC and average precision agree with scikit-learn, ties included', () => {
  for (const { scored, expected } of sets) {
    assert.ok(isNear(rocAuc(rank(scored))!, expected.auc), `${rocAuc(rank(scored))} ${expected.auc}`)
    assert.ok(isNear(averagePrecision(rank(scored))!, expected.ap), `${averagePrecision(rank(scored))} ${expected.ap}`)
  }
})

test('neither says anything of one kind of label alone', () => {
  assert.equal(rocAuc(rank([{ score: 1, label: true }])), null)
  assert.equal(averagePrecision(rank([{ score: 1, label: false }])), null)
  assert.equal(averagePrecision(rank([])), null)
})

test("the Brier score agrees with scikit-learn's, and bins hold every prediction", () => {
  for (const { scored, expected } of sets) {
    const { bins, brier } = calibrate(scored)!
    assert.ok(isNear(brier, expected.brier))
    assert.equal(
      bins.reduce((sum, bin) => sum + bin.count, 0),
      scored.length,
    )
  }
  assert.equal(calibrate([]), null)
})

test('scores that are right on average have no calibration error', () => {
  const scored = [0.25, 0.75].flatMap((score) =>
    Array.from({ length: 100 }, (_, index) => ({ score, label: index < score * 100 })),
  )
  const { error, bins } = calibrate(scored)!
  assert.equal(error, 0)
  assert.deepEqual(
    bins.map(({ meanScore, rate }) => [meanScore, rate]),
    [
      [0.25, 0.25],
      [0.75, 0.75],
    ],
  )
})

test('a distribution against itself is stable, and against a shifted one is not', () => {
  const values = Array.from({ length: 1_000 }, (_, index) => index)
  const before = describeDistribution(values)
  assert.deepEqual(
    before.counts,
    Array.from({ length: 10 }, () => 100),
  )
  assert.equal(stabilityIndex(before, before), 0)
  const shifted = count(
    before.edges,
    values.map((value) => value + 300),
  )
  assert.ok(stabilityIndex(before, shifted)! > 0.25)
  const slightly = count(
    before.edges,
    values.map((value) => value * 1.02),
  )
  assert.ok(stabilityIndex(before, slightly)! < 0.1)
})

test('nulls that come up are drift, and a value that repeats makes fewer bins', () => {
  const before = describeDistribution([
    ...Array.from({ length: 900 }, () => 0),
    ...Array.from({ length: 100 }, (_, i) => i),
  ])
  assert.ok(before.edges.length < 9)
  assert.equal(before.edges[0]! > 0, true)
  const now = count(before.edges, [...Array.from({ length: 500 }, () => null), ...Array.from({ length: 500 }, () => 0)])
  assert.ok(stabilityIndex(before, now)! > 0.25)
  assert.equal(stabilityIndex(count(before.edges, []), now), null)
})

test('every figure agrees with scikit-learn and NumPy on random data, ties and rare positives included', () => {
  for (const { scores, labels, ...expected } of golden.sets) {
    const scored = scores.map((score, index) => ({ score, label: labels[index]! }))
    const ranking = rank(scored)
    const auc = rocAuc(ranking)!
    const { brier, error } = calibrate(scored)!
    const found = {
      auc,
      aucError: aucError(auc, ranking.positives.length, ranking.negatives.length),
      averagePrecision: averagePrecision(ranking)!,
      brier,
      calibrationError: error,
    }
    for (const [name, value] of Object.entries(found)) {
      const wanted = expected[name as keyof typeof found]
      assert.ok(isNear(value, wanted, 1e-10), `${name}: ${value}, not ${wanted}`)
    }
  }
  for (const { before, now, edges, psi } of golden.drifts) {
    const found = stabilityIndex(count(edges, before), count(edges, now))!
    assert.ok(isNear(found, psi, 1e-10), `${found}, not ${psi}`)
  }
})

test('ranks are those of comparing every positive with every negative, and of going down from the highest score', () => {
  const one = fc.record({ score: fc.integer({ min: -4, max: 4 }), label: fc.boolean() })
  fc.assert(
    fc.property(fc.array(one), (scored: readonly Scored[]) => {
      const [positives, negatives] = [scored.filter(({ label }) => label), scored.filter(({ label }) => !label)]
      const wins = positives.flatMap(({ score }) =>
        negatives.map((other) => (score > other.score ? 1 : score === other.score ? 0.5 : 0)),
      )
      const naiveAuc = wins.length === 0 ? null : wins.reduce<number>((sum, win) => sum + win, 0) / wins.length
      const precisions = positives.map(({ score }) => {
        const above = scored.filter((other) => other.score >= score)
        return above.filter(({ label }) => label).length / above.length
      })
      const naivePrecision =
        precisions.length === 0 ? null : precisions.reduce((sum, precision) => sum + precision, 0) / precisions.length
      const [auc, precision] = [rocAuc(rank(scored)), averagePrecision(rank(scored))]
      assert.equal(auc === null, naiveAuc === null)
      assert.ok(auc === null || Math.abs(auc - naiveAuc!) < 1e-12)
      assert.equal(precision === null, naivePrecision === null)
      assert.ok(precision === null || Math.abs(precision - naivePrecision!) < 1e-12)
    }),
    { seed: Number(process.env['SEED'] ?? 1), numRuns: 300 },
  )
})
