import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdSet } from '../../src/dataset/id-set.ts'
import { lawOptions } from '../base/law-options.ts'

/** As a set of the language would say it. */
function firstRows(ids: readonly (string | number)[]): number[] {
  const seen = new Set<string | number>()
  return [...ids.keys()].filter((row) => seen.size < seen.add(ids[row]!).size)
}

function newRows(ids: readonly (string | number)[], set = new IdSet()): number[] {
  const column = typeof ids[0] === 'number' ? Float64Array.from(ids as number[]) : (ids as string[])
  const fresh = set.addAll(column, ids.length)
  return fresh === null ? [...ids.keys()] : [...fresh]
}

test('ids are the same only if they are equal, to the last zero', () => {
  for (const ids of [
    ['7', '07', '7', '007', '', 'a', 'a7', 'a07', 'a7', '', '1234567890123456', '01234567890123456', '-7', '7-'],
    [0, -1, 1, 63, 64, -64, -65, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53 - 2, 0, 64, -65, 2 ** 53 - 1],
  ]) {
    assert.deepEqual(newRows(ids), firstRows(ids))
  }
})

test('any ids, over several batches, are new when they first come', () => {
  const text = fc.oneof(
    fc.stringMatching(/^[ab]{0,2}0{0,2}\d{0,3}$/),
    fc.string({ unit: 'binary', maxLength: 3 }),
    fc.integer().map(String),
  )
  const number = fc.oneof(fc.integer({ min: -200, max: 200 }), fc.maxSafeInteger())
  fc.assert(
    fc.property(fc.oneof(fc.array(text), fc.array(number)), fc.nat(20), (ids, cut) => {
      const set = new IdSet()
      const fresh = [...newRows(ids.slice(0, cut), set), ...newRows(ids.slice(cut), set).map((row) => row + cut)]
      assert.deepEqual(
        fresh.filter((row) => row < ids.length),
        firstRows(ids),
      )
    }),
    lawOptions(400),
  )
})

test('beginnings that never come again are no beginnings', () => {
  const ids = Array.from({ length: 3_000 }, (_, index) => `${String.fromCharCode(0x100 + (index % 1_500))}7`)
  assert.deepEqual(newRows(ids), firstRows(ids))
})
