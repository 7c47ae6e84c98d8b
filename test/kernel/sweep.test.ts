// Goal: a sweep in columns gives the bits of reading each instant afresh, whatever the aggregation, key or instant.
// Method: windows checked by hand; then random programs over several keys, against `readAggregates` on the state of
// each key, and against the aggregations themselves (`sweptReads` compares those).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ColumnValue } from '../../src/kernel/aggregation.ts'
import { insertEvent, makeEventColumns } from '../../src/kernel/event-columns.ts'
import { applyEvent, makeKeyState } from '../../src/kernel/key-state.ts'
import { readAggregates } from '../../src/kernel/read-state.ts'
import { floatPrefixes, integerPrefixes } from '../../src/kernel/sweep/prefix-sums.ts'
import { sweepAggregates } from '../../src/kernel/sweep/sweep-aggregates.ts'
import { valueAt } from '../../src/kernel/sweep/swept-column.ts'
import { lawOptions } from '../base/law-options.ts'
import { event, makeProgram } from './programs.ts'
import { addedTo, allSpecs, inputOf } from './specs.ts'
import { sweepInput, type SweptRead, sweptReads } from './swept.ts'

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

type TestEvent = readonly [ts: number, value: number | null, flag: boolean | null]

function sweepOver(events: readonly TestEvent[], ...instants: readonly number[]): SweptRead[] {
  const columns = makeEventColumns(2, false)
  for (const [ts, value, flag] of events) insertEvent(columns, event(ts, 0, value, flag))
  return sweptReads(program, columns, instants)
}

const aggregatesOf = (reads: readonly SweptRead[]): unknown => reads.map(({ aggregates }) => aggregates)

test('a sweep without events reads empty at every instant', () => {
  for (const read of sweepOver([], 0, 5, 1_000)) {
    assert.deepEqual([read.aggregates, read.newest], [[0, null, 0, 0], -1])
  }
})

test('values slide with the instant, one millisecond at a time', () => {
  const reads = sweepOver(
    [
      [100, 1, true],
      [105, 2, null],
      [108, null, true],
      [112, 4, false],
    ],
    100,
    101,
    106,
    110,
    111,
    113,
    114,
    116,
    123,
    124,
  )
  assert.deepEqual(
    reads.map(({ t, aggregates, newest }) => [t, ...aggregates, newest]),
    [
      [100, 0, null, 0, 0, -1],
      [101, 1, 1, 0, 1, 100],
      [106, 3, 2, 1, 2, 105],
      [110, 3, 2, 1, 3, 108],
      [111, 2, 2, 1, 3, 108],
      [113, 6, 4, 1, 4, 112],
      [114, 6, 4, 2, 4, 112],
      [116, 4, 4, 1, 4, 112],
      [123, 0, null, 1, 4, 112],
      [124, 0, null, 0, 4, 112],
    ],
  )
})

test('the same instant twice reads the same', () => {
  const [once, twice] = sweepOver(
    [
      [100, 1, true],
      [105, 2, true],
    ],
    106,
    106,
  )
  assert.deepEqual(twice, once)
})

test('what was added and removed leaves no trace: sums are exact', () => {
  const huge = 2 ** 900
  const reads = sweepOver(
    [
      [100, huge, true],
      [101, 0.1, true],
      [102, 0.2, true],
      [103, -huge, true],
    ],
    104,
    111,
    112,
    114,
  )
  assert.deepEqual(
    reads.map(({ aggregates }) => aggregates[0]),
    [0.30000000000000004, -huge, -huge, 0],
  )
})

test('a leap over everything starts afresh', () => {
  const reads = sweepOver(
    [
      [100, 1, true],
      [101, 2, true],
      [500, 3, true],
    ],
    102,
    501,
    10_000,
  )
  assert.deepEqual(aggregatesOf(reads), [
    [3, 2, 0, 2],
    [3, 3, 0, 3],
    [0, null, 0, 3],
  ])
})

