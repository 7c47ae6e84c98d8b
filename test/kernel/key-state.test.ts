import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  applyEvent,
  countBefore,
  type KeyState,
  makeKeyState,
  newestBefore,
  readableFrom,
  timesFrom,
} from '../../src/kernel/key-state.ts'
import { readAggregates } from '../../src/kernel/read-state.ts'
import { floorOf } from '../../src/kernel/slab/slab.ts'
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

const settle = ({ slab, slot }: KeyState): void => slab.settle(slot)
const rawTimes = (state: KeyState): number[] => [...timesFrom(state, 0)]

test('a new key is empty and settles to nothing', () => {
  const state = makeKeyState(program)
  settle(state)
  assert.equal(state.newest, -1)
  assert.deepEqual(readAggregates(program, state, 5), [0, 0, 0])
})

test('what a read can still reach is raw, and nothing else, once settled', () => {
  const state = makeKeyState(program)
  for (const ts of [1_000, 970, 971, 972]) applyEvent(program, state, event(ts, 0, ts, true))
  assert.equal(floorOf(program, 1_000), 971)
  assert.equal(readableFrom(program, state), 981)
  settle(state)
  assert.deepEqual(rawTimes(state), [971, 972, 1_000])
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
  assert.deepEqual(rawTimes(state), [1_000])
  assert.deepEqual(readAggregates(program, state, 1_001).slice(1), [1_111, 3])
})

test('the newest event before an instant may lie in the base while older ones are still raw', () => {
  const state = makeKeyState(program)
  applyEvent(program, state, event(10, 0, 1, true))
  applyEvent(program, state, event(200, 0, 1, true))
  applyEvent(program, state, event(50, 0, 1, true))
  assert.deepEqual(rawTimes(state), [10, 200])
  assert.equal(newestBefore(state, 190), 50)
  settle(state)
  assert.equal(newestBefore(state, 190), 50)
  assert.equal(newestBefore(state, 201), 200)
  assert.equal(newestBefore(makeKeyState(program), 1), -1)
})

test('raw events do not pile up: old ones fold down while new ones come', () => {
  const state = makeKeyState(program)
  for (let ts = 0; ts < 10_000; ts++) {
    applyEvent(program, state, event(ts, 0, 1, true))
    assert.ok(state.count <= 64, `${state.count} raw events`)
  }
  assert.deepEqual(readAggregates(program, state, 10_000), [7, 10_000, 10_000])
})

test('an event that is only tried out reads as if it had been applied, and leaves no trace', () => {
  const events = [1, 2, 500, 503].map((ts) => event(ts, 0, ts, true))
  const extras = [3, 470, 499, 500, 900].map((ts) => event(ts, 0, ts * 10, ts !== 499))
  for (const extra of extras) {
    const [state, applied] = [makeKeyState(program), makeKeyState(program)]
    for (const one of events) applyEvent(program, state, one)
    for (const one of [...events, extra]) applyEvent(program, applied, one)
    const before = encodeState(program, state)
    const newest = Math.max(503, extra.ts)
    for (let t = newest - 19; t < newest + 20; t++) {
      assert.deepEqual(
        readAggregates(program, state, t, extra),
        readAggregates(program, applied, t),
        `${extra.ts} ${t}`,
      )
    }
    assert.deepEqual(encodeState(program, state), before)
  }
  const alone = makeKeyState(program)
  applyEvent(program, alone, extras[0]!)
  assert.deepEqual(readAggregates(program, null, 8, extras[0]), readAggregates(program, alone, 8))
})

test('events before an instant are counted, raw or not, and times are given from an instant on', () => {
  const state = makeKeyState(program)
  for (const ts of [500, 3, 510, 505, 505]) applyEvent(program, state, event(ts, 0, 1, true))
  assert.deepEqual(
    [500, 501, 506, 511].map((t) => countBefore(state, t)),
    [1, 2, 4, 5],
  )
  assert.deepEqual([...timesFrom(state, 505)], [505, 505, 510])
  assert.deepEqual([...timesFrom(state, 511)], [])
})
