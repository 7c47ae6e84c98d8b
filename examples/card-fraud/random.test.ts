import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawDistinct, drawIndex, drawNormal, drawPoisson, makeRandom, naturalLog } from './random.ts'

const draws = 200_000

/** Mean and variance of many draws. */
function moments(draw: () => number): { readonly mean: number; readonly variance: number } {
  const values = Float64Array.from({ length: draws }, draw)
  const mean = values.reduce((sum, value) => sum + value, 0) / draws
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / draws }
}

test('uniform numbers fill [0, 1) evenly', () => {
  const random = makeRandom(1, 'uniform')
  const counts = new Uint32Array(100)
  for (let draw = 0; draw < draws; draw++) {
    const value = random()
    assert.ok(value >= 0 && value < 1)
    counts[Math.floor(value * 100)]!++
  }
  const expected = draws / 100
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  // 99 degrees of freedom: outside [57, 151] by chance once in a thousand seeds, and the seed is fixed.
  assert.ok(chiSquare > 57 && chiSquare < 151, `chi-square ${chiSquare}`)
})

test('another seed or another purpose gives unrelated numbers, the same ones give the same', () => {
  const take = (seed: number, purpose: string): readonly number[] => {
    const random = makeRandom(seed, purpose)
    return Array.from({ length: 1_000 }, random)
  }
  assert.deepEqual(take(1, 'a'), take(1, 'a'))
  const first = take(1, 'a')
  for (const other of [take(2, 'a'), take(1, 'b'), take(11, 'a'), take(1 + 2 ** 32, 'a')]) {
    const covariance = first.reduce((sum, value, index) => sum + (value - 0.5) * (other[index]! - 0.5), 0) / 1_000
    assert.ok(Math.abs(covariance * 12) < 0.15, `correlation ${covariance * 12}`)
  }
})

test('the logarithm is that of Math.log to 4 parts in 10^16 of 1 + its size', () => {
  const random = makeRandom(1, 'logarithm')
  const inputs = Array.from({ length: 20_000 }, (_, index) => (1 - random()) * 2 ** -(index % 60))
  for (const x of [...inputs, 1, 0.75, 0.5, 2 ** -53, 2 ** -1_074]) {
    const expected = Math.log(x)
    assert.ok(Math.abs(naturalLog(x) - expected) <= 4e-16 * (1 + Math.abs(expected)), `ln ${x}`)
  }
  assert.equal(naturalLog(1), 0)
})

test('normal numbers have mean 0, variance 1 and tails as heavy as they should be', () => {
  const random = makeRandom(1, 'normal')
  const { mean, variance } = moments(() => drawNormal(random))
  assert.ok(Math.abs(mean) < 0.01, `mean ${mean}`)
  assert.ok(Math.abs(variance - 1) < 0.02, `variance ${variance}`)
  let beyond = 0
  for (let draw = 0; draw < draws; draw++) if (drawNormal(random) > 2) beyond++
  assert.ok(Math.abs(beyond / draws - 0.02275) < 0.002, `${beyond / draws} beyond 2`)
})

test('Poisson numbers have the mean as their mean and variance, and e^-mean of them are 0', () => {
  for (const expected of [0.1, 1, 4]) {
    const random = makeRandom(1, `poisson ${expected}`)
    const { mean, variance } = moments(() => drawPoisson(random, expected))
    assert.ok(Math.abs(mean - expected) < 0.03, `mean ${mean} of ${expected}`)
    assert.ok(Math.abs(variance - expected) < 0.03 * (1 + expected), `variance ${variance} of ${expected}`)
    let zeros = 0
    for (let draw = 0; draw < draws; draw++) if (drawPoisson(random, expected) === 0) zeros++
    assert.ok(Math.abs(zeros / draws - Math.exp(-expected)) < 0.005, `${zeros / draws} zeros at ${expected}`)
  }
  assert.equal(drawPoisson(makeRandom(1, 'poisson'), 0), 0)
})

test('distinct draws are distinct, and no more than there are', () => {
  const random = makeRandom(1, 'distinct')
  for (let round = 0; round < 1_000; round++) assert.equal(drawDistinct(random, 3, 5).size, 3)
  assert.deepEqual(drawDistinct(random, 3, 2), new Set([0, 1]))
  assert.equal(drawIndex(random, 1), 0)
})
