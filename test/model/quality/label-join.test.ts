// Goal: a score gets the label that was known in time, in whatever order both come, and memory stays bounded.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LabelJoin, type Outcome, type ScoredPrediction } from '../../../src/model/quality/label-join.ts'
import { rank, rocAuc } from '../../../src/model/quality/ranking.ts'
import { scoreQuality } from '../../../src/model/quality/watch.ts'

const seed = Number(process.env['SEED'] ?? 1)
const horizonMs = 100
const exact = { horizonMs, rowsMax: 10_000, windowMs: null }
const prediction = (id: string, asOf = 1_000, score = 0.5): ScoredPrediction => ({ id, version: '1', asOf, score })

test('the last label within the horizon counts; a later one and none are told apart', () => {
  const join = new LabelJoin(exact)
  for (const id of ['mended', 'edge', 'late', 'none']) join.predicted(prediction(id))
  // Out of order, one of them before its prediction, one twice.
  join.labelled('mended', { at: 1_200, label: true })
  join.labelled('mended', { at: 1_050, label: false })
  join.labelled('mended', { at: 1_050, label: false })
  join.labelled('mended', { at: 900, label: true })
  join.labelled('edge', { at: 1_100, label: true })
  join.labelled('late', { at: 1_101, label: true })
  join.labelled('nobody', { at: 1_000, label: true })
  const { labels } = scoreQuality(join.joined().get('1'))
  assert.deepEqual(labels, { joined: 2, positives: 1, late: 1, missing: 1 })
})

test('one kind of label gives no ranking, scores that are no probabilities no calibration, nothing nothing', () => {
  const join = new LabelJoin(exact)
  join.predicted(prediction('a', 1_000, 40))
  join.labelled('a', { at: 1_000, label: true })
  const one = scoreQuality(join.joined().get('1'))
  assert.deepEqual([one.auc, one.aucError, one.averagePrecision, one.calibration], [null, null, 1, null])
  join.predicted(prediction('b', 1_000, -2))
  join.labelled('b', { at: 1_000, label: false })
  assert.equal(scoreQuality(join.joined().get('1')).auc, 1)
  const none = scoreQuality(undefined)
  assert.deepEqual([none.labels.joined, none.auc, none.averagePrecision, none.calibration], [0, null, null, null])
})

type Step = { readonly id: string } & (
  | { readonly predicted: { readonly version: string; readonly asOf: number; readonly score: number } }
  | { readonly labelled: Outcome }
)

test('any order of predictions and labels gives what a naive join of all of them does', () => {
  const id = fc.integer({ min: 0, max: 12 }).map(String)
  const at = fc.integer({ min: 0, max: 300 })
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      id,
      predicted: fc.record({ version: fc.constantFrom('1', '2'), asOf: at, score: fc.integer({ min: 0, max: 9 }) }),
    }),
    fc.record({ id, labelled: fc.record({ at, label: fc.boolean() }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const join = new LabelJoin(exact)
      for (const one of steps) {
        if ('predicted' in one) join.predicted({ id: one.id, ...one.predicted })
        else join.labelled(one.id, one.labelled)
      }
      for (const version of ['1', '2']) {
        const naive = { pairs: [] as string[], late: 0, missing: 0 }
        for (const one of steps) {
          if (!('predicted' in one) || one.predicted.version !== version) continue
          const { asOf, score } = one.predicted
          const own = steps.flatMap((other) => ('labelled' in other && other.id === one.id ? [other.labelled] : []))
          const label = own
            .filter((outcome) => outcome.at <= asOf + horizonMs)
            .toSorted((a, b) => a.at - b.at)
            .at(-1)
          if (label !== undefined) naive.pairs.push(`${score} ${label.label}`)
          else if (own.length > 0) naive.late += 1
          else naive.missing += 1
        }
        const { scored, late, missing } = join.joined().get(version) ?? { scored: [], late: 0, missing: 0 }
        const pairs = scored.map(({ score, label }) => `${score} ${label}`)
        assert.deepEqual([pairs.toSorted(), late, missing], [naive.pairs.toSorted(), naive.late, naive.missing])
      }
    }),
    { seed, numRuns: 300 },
  )
})

test('beyond its rows it holds both sides of a share of the ids, whose figures are near those of all', () => {
  const random = fc.sample(fc.double({ min: 0, max: 1, noNaN: true }), { seed, numRuns: 1 })[0]!
  const all: { score: number; label: boolean }[] = []
  const join = new LabelJoin({ horizonMs, rowsMax: 8_000, windowMs: null })
  for (let index = 0; index < 40_000; index++) {
    // A low-discrepancy sequence: spread the same whatever the seed is.
    const score = (random + index * 0.618_033_988_749_895) % 1
    const label = (random + index * 0.414_213_562_373_095) % 1 < score
    all.push({ score, label })
    join.predicted(prediction(`payment-${index}`, 1_000, score))
    join.labelled(`payment-${index}`, { at: 1_000, label })
    assert.ok(join.rows <= 8_000)
  }
  const { scored, missing, late } = join.joined().get('1')!
  assert.equal(missing + late, 0, 'no prediction is held without its label')
  assert.ok(join.share < 0.12 && join.share > 0.04)
  assert.ok(Math.abs(scored.length / all.length - join.share) < 0.2 * join.share)
  const [found, wanted] = [rocAuc(rank(scored))!, rocAuc(rank(all))!]
  const { aucError } = scoreQuality({ scored, late, missing })
  assert.ok(Math.abs(found - wanted) < 6 * aucError!, `${found}, ${wanted} ± ${aucError}`)
})

test('what is older than the window is gone, and one id that comes again and again fills nothing', () => {
  const join = new LabelJoin({ horizonMs, rowsMax: 200, windowMs: 2 * horizonMs })
  for (let at = 0; at < 5_000; at++) {
    join.predicted(prediction(`p${at}`, at))
    join.labelled(`p${at}`, { at, label: at % 2 === 0 })
    assert.ok(join.rows <= 200)
  }
  assert.ok(join.joined().get('1')!.scored.length <= 201)
  const few = new LabelJoin({ horizonMs, rowsMax: 200, windowMs: 2 * horizonMs })
  for (const at of [0, 50, 100, 300]) few.predicted(prediction(`p${at}`, at))
  assert.equal(few.joined().get('1')!.missing, 2, 'also while there is room for more')
  const same = new LabelJoin({ horizonMs, rowsMax: 200, windowMs: null })
  for (let at = 0; at < 1_000; at++) {
    same.predicted(prediction('same', at, at))
    same.labelled('same', { at, label: true })
  }
  assert.equal(same.share, 1)
  assert.equal(same.joined().get('1')!.scored[0]!.score, 1_000 - 64, 'the newest of it')
})
