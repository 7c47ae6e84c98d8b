import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../../src/base/nearest.ts'

test('the nearest name is the one with the fewest letters to change', () => {
  assert.equal(nearest('amuont', ['at', 'amount', 'account']), 'amount')
  assert.equal(nearest('custmer', ['terminal', 'customer']), 'customer')
})

test('upper and lower case are no difference', () => {
  assert.equal(nearest('AMOUNT', ['amounts', 'amount']), 'amount')
})

test('of two equally near the earlier is taken, and of none nothing', () => {
  assert.equal(nearest('c', ['a', 'b']), 'a')
  assert.equal(nearest('c', []), null)
})

test('a name of a million letters costs nothing', () => {
  assert.equal(nearest('x'.repeat(1_000_000), ['y', 'x'.repeat(80)]), 'x'.repeat(80))
})
