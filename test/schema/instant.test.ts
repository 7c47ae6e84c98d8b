import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatInstant, instantMsEnd, parseInstant } from '../../src/schema/instant.ts'

const noon = Date.UTC(2018, 3, 1, 12)

const texts: Readonly<Record<string, number | null>> = {
  '2018-04-01T12:00:00Z': noon,
  '2018-04-01t12:00:00z': noon,
  '2018-04-01 12:00Z': noon,
  '2018-04-01T14:00:00+02:00': noon,
  '2018-04-01T06:30:00-0530': noon,
  '2018-04-01T12:00:00.1239999Z': noon + 123,
  '2018-04-01T12:00:00.1Z': noon + 100,
  '1970-01-01T00:00:00Z': 0,
  '1970-01-01T01:00:00+02:00': null,
  '1969-12-31T23:59:59.999Z': null,
  '1969-12-31T23:00:00-01:00': 0,
  '2099-12-31T23:59:59.999Z': instantMsEnd - 1,
  '2100-01-01T00:00:00Z': null,
  '2100-01-01T00:00:00+00:01': instantMsEnd - 60_000,
  '2020-02-29T00:00:00Z': Date.UTC(2020, 1, 29),
  '2018-04-01': null,
  '2018-04-01T12:00:00': null,
  '2018-04-01T24:00:00Z': null,
  '2018-04-01T12:00:60Z': null,
  '2018-04-01T12:00:00+24:00': null,
  '2018-04-01T12:00:00.1234567890Z': null,
  '2019-02-29T00:00:00Z': null,
  '2018-04-31T00:00:00Z': null,
  '2018-13-01T00:00:00Z': null,
  '0071-01-01T00:00:00Z': null,
  '0000-01-01T00:00:00Z': null,
  ' 2018-04-01T12:00:00Z': null,
  '': null,
}

for (const [text, expected] of Object.entries(texts)) {
  test(`the text ${JSON.stringify(text)} is ${expected === null ? 'no instant' : formatInstant(expected)}`, () => {
    assert.equal(parseInstant(text, 'ms'), expected)
  })
}

const numbers: readonly (readonly [number, 's' | 'ms' | 'us', number | null])[] = [
  [1.001, 's', 1_001],
  [1_522_584_000.009, 's', 1_522_584_000_009],
  [4_102_444_799.999, 's', instantMsEnd - 1],
  [4_102_444_800, 's', null],
  [1.9, 'ms', 1],
  [instantMsEnd - 0.5, 'ms', instantMsEnd - 1],
  [instantMsEnd, 'ms', null],
  [1_999, 'us', 1],
  [-0.1, 'ms', null],
  [-1e-9, 's', null],
  [-0, 'ms', 0],
  [-0, 's', 0],
  [Number.NaN, 'ms', null],
  [Number.POSITIVE_INFINITY, 'us', null],
]

for (const [value, unit, expected] of numbers) {
  test(`${Object.is(value, -0) ? '-0' : value} ${unit} is ${expected ?? 'no instant'}`, () => {
    assert.equal(parseInstant(value, unit), expected)
  })
}

test('every millisecond of a second given in seconds is itself', () => {
  for (let ms = 0; ms < 1_000; ms++) assert.equal(parseInstant((noon + ms) / 1_000, 's'), noon + ms)
})

test('an instant is written as by Date, whichever came before', () => {
  const random = (index: number): number => (index * 2_654_435_761 * 997) % instantMsEnd
  const hour = 3_600_000
  for (let index = 0; index < 2_000; index++) {
    const ms = Math.floor(random(index))
    for (const one of [ms, ms + 1, ms - (ms % (24 * hour)), ms - (ms % (24 * hour)) - 1, ms + hour, ms + 0.5]) {
      assert.equal(formatInstant(one), new Date(one).toISOString())
    }
  }
  for (const one of [0, 1, instantMsEnd - 1, instantMsEnd, -1, -62_198_755_200_000, 8.64e15]) {
    assert.equal(formatInstant(one), new Date(one).toISOString())
  }
  assert.throws(() => formatInstant(Number.NaN), RangeError)
})
