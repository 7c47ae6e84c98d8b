import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chiSquareTail, normalBelow, normalQuantile } from '../../../src/model/experiment/distributions.ts'
import { compareRates, rateInterval, sampleRatio } from '../../../src/model/experiment/statistics.ts'
import { makeRandom } from '../../integration/kill-stream.ts'
import { isNear, reference } from '../reference.ts'

test('distributions agree with SciPy', () => {
  for (const [probability, quantile] of reference.quantiles) {
    assert.ok(Math.abs(normalQuantile(probability) - quantile) < 1e-9, `${probability}: ${normalQuantile(probability)}`)
  }
  for (const [value, below] of reference.below) assert.ok(Math.abs(normalBelow(value) - below) < 1e-14, `${value}`)
  for (const [value, degrees, tail] of reference.chi) {
    assert.ok(isNear(chiSquareTail(value, degrees), tail), `${value}, ${degrees}`)
  }
})

test('the interval of a rate is that of Wilson', () => {
  for (const [subjects, converted, low, high] of reference.wilson) {
    const interval = rateInterval({ subjects, converted })!
    assert.ok(
      Math.abs(interval.low - low) < 1e-12 && Math.abs(interval.high - high) < 1e-12,
      `${converted}/${subjects}`,
    )
  }
  assert.equal(rateInterval({ subjects: 0, converted: 0 }), null)
})

test('a sample ratio is tested as SciPy does', () => {
  for (const [subjects, shares, chiSquare, pValue] of reference.srm) {
    const found = sampleRatio(subjects.map((own, index) => ({ subjects: own, share: shares[index]! })))
    assert.ok(isNear(found.chiSquare, chiSquare) && isNear(found.pValue, pValue), JSON.stringify(found))
  }
  assert.deepEqual(sampleRatio([]), { chiSquare: 0, pValue: 1 })
})

test('looking daily at arms that do not differ raises a false alarm in fewer than one of twenty experiments', () => {
  let alarms = 0
  for (let seed = 0; seed < 300; seed++) {
    if (firstAlarm(seed, { control: 0.05, treatment: 0.05 }) !== null) alarms += 1
  }
  assert.ok(alarms <= 15, `${alarms} of 300`)
})

test('a real difference is found', () => {
  let found = 0
  for (let seed = 0; seed < 50; seed++) {
    if (firstAlarm(seed, { control: 0.05, treatment: 0.08 }) !== null) found += 1
  }
  assert.ok(found >= 45, `${found} of 50`)
})

test('the p-value is below one less the level exactly when zero is outside of the interval', () => {
  const random = makeRandom(11)
  for (let round = 0; round < 500; round++) {
    const arm = () => {
      const subjects = 10 + Math.floor(random() * 5_000)
      return { subjects, converted: Math.floor(random() * 0.2 * subjects) }
    }
    const { interval, pValue } = compareRates(arm(), arm(), { tau: 0.02 })!
    assert.equal(pValue < 0.05, interval.low > 0 || interval.high < 0)
  }
  assert.equal(compareRates({ subjects: 9, converted: 1 }, { subjects: 900, converted: 1 }), null)
})

/** The day of thirty, with 200 subjects an arm each, on which the interval first leaves zero. */
function firstAlarm(seed: number, rates: { control: number; treatment: number }): number | null {
  const random = makeRandom(seed)
  const control = { subjects: 0, converted: 0 }
  const treatment = { subjects: 0, converted: 0 }
  for (let day = 1; day <= 30; day++) {
    for (let subject = 0; subject < 200; subject++) {
      control.subjects += 1
      control.converted += random() < rates.control ? 1 : 0
      treatment.subjects += 1
      treatment.converted += random() < rates.treatment ? 1 : 0
    }
    if (compareRates(control, treatment)!.pValue < 0.05) return day
  }
  return null
}
