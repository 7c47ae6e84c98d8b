import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkEntries } from '../../src/kernel/id-chunk.ts'
import { IdTable } from '../../src/kernel/id-table.ts'
import { Judge, type VerdictRules } from '../../src/kernel/verdict.ts'
import { idTableOf } from './id-tables.ts'

const rules: VerdictRules = { latenessMs: 10, dedupeMs: 20 }

const judgeFrom = (watermark = -1, seen = new IdTable()): Judge => new Judge(rules, watermark, seen)

/** Verdicts of events given as [id, ts, payload hash]; a conflict is marked. */
function verdictsOf(judge: Judge, ...events: readonly (readonly [string | null, number, number?])[]): string[] {
  return events.map(([id, ts, hash = 0]) => judge.judge({ id, ts, hash }))
}

test('the first event is accepted, even at the first instant of all', () => {
  const judge = judgeFrom()
  assert.deepEqual(verdictsOf(judge, ['a', 0]), ['accepted'])
  assert.equal(judge.watermark, 0)
})

test('the lateness is inclusive: that much behind is accepted, one more is late', () => {
  const judge = judgeFrom()
  assert.deepEqual(verdictsOf(judge, ['a', 100], ['b', 90], ['c', 89], ['d', 101], ['e', 90]), [
    'accepted',
    'accepted',
    'late',
    'accepted',
    'late',
  ])
})

test('late and duplicate events do not move the watermark', () => {
  const judge = judgeFrom()
  verdictsOf(judge, ['a', 100], ['a', 500], ['b', 1])
  assert.equal(judge.watermark, 100)
})

test('the first wins; another payload under its id is a conflict', () => {
  assert.deepEqual(verdictsOf(judgeFrom(), ['a', 100, 1], ['a', 100, 1], ['a', 105, 2], ['b', 100, 1]), [
    'accepted',
    'duplicate',
    'conflict',
    'accepted',
  ])
})

test('an id is remembered until its first event is more than the span older than the watermark', () => {
  assert.deepEqual(verdictsOf(judgeFrom(), ['a', 100], ['b', 120], ['a', 120]), ['accepted', 'accepted', 'duplicate'])
  assert.deepEqual(verdictsOf(judgeFrom(), ['a', 100], ['b', 121], ['a', 121], ['a', 121]), [
    'accepted',
    'accepted',
    'accepted',
    'duplicate',
  ])
})

test('a duplicate is asked for before lateness', () => {
  assert.deepEqual(verdictsOf(judgeFrom(), ['a', 100], ['a', 5]), ['accepted', 'duplicate'])
})

test('a late event is not remembered', () => {
  assert.deepEqual(verdictsOf(judgeFrom(), ['a', 100], ['b', 50], ['b', 100]), ['accepted', 'late', 'accepted'])
})

test('without an id nothing is a duplicate and nothing is remembered', () => {
  const judge = judgeFrom()
  assert.deepEqual(verdictsOf(judge, [null, 100], [null, 100], [null, 89]), ['accepted', 'accepted', 'late'])
  assert.equal(judge.seenCount, 0)
})

test('memory is bounded by the ids of a span, and those that are forgotten together', () => {
  const judge = judgeFrom()
  for (let ts = 0; ts < 10_000; ts++) {
    judge.judge({ id: `${ts}`, ts, hash: 0 })
    assert.ok(judge.seenCount <= 21 + chunkEntries, `${judge.seenCount} ids`)
  }
})

test('a judge that starts at a checkpoint goes on as if it had never stopped', () => {
  const events = Array.from({ length: 400 }, (_, index) => [`${(index * 7) % 90}`, (index * 13) % 250] as const)
  const whole = verdictsOf(judgeFrom(), ...events)
  assert.equal(new Set(whole).size, 3)
  for (const cut of [1, 50, 199]) {
    const seen = new IdTable()
    const first = new Judge(rules, -1, seen)
    const head = verdictsOf(first, ...events.slice(0, cut))
    const second = judgeFrom(first.watermark, idTableOf(seen))
    assert.deepEqual([...head, ...verdictsOf(second, ...events.slice(cut))], whole)
  }
})
