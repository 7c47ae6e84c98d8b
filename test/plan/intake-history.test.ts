// Goal: each instant belongs to one source of a stream, to the millisecond, and the end mark closes a history for good.
// Method: the two intakes of one stream on records around the hand-over point.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { string, timestamp } from '../../src/schema/field.ts'
import { compareTies } from '../../src/kernel/event-columns.ts'
import { IdTable } from '../../src/kernel/id-table.ts'
import { compile } from '../../src/plan/compile.ts'
import { coordinateTie, historyMark, Intake, type SourceKind, type SourceRecord } from '../../src/plan/intake.ts'
import { idTableOf } from '../kernel/id-tables.ts'

const until = Date.UTC(2026, 5)
const from = Date.UTC(2025, 5)
const user = entity('user', { user: string() })

function planOf(hasId: boolean) {
  const fields = { id: string(), user: string(), at: timestamp('ms') }
  const clicks = stream('clicks', {
    fields,
    time: 'at',
    ...(hasId ? { id: 'id' as const } : {}),
    lateness: '1m',
    history: { from: new Date(from).toISOString(), until: new Date(until).toISOString() },
  })
  return compile([featureView('v', { from: clicks, by: user, features: (on) => ({ n: on.count({ over: '1h' }) }) })])
    .streams[0]!
}

const stream1 = planOf(true)
const begin = (source: SourceKind, watermark = -1, seen = new IdTable()) =>
  new Intake(stream1, 0, { watermark, seen, source })

let offset = 0
const click = (id: string, at: number): SourceRecord => ({
  offset: offset++,
  timestampMs: until + 86_400_000,
  value: Buffer.from(JSON.stringify({ id, user: 'u', at })),
})
const mark: SourceRecord = {
  offset: 0,
  timestampMs: until,
  value: null,
  headers: [[historyMark, Buffer.from('1')]],
}

/** The verdict, and for a late event why. */
const taken = (intake: Intake, record: SourceRecord): string => {
  const found = intake.take(record)
  return found.verdict === 'late' ? `late: ${found.outside}` : found.verdict
}

test('an event of the hand-over point itself is live, one a millisecond older is history', () => {
  assert.equal(taken(begin('live'), click('a', until)), 'accepted')
  assert.equal(taken(begin('live'), click('a', until - 1)), 'late: before the hand-over')
  assert.equal(taken(begin('history'), click('a', until)), 'late: after the hand-over')
  assert.equal(taken(begin('history'), click('a', until - 1)), 'accepted')
})

test('a history begins at its first instant', () => {
  assert.equal(taken(begin('history'), click('a', from)), 'accepted')
  assert.equal(taken(begin('history'), click('a', from - 1)), 'late: before the history')
})

test('files have no order of arrival: nothing is too late, and an id is remembered however old it is', () => {
  const intake = begin('history')
  assert.equal(taken(intake, click('new', until - 1)), 'accepted')
  assert.equal(taken(intake, click('old', from)), 'accepted')
  for (let index = 0; index < 5_000; index++) intake.take(click(`${index}`, from + index * 60_000))
  assert.equal(taken(intake, click('old', until - 1)), 'duplicate')
  assert.equal(intake.forgetsBefore, Number.NEGATIVE_INFINITY)
})

test('on the live topic the lateness holds as ever', () => {
  const intake = begin('live')
  assert.equal(taken(intake, click('a', until + 120_000)), 'accepted')
  assert.equal(taken(intake, click('b', until + 60_000)), 'accepted')
  assert.equal(taken(intake, click('c', until + 59_999)), 'late: null')
})

test('the end mark is no event: it closes the history, also after a restart', () => {
  const seen = new IdTable()
  const intake = begin('history', -1, seen)
  assert.equal(intake.takeMark(click('a', from)), false)
  assert.equal(taken(intake, click('a', from)), 'accepted')
  assert.equal(intake.takeMark(mark), true)
  assert.equal(intake.watermark, until)
  assert.equal(seen.size, 0)
  assert.equal(intake.forgetsBefore, Number.POSITIVE_INFINITY)
  const restored = begin('history', intake.watermark, idTableOf([['a', { ts: from, hash: 0 }]]))
  for (const one of [intake, restored]) {
    assert.equal(taken(one, click('a', from)), 'late: history complete')
    assert.equal(taken(one, click('b', until - 1)), 'late: history complete')
    assert.equal(taken(one, { ...mark, offset: offset++, value: Buffer.from('{') }), 'refused')
    assert.equal(one.takeMark(mark), true)
  }
})

test('a mark on the live topic is a record like any other', () => {
  const intake = begin('live')
  assert.equal(intake.takeMark(mark), false)
  assert.equal(taken(intake, mark), 'refused')
})

test('without ids, an event of a history comes before every live one of its instant', () => {
  const plan = planOf(false)
  const tieOf = (source: SourceKind, partition: number): number => {
    const record = click('x', source === 'live' ? until : until - 1)
    const found = new Intake(plan, partition, { watermark: -1, seen: new IdTable(), source }).take(record)
    assert.equal(found.verdict, 'accepted')
    return Number('event' in found && found.event.tie)
  }
  const ties = [tieOf('history', 0), tieOf('history', 1_023), tieOf('live', 0), tieOf('live', 1_023)]
  assert.deepEqual(ties.toSorted(compareTies), ties)
  for (const source of ['live', 'history'] as const) {
    for (const [partition, at] of [
      [0, 0],
      [1_023, 2 ** 42 - 1],
    ] as const) {
      assert.ok(Number.isSafeInteger(coordinateTie(source, partition, at)))
    }
  }
  assert.ok(coordinateTie('history', 1_023, 2 ** 42 - 1) < coordinateTie('live', 0, 0))
})
