import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insertEvent, makeEventColumns } from '../../src/kernel/event-columns.ts'
import { Sweep } from '../../src/kernel/sweep.ts'
import { event, makeProgram } from './programs.ts'

const program = makeProgram({
  columns: [{ kind: 'float' }, { kind: 'boolean' }],
  windows: [
    { lengthMs: 10, offsetMs: 0 },
    { lengthMs: 10, offsetMs: 5 },
    { lengthMs: null, offsetMs: 0 },
  ],
  slots: [
    { spec: { name: 'sum', input: { kind: 'float' } }, window: 0 },
    { spec: { name: 'max', input: { kind: 'float' } }, window: 0 },
    { spec: { name: 'count' }, window: 1, filter: 1 },
    { spec: { name: 'count' }, window: 2 },
  ],
  horizonMs: 0,
})

function sweepOver(...events: readonly (readonly [number, number | null, boolean | null])[]): Sweep {
  const columns = makeEventColumns(2, false)
  for (const [ts, value, flag] of events) insertEvent(columns, event(ts, 0, value, flag))
  return new Sweep(program, columns)
}

test('a sweep without events reads empty at every instant', () => {
  const sweep = sweepOver()
  for (const t of [0, 5, 1_000]) assert.deepEqual([sweep.read(t), sweep.newestBefore], [[0, null, 0, 0], -1])
})

test('values slide with the instant, one millisecond at a time', () => {
  const sweep = sweepOver([100, 1, true], [105, 2, null], [108, null, true], [112, 4, false])
  const at = (t: number): unknown => [...sweep.read(t), sweep.newestBefore]
  assert.deepEqual(at(100), [0, null, 0, 0, -1])
  assert.deepEqual(at(101), [1, 1, 0, 1, 100])
  assert.deepEqual(at(106), [3, 2, 1, 2, 105])
  assert.deepEqual(at(110), [3, 2, 1, 3, 108])
  assert.deepEqual(at(111), [2, 2, 1, 3, 108])
  assert.deepEqual(at(113), [6, 4, 1, 4, 112])
  assert.deepEqual(at(114), [6, 4, 2, 4, 112])
  assert.deepEqual(at(116), [4, 4, 1, 4, 112])
  assert.deepEqual(at(123), [0, null, 1, 4, 112])
  assert.deepEqual(at(124), [0, null, 0, 4, 112])
})

test('the same instant twice reads the same', () => {
  const sweep = sweepOver([100, 1, true], [105, 2, true])
  const once = [...sweep.read(106)]
  assert.deepEqual(sweep.read(106), once)
})

test('what was added and removed leaves no trace: sums are exact', () => {
  const sweep = sweepOver([100, 2 ** 900, true], [101, 0.1, true], [102, 0.2, true], [103, -(2 ** 900), true])
  assert.equal(sweep.read(104)[0], 0.30000000000000004)
  assert.equal(sweep.read(111)[0], -(2 ** 900))
  assert.equal(sweep.read(112)[0], -(2 ** 900))
  assert.equal(sweep.read(114)[0], 0)
})

test('a leap over everything starts afresh', () => {
  const sweep = sweepOver([100, 1, true], [101, 2, true], [500, 3, true])
  sweep.read(102)
  assert.deepEqual(sweep.read(501), [3, 3, 0, 3])
  assert.deepEqual(sweep.read(10_000), [0, null, 0, 3])
})
