// Goal: the joined figures of a version are those of its own predictions, and unknown is never taken for negative.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeDistribution } from '../../../src/model/quality/drift.ts'
import { type WatchedPrediction, watchModel } from '../../../src/model/quality/watch.ts'
import { watchSvg } from '../../../src/model/quality/watch-svg.ts'

const prediction = (
  id: string,
  score: number | null,
  inputs: WatchedPrediction['inputs'] = null,
): WatchedPrediction => ({
  id,
  asOf: 1_000,
  outcome: score === null ? 'failed' : 'served',
  score,
  inputs,
})
const options = { training: new Map(), horizonMs: 100 }

test('the last label within the horizon counts; a later one and none are told apart', () => {
  const outcomes = new Map([
    [
      'mended',
      [
        { at: 900, label: true },
        { at: 1_050, label: false },
        { at: 1_200, label: true },
      ],
    ],
    ['edge', [{ at: 1_100, label: true }]],
    ['late', [{ at: 1_101, label: true }]],
  ])
  const watch = watchModel(
    ['mended', 'edge', 'late', 'none'].map((id) => prediction(id, 0.5)),
    outcomes,
    options,
  )
  assert.deepEqual(watch.labels, { joined: 2, positives: 1, late: 1, missing: 1 })
})

test('what failed is counted, and is no score; nothing at all gives no figures', () => {
  const watch = watchModel([prediction('a', null)], new Map([['a', [{ at: 0, label: true }]]]), options)
  assert.deepEqual(watch.outcomes, { failed: 1 })
  assert.deepEqual([watch.scores.count, watch.scores.mean, watch.auc, watch.averagePrecision], [0, null, null, null])
  assert.equal(watch.calibration, null)
  assert.ok(watchSvg([{ title: 'a <b>', watch }]).includes('a &lt;b&gt;'))
})

test('scores that are no probabilities are ranked, and not calibrated', () => {
  const outcomes = new Map([
    ['a', [{ at: 0, label: true }]],
    ['b', [{ at: 0, label: false }]],
  ])
  const watch = watchModel([prediction('a', 40), prediction('b', -2)], outcomes, options)
  assert.deepEqual([watch.auc, watch.calibration, watch.scores.low, watch.scores.high], [1, null, -2, 40])
  assert.deepEqual(
    [watch.scores.bins[0], watch.scores.bins.at(-1)],
    [
      { count: 1, positives: 0 },
      { count: 1, positives: 1 },
    ],
  )
})

test('inputs as in training do not drift, others do, and nulls are part of it', () => {
  const values = Array.from({ length: 500 }, (_, index) => index)
  const training = new Map([
    ['same', describeDistribution(values)],
    ['other', describeDistribution(values)],
  ])
  const predictions = values.map((value) =>
    prediction(`p${value}`, 0.5, { same: value, other: value % 2 === 0 ? null : 3 * value, unknown: value, text: 'x' }),
  )
  const { inputs } = watchModel(predictions, new Map(), { training, horizonMs: 0 })
  const byName = new Map(inputs.map((one) => [one.name, one]))
  assert.ok(byName.get('same')!.psi! < 1e-9)
  assert.ok(byName.get('other')!.psi! > 0.25)
  assert.equal(byName.get('other')!.nulls, 250)
  assert.equal(byName.get('unknown')!.psi, null)
  assert.equal(byName.has('text'), false)
})
