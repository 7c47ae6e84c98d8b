import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeFileValueParser } from '../../src/dataset/file-values.ts'
import { boolean, decimal, float, int, string, timestamp } from '../../src/schema/field.ts'

const noonMs = Date.UTC(2026, 0, 1, 12)

test('a number is an instant in the unit of the field, unless the file says that it is one already', () => {
  assert.equal(makeFileValueParser(timestamp('s'))(noonMs / 1_000), noonMs)
  assert.equal(makeFileValueParser(timestamp('s'))(BigInt(noonMs / 1_000)), noonMs)
  assert.equal(makeFileValueParser(timestamp('us'))(noonMs * 1_000), noonMs)
  assert.equal(makeFileValueParser(timestamp('s'))(String(noonMs / 1_000)), noonMs)
  assert.equal(makeFileValueParser(timestamp('s'), true)(noonMs), noonMs)
  assert.equal(makeFileValueParser(timestamp(), true)(noonMs), noonMs)
  assert.equal(typeof makeFileValueParser(timestamp())(noonMs), 'object')
})

test('whole numbers may be bigints, booleans 0 and 1, and text stands for both', () => {
  assert.equal(makeFileValueParser(int())(7n), 7)
  assert.equal(makeFileValueParser(int())('7'), 7)
  assert.equal(typeof makeFileValueParser(int())(2n ** 60n), 'object')
  assert.equal(typeof makeFileValueParser(int())('0.99999999999999999999'), 'object')
  assert.equal(makeFileValueParser(boolean())(1), true)
  assert.equal(makeFileValueParser(boolean())('false'), false)
  assert.equal(typeof makeFileValueParser(boolean())(2), 'object')
  assert.equal(makeFileValueParser(float())('1e3'), 1_000)
  assert.equal(makeFileValueParser(decimal(2))('20.25'), 2_025)
  assert.equal(makeFileValueParser(string())(12), '12')
})

test('null fits a field that may be without a value, and no other', () => {
  assert.equal(makeFileValueParser(int().optional())(null), null)
  assert.deepEqual(makeFileValueParser(int())(null), {
    came: 'null',
    allowed: 'a whole number within ±(2^53 − 1), never null',
  })
})
