import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts'
import type { AggregationSpec, ColumnValue } from '../../../src/kernel/aggregation.ts'
import { makeAggregation } from '../../../src/kernel/aggregations/make-aggregation.ts'
import { describeSpec } from '../specs.ts'

// Goal: the bytes of a state never change by accident, because states of earlier releases are on disk and in topics.
// Method: the bytes of fixed inputs are written down. Event number i has time 1000 + i and tie i. A change here asks
// for a new version of the container that holds the states.

type Golden = {
  readonly spec: AggregationSpec
  readonly inputs: readonly ColumnValue[]
  readonly hex: string
  readonly value: unknown
}

const int = { kind: 'int' } as const
const float = { kind: 'float' } as const
const boolean = { kind: 'boolean' } as const
const string = { kind: 'string' } as const
const money = { kind: 'decimal', scale: 2 } as const
const safeMax = Number.MAX_SAFE_INTEGER

const golden: readonly Golden[] = [
  { spec: { name: 'count' }, inputs: [], hex: '00', value: 0 },
  { spec: { name: 'count' }, inputs: [null, 1, 2], hex: '03', value: 3 },
  { spec: { name: 'sum', input: int }, inputs: [], hex: '00', value: 0 },
  { spec: { name: 'sum', input: int }, inputs: [5, -300], hex: 'cd04', value: -295 },
  { spec: { name: 'sum', input: int }, inputs: [safeMax, safeMax], hex: 'fcffffffffffff3f', value: 18014398509481982 },
  { spec: { name: 'sum', input: money }, inputs: [1234, 5], hex: 'ae13', value: 12.39 },
  { spec: { name: 'sum', input: boolean }, inputs: [true, false, true], hex: '04', value: 2 },
  { spec: { name: 'sum', input: float }, inputs: [], hex: '00', value: 0 },
  { spec: { name: 'sum', input: float }, inputs: [0.5, 1], hex: '01000000000000f83f', value: 1.5 },
  {
    spec: { name: 'sum', input: float },
    inputs: [1e16, 1, 2 ** -60],
    hex: '030180e03779c34143000000000000f0bf000000000000303c',
    value: 10000000000000002,
  },
  { spec: { name: 'mean', input: int }, inputs: [], hex: '0000', value: null },
  { spec: { name: 'mean', input: money }, inputs: [1234, 5], hex: '02ae13', value: 6.195 },
  { spec: { name: 'mean', input: boolean }, inputs: [true, false, true], hex: '0304', value: 0.6666666666666666 },
  {
    spec: { name: 'mean', input: float },
    inputs: [0.1, 0.2],
    hex: '0202343333333333d33f00000000000080bc',
    value: 0.15000000000000002,
  },
  { spec: { name: 'variance', input: int, of: 'sample' }, inputs: [], hex: '000000', value: null },
  {
    spec: { name: 'variance', input: money, of: 'population' },
    inputs: [1234, -5],
    hex: '029a13baf1b901',
    value: 38.378025,
  },
  {
    spec: { name: 'variance', input: int, of: 'sample' },
    inputs: [safeMax, 1],
    hex: '02808080808080802084808080808080c0ffffffffffffff03',
    value: 4.0564819207303323e31,
  },
  { spec: { name: 'variance', input: float, of: 'sample' }, inputs: [], hex: '000000', value: null },
  {
    spec: { name: 'variance', input: float, of: 'sample' },
    inputs: [0.1, 3, 1e20],
    hex: '039ab3e6cc99b3e68c8380c098d6c5d7e3eb0a6dd2f0faa8b8bd94dcc7c2eba3e1f5d1c0848080808090acfddcabff92e5b5b8fc94e33adb01',
    value: 3.333333333333333e39,
  },
  { spec: { name: 'stddev', input: float, of: 'population' }, inputs: [1, 5], hex: '0206021a02', value: 2 },
  { spec: { name: 'min', input: int }, inputs: [], hex: '00', value: null },
  { spec: { name: 'min', input: int }, inputs: [3, -7], hex: '010d', value: -7 },
  { spec: { name: 'max', input: money }, inputs: [1234, 5], hex: '01a413', value: 12.34 },
  { spec: { name: 'max', input: float }, inputs: [0.5, -1], hex: '01000000000000e03f', value: 0.5 },
  { spec: { name: 'max', input: boolean }, inputs: [false, true], hex: '0101', value: true },
  { spec: { name: 'max', input: string }, inputs: ['\uffff', '😀'], hex: '0104f09f9880', value: '😀' },
  {
    spec: { name: 'min', input: { kind: 'timestamp' } },
    inputs: [1700000000000],
    hex: '0180a0abfef962',
    value: 1700000000000,
  },
  { spec: { name: 'first', input: string }, inputs: [], hex: '00', value: null },
  { spec: { name: 'first', input: string }, inputs: ['a', 'b'], hex: '01d00f0000010161', value: 'a' },
  { spec: { name: 'last', input: money }, inputs: [1234, 5], hex: '01d20f0002010a', value: 0.05 },
  { spec: { name: 'latest', input: string }, inputs: ['a', null], hex: '01d20f000200', value: null },
  { spec: { name: 'lastK', input: int, k: 2 }, inputs: [], hex: '00', value: [] },
  { spec: { name: 'lastK', input: int, k: 2 }, inputs: [7, 8, 9], hex: '02d40f000412d20f000210', value: [9, 8] },
  { spec: { name: 'distinctCount', input: string, cap: null }, inputs: [], hex: '00', value: 0 },
  {
    spec: { name: 'distinctCount', input: string, cap: null },
    inputs: ['b', 'a', 'b'],
    hex: '02016101016202',
    value: 2,
  },
  { spec: { name: 'distinctCount', input: int, cap: 2 }, inputs: [], hex: '0000', value: 0 },
  { spec: { name: 'distinctCount', input: int, cap: 2 }, inputs: [9, -1, 9], hex: '00020112', value: 2 },
  { spec: { name: 'distinctCount', input: int, cap: 2 }, inputs: [9, -1, 5], hex: '01', value: 2 },
]

describe('the bytes of a state', () => {
  for (const { spec, inputs, hex, value } of golden) {
    const aggregation = makeAggregation(spec)

    test(`${describeSpec(spec)} of [${inputs.join(', ')}]`, () => {
      const state = inputs.reduce<unknown>(
        (sum, input, index) => aggregation.add(sum, input, { ts: 1000 + index, tie: index }),
        aggregation.zero(),
      )
      const writer = new ByteWriter()
      aggregation.encode(state, writer)
      assert.equal(Buffer.from(writer.finish()).toString('hex'), hex)
      const reader = new ByteReader(Buffer.from(hex, 'hex'))
      assert.deepEqual(aggregation.value(aggregation.decode(reader)), value)
      reader.expectEnd()
    })
  }

  test('holds a tie that is a string', () => {
    const aggregation = makeAggregation({ name: 'last', input: int })
    const writer = new ByteWriter()
    aggregation.encode(aggregation.add(aggregation.zero(), 7, { ts: 1000, tie: 'pay-1' }), writer)
    assert.equal(Buffer.from(writer.finish()).toString('hex'), '01d00f01057061792d31010e')
  })
})