test('several keys in one sweep read as each does alone', () => {
  const spec = fc.constantFrom(...allSpecs)
  const window = fc.record({ lengthMs: fc.option(fc.integer({ min: 1, max: 60 })), offsetMs: fc.nat(20) })
  const scenario = spec.chain((chosen) =>
    fc.record({
      spec: fc.constant(chosen),
      windows: fc.array(window, { minLength: 1, maxLength: 3 }),
      keys: fc.array(
        fc.record({
          added: addedTo(chosen, 20),
          nulls: fc.array(fc.nat(19), { maxLength: 4 }),
          flags: fc.array(fc.option(fc.boolean()), { minLength: 20, maxLength: 20 }),
          instants: fc.array(fc.tuple(fc.nat(19), fc.integer({ min: -5, max: 90 })), { maxLength: 12 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  )
  const loops = new Set<string>()
  fc.assert(
    fc.property(scenario, ({ spec: chosen, windows, keys }) => {
      const bounded = windows.map((one) => (one.lengthMs === null ? { ...one, offsetMs: 0 } : one))
      const made = makeProgram({
        columns: [inputOf(chosen), { kind: 'boolean' }],
        windows: bounded,
        slots: bounded.flatMap((_, at) => [
          { spec: chosen, window: at },
          { spec: chosen, window: at, filter: 1 },
        ]),
        horizonMs: 2 ** 53,
      })
      const prepared = keys.map(({ added, nulls, flags, instants }) => {
        const columns = makeEventColumns(2, made.keepsTies)
        const state = makeKeyState(made)
        added.forEach(({ input, order }, at) => {
          const value: ColumnValue = nulls.includes(at) ? null : input
          const one = event(order.ts, order.tie, value, flags[at % 20]!)
          insertEvent(columns, one)
          applyEvent(made, state, one)
        })
        const near = instants.map(([at, away]) => (added[at]?.order.ts ?? 0) + away)
        return { events: columns, state, instants: near.sort((a, b) => a - b) }
      })
      const swept = sweepAggregates(made, sweepInput(made, prepared))
      let read = 0
      for (const { events, state, instants } of prepared) {
        const alone = sweptReads(made, events, instants)
        instants.forEach((t, at) => {
          const expected = readAggregates(made, state, t)
          assert.deepEqual(alone[at]!.aggregates, expected)
          assert.deepEqual(
            swept.map((column) => valueAt(column, read)),
            expected,
          )
          read += 1
        })
      }
      if (read > 0) loops.add(chosen.name)
    }),
    lawOptions(1_500),
  )
  assert.ok(loops.size > 8, 'the aggregations were swept')
})

test('prices add up in prefixes, and what exceeds them is left to the aggregation', () => {
  const all = (length: number): Uint8Array => new Uint8Array(length).fill(1)
  const prices = Float64Array.from({ length: 1_000 }, (_, index) => ((index * 7919) % 100_000) / 100)
  assert.notEqual(floatPrefixes(prices, all(1_000)), null)
  assert.equal(floatPrefixes(Float64Array.of(1e300, 1e-300), all(2)), null)
  assert.equal(floatPrefixes(Float64Array.of(5e-324), all(1)), null)
  assert.equal(floatPrefixes(Float64Array.of(2 ** 60, 2 ** -60), all(2)), null)
  assert.notEqual(integerPrefixes(Float64Array.of(2 ** 51, 2 ** 51), all(2)), null)
  assert.equal(integerPrefixes(Float64Array.of(2 ** 52, 1), all(2)), null)
})

test('sums and means of doubles of all sizes are those of the exact sum', () => {
  // Prefixes hold about 100 bits: exponents that differ by less than that must go through them, all others past them.
  const value = fc
    .tuple(fc.integer({ min: -(2 ** 53), max: 2 ** 53 }), fc.integer({ min: -60, max: 20 }))
    .map(([mantissa, exponent]) => mantissa * 2 ** exponent)
  const floats = makeProgram({
    columns: [{ kind: 'float' }],
    windows: [{ lengthMs: 7, offsetMs: 0 }],
    slots: [
      { spec: { name: 'sum', input: { kind: 'float' } }, window: 0 },
      { spec: { name: 'mean', input: { kind: 'float' } }, window: 0 },
    ],
    horizonMs: 0,
  })
  let through = 0
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 40 }), (values) => {
      const columns = makeEventColumns(1, false)
      values.forEach((one, ts) => insertEvent(columns, event(ts, 0, one + 0)))
      sweptReads(
        floats,
        columns,
        values.map((_, ts) => ts + 1),
      )
      if (floatPrefixes(Float64Array.from(values), new Uint8Array(values.length).fill(1)) !== null) through += 1
    }),
    lawOptions(2_000),
  )
  assert.ok(through > 100, `${through} went through prefixes`)
})
