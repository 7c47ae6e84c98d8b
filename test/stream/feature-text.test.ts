import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import type { FeatureValue } from '../../src/kernel/aggregation.ts'
import { compile } from '../../src/plan/compile.ts'
import { boolean, decimal, int, string, timestamp } from '../../src/schema/field.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { eventRecord } from '../../src/stream/feature-record.ts'
import { FeatureText } from '../../src/stream/feature-text.ts'

/** Goal: the fast way to write a record of finished values gives every byte of the plain one. Method: random values. */
const clicks = stream('clicks', {
  fields: { user: int(), shop: string(), old: boolean(), price: decimal(2), at: timestamp('ms') },
  time: 'at',
  lateness: '10s',
})

const view = featureView('by_user', {
  from: clicks,
  by: entity('visitor', { user: int(), shop: string(), old: boolean(), price: decimal(2), at: timestamp('ms') }),
  features: (on) => ({
    clicks_30s: on.count({ over: '30s' }),
    price: on.sum('price', { over: '1h' }),
    mean: on.mean('price', { over: '1h' }),
  }),
})

const plan = compile([view])
const [viewPlan] = plan.views
const kinds = viewPlan!.keys.map(({ field }) => field.kind)

const value: fc.Arbitrary<FeatureValue> = fc.oneof(
  { weight: 8, arbitrary: fc.double() },
  { weight: 4, arbitrary: fc.integer() },
  fc.constantFrom<FeatureValue>(null, true, false, -0, 'text "quoted"', ['a', 1]),
)
const status = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('PRESENT' as const, 'NULL_VALUE' as const) },
  fc.constantFrom('OUTSIDE_MAX_AGE' as const, 'WARMING' as const),
)
const finished = fc.option(
  fc.record({
    values: fc.tuple(value, value, value),
    status: fc.tuple(status, status, status),
    ageMs: fc.constant(1),
  }),
  { nil: null, freq: 8 },
)
const keyValues = fc.tuple(
  fc.integer(),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.boolean(),
  fc.integer(),
  fc.integer({ min: 0, max: 4_102_444_799_999 }),
)
const source = fc.record({
  stream: fc.constantFrom('clicks', 'more'),
  topic: fc.constantFrom('clicks.v1', 'raw'),
  partition: fc.nat(11),
  offset: fc.maxSafeNat(),
})
const seed = process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }

describe('the values after an event', () => {
  test('have the bytes of the plain way, whatever they are', () => {
    const text = new FeatureText(viewPlan!, plan.hash)
    fc.assert(
      fc.property(
        finished,
        keyValues,
        fc.integer({ min: 0, max: 4_102_444_799_998 }),
        source,
        (read, keys, ts, from) => {
          const key = encodeKey(kinds, keys)
          const emitted = { key, asOf: ts + 1, eventTime: ts, finished: read }
          const expected = eventRecord({ ...emitted, view: viewPlan!, plan: plan.hash }, from)
          const made = text.record(emitted, from)
          assert.equal(Buffer.from(made.value!).toString(), Buffer.from(expected.value!).toString())
          assert.deepEqual(made, expected)
        },
      ),
      { ...seed, numRuns: 500 },
    )
  })
})
