import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compareSamples } from './compare-samples.ts'
import type { Sample } from './samples.ts'
import { pairLines } from './text.ts'

const served = [1, 0.1 + 0.2, 0, null]
const sample: Sample = { kind: 'as of', customerId: 1, terminalId: 2, asOf: 3, values: served }
const isEqual = (row: readonly unknown[]): boolean => compareSamples([sample], [row])[0]!.equal

describe('the comparison of a served vector with its training row', () => {
  test('finds the same values equal', () => {
    assert.ok(isEqual([1, 0.1 + 0.2, 0, null]))
  })

  test('sees a difference in the last bit', () => {
    assert.ok(!isEqual([1, 0.3, 0, null]))
  })

  test('tells 0 from -0, from null and from a bigint, and null from nothing', () => {
    assert.ok(!isEqual([1, 0.1 + 0.2, -0, null]))
    assert.ok(!isEqual([1, 0.1 + 0.2, null, null]))
    assert.ok(!isEqual([1, 0.1 + 0.2, 0n, null]))
    assert.ok(!isEqual([1, 0.1 + 0.2, 0, undefined]))
  })

  test('sees a value too few or too many', () => {
    assert.ok(!isEqual([1, 0.1 + 0.2, 0]))
    assert.ok(!isEqual([1, 0.1 + 0.2, 0, null, null]))
  })

  test('refuses rows that are not those of the samples', () => {
    assert.throws(() => compareSamples([sample], []), /0 training rows for 1 samples/)
  })

  test('shows both sides and marks what differs', () => {
    const lines = pairLines({ sample, row: [2, 0.1 + 0.2, -0, null], equal: false })
    const marked = lines.filter((line) => line.endsWith('DIFFERENT'))
    assert.deepEqual(
      marked.map((line) => line.trim().split(/ +/)),
      [
        ['c_nb_1d', '1', '2', 'DIFFERENT'],
        ['c_nb_7d', '0', '-0', 'DIFFERENT'],
      ],
    )
  })
})
