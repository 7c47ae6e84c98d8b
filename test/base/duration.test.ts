import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { durationMs, durationMsMax, formatDuration, parseDuration } from '../../src/base/duration.ts'
import { lawOptions } from './law-options.ts'

const texts: Readonly<Record<string, number | null>> = {
  '0ms': 0,
  '250ms': 250,
  '90s': 90_000,
  '10m': 600_000,
  '6h': 21_600_000,
  '30d': 2_592_000_000,
  '007s': 7_000,
  '36525d': durationMsMax,
  '36526d': null,
  '999999999999999d': null,
  '1000000000000000ms': null,
  '-1s': null,
  '1.5h': null,
  '1e3ms': null,
  '1 s': null,
  '1w': null,
  '10': null,
  ms: null,
  '': null,
  '1s\n': null,
  '1S': null,
}

for (const [text, expected] of Object.entries(texts)) {
  test(`${JSON.stringify(text)} is ${expected === null ? 'no duration' : `${expected} ms`}`, () => {
    assert.equal(parseDuration(text), expected)
  })
}

test('a malformed duration is a fault that repeats it', () => {
  assert.throws(() => durationMs('1.5h'), { code: 'DURATION_MALFORMED', details: { text: '1.5h' } })
  assert.equal(durationMs('2m'), 120_000)
})

test('formatting takes the largest unit that divides', () => {
  assert.deepEqual([0, 1, 1_000, 90_000, 3_600_000, 86_400_000, 90_000_000].map(formatDuration), [
    '0ms',
    '1ms',
    '1s',
    '90s',
    '1h',
    '1d',
    '25h',
  ])
})

test('what was formatted parses to itself', () => {
  fc.assert(
    fc.property(fc.nat(durationMsMax), fc.constantFrom(1, 1_000, 60_000, 3_600_000), (count, unit) => {
      const ms = Math.floor(count / unit) * unit
      assert.equal(parseDuration(formatDuration(ms)), ms)
    }),
    lawOptions(),
  )
})
