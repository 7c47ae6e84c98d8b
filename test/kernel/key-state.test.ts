import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyEvent, copyState, floorOf, makeKeyState, readableFrom, settle } from '../../src/kernel/key-state.ts'
import { newestBefore, readAggregates } from '../../src/kernel/read.ts'
import { encodeState } from '../../src/kernel/state-codec.ts'
import { event, makeProgram } from './programs.ts'

/** Raw events of 30 ms: 20 of horizon, and a window of 7 that ends 3 before the instant. */
const program = makeProgram({
  columns: [{ kind: 'int' }, { kind: 'boolean' }],
  windows: [
    { lengthMs: 7, offsetMs: 3 },
    { lengthMs: null, offsetMs: 0 },
  ],
  slots: [
    { spec: { name: 'count' }, window: 0 },
    { spec: { name: 'sum', input: { kind: 'int' } }, window: 1 },
    { spec: { name: 'count' }, window: 1, filter: 1 },
  ],
  horizonMs: 20,
})

test('a new key is empty and settles to nothing', () => {
  const state = makeKeyState(program)
  settle(program, state)
  assert.equal(state.newest, -1)
  assert.deepEqual(readAggregates(program, state, 5), [0, 0, 0])
})

test('what a read can still reach is raw, and nothing else, once settled', () => {
  const state = makeKeyState(program)
  for (const ts of [1_000, 970, 971, 972]) applyEvent(program, state, event(ts, 0, ts, true))
  assert.equal(floorOf(program, 1_000), 971)
  assert.equal(readableFrom(program, state), 981)
  settle(program, state)
  assert.deepEqual(state.events.ts, [971, 972, 1_000])
  assert.equal(state.baseNewest, 970)
  assert.equal(state.applied, 4)
  // [971, 978) as of the oldest instant.
  assert.deepEqual(readAggregates(program, state, 981), [2, 970 + 971 + 972, 3])
  assert.deepEqual(readAggregates(program, state, 982), [1, 970 + 971 + 972, 3])
  // The event at 1000 is inside [t - 10, t - 3) from 1004 up to 1010.
  const counts = [1_003, 1_004, 1_010, 1_011].map((t) => readAggregates(program, state, t))
  assert.deepEqual(counts, [
    [0, 3_913, 4],
    [1, 3_913, 4],
    [1, 3_913, 4],
    [0, 3_913, 4],
  ])
})

test('an event older than the floor goes straight to the lifetime aggregates, through filter and null', () => {
  const state = makeKeyState(program)
  applyEvent(program, state, event(1_000, 0, 1, true))
  applyEvent(program, state, event(5, 0, 10, true))
  applyEvent(program, state, event(6, 0, 100, false))
  applyEvent(program, state, event(7, 0, null, true))
  applyEvent(program, state, event(8, 0, 1_000, null))
  assert.deepEqual(state.events.ts, [1_000])
  assert.deepEqual(readAggregates(program, state, 1_001).slice(1), [1_111, 3])
})

test('the newest event before an instant may lie in the base while older ones are still raw', () => {
  const state = makeKeyState(program)
  applyEvent(program, state, event(10, 0, 1, true))
  applyEvent(program, state, event(200, 0, 1, true))
  applyEvent(program, state, event(50, 0, 1, true))
  assert.deepEqual(state.events.ts, [10, 200])
  assert.equal(newestBefore(state, 190), 50)
  settle(program, state)
  assert.equal(newestBefore(state, 190), 50)
  assert.equal(newestBefore(state, 201), 200)
  assert.equal(newestBefore(makeKeyState(program), 1), -1)
})

test('raw events do not pile up: old ones fold down while new ones come', () => {
  const state = makeKeyState(program)
  for (let ts = 0; ts < 10_000; ts++) {
    applyEvent(program, state, event(ts, 0, 1, true))
    assert.ok(state.events.ts.length <= 64 + 30, `${state.events.ts.length} raw events`)
  }
  assert.deepEqual(readAggregates(program, state, 10_000), [7, 10_000, 10_000])
})

test('what happens to a copy leaves the original alone', () => {
  const state = makeKeyState(program)
  for (const ts of [1, 2, 500]) applyEvent(program, state, event(ts, 0, ts, true))
  const before = encodeState(program, state)
  const copy = copyState(program, state)
  assert.deepEqual(encodeState(program, copy), before)
  for (const ts of [3, 499, 900]) applyEvent(program, copy, event(ts, 0, ts, true))
  settle(program, copy)
  assert.deepEqual(encodeState(program, state), before)
})
