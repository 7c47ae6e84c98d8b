import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calibrate } from '../../../src/model/quality/calibration.ts'
import { count, describeDistribution, stabilityIndex } from '../../../src/model/quality/drift.ts'
import { averagePrecision, rocAuc } from '../../../src/model/quality/ranking.ts'
import { isNear, reference } from '../reference.ts'

const sets = reference.sets.map(({ scores, labels, ...expected }) => ({
  scored: scores.map((score, index) => ({ score, label: labels[index]! })),
  expected,
}))

test('AUC and average precision agree with scikit-learn, ties included', () => {
  for (const { scored, expected } of sets) {
    assert.ok(isNear(rocAuc(scored)!, expected.auc), `${rocAuc(scored)} ${expected.auc}`)
    assert.ok(isNear(averagePrecision(scored)!, expected.ap), `${averagePrecision(scored)} ${expected.ap}`)
  }
})

test('neither says anything of one kind of label alone', () => {
  assert.equal(rocAuc([{ score: 1, label: true }]), null)
  assert.equal(averagePrecision([{ score: 1, label: false }]), null)
  assert.equal(averagePrecision([]), null)
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
