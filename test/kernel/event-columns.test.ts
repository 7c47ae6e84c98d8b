import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  compareTies,
  dropOldest,
  insertEvent,
  type KernelEvent,
  lowerBound,
  makeEventColumns,
} from '../../src/kernel/event-columns.ts'
import { lawOptions } from '../base/law-options.ts'
import { event } from './programs.ts'

function columnsOf(events: readonly KernelEvent[], keepsTies: boolean) {
  const columns = makeEventColumns(2, keepsTies)
  for (const one of events) insertEvent(columns, one)
  return columns
}

test('events lie by time, then by tie: text by code points, numbers by size', () => {
  const texts = ['b', '\u{1f600}', '\ue000', 'B', ''].map((tie) => event(5, tie, null, null))
  assert.deepEqual(columnsOf([event(6, 'a', 1, 2), ...texts, event(4, 'z', 3, 4)], true), {
    ts: [4, 5, 5, 5, 5, 5, 6],
    ties: ['z', '', 'B', 'b', '\ue000', '\u{1f600}', 'a'],
    columns: [
      [3, null, null, null, null, null, 1],
      [4, null, null, null, null, null, 2],
    ],
  })
  const numbers = [10, 9, -1, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER].map((tie) => event(5, tie, 0, 0))
  assert.deepEqual(columnsOf(numbers, true).ties, [-Number.MAX_SAFE_INTEGER, -1, 9, 10, Number.MAX_SAFE_INTEGER])
  assert.ok(compareTies(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER) < 0)
})

test('without ties, events of one instant lie by their values: null first, false before true', () => {
  const events = [event(1, 9, true, 'b'), event(1, 8, null, 'z'), event(1, 7, true, null), event(1, 6, false, 'a')]
  assert.deepEqual(columnsOf(events, false), {
    ts: [1, 1, 1, 1],
    ties: null,
    columns: [
      [null, false, true, true],
      ['z', 'a', null, 'b'],
    ],
  })
})

const tied = fc.record({
  ts: fc.nat(3),
  value: fc.option(fc.constantFrom(-1, 0, 0.5, 2 ** 960, -(2 ** 960))),
  text: fc.option(fc.constantFrom('', 'a', '\ue000', '\u{1f600}', '\ud83d')),
})

test('any order of arrival gives equal columns', () => {
  const both = fc
    .array(tied, { maxLength: 20 })
    .chain((events) =>
      fc.tuple(fc.constant(events), fc.shuffledSubarray([...events.keys()], { minLength: events.length })),
    )
  fc.assert(
    fc.property(both, fc.boolean(), ([events, order], keepsTies) => {
      const made = events.map(({ ts, value, text }, index) => event(ts, `${index % 3}/${index}`, value, text))
      const shuffled = order.map((index) => made[index]!)
      assert.deepEqual(columnsOf(shuffled, keepsTies), columnsOf(made, keepsTies))
    }),
    lawOptions(),
  )
})

test('the lower bound is the first event at or after an instant', () => {
  const ts = [1, 3, 3, 3, 7]
  const bounds = [0, 1, 2, 3, 4, 7, 8].map((instant) => lowerBound(ts, instant))
  assert.deepEqual(bounds, [0, 0, 1, 1, 4, 4, 5])
  assert.equal(lowerBound(ts, 0, 2), 2)
  assert.equal(lowerBound([], 5), 0)
})

test('the oldest are dropped from every column', () => {
  const columns = columnsOf([event(1, 'a', 1, 'x'), event(2, 'b', 2, 'y'), event(3, 'c', 3, 'z')], true)
  dropOldest(columns, 2)
  assert.deepEqual(columns, { ts: [3], ties: ['c'], columns: [[3], ['z']] })
})
