import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AssertionFailure } from '../../../src/base/assert.ts'
import { ByteReader, MalformedBytes } from '../../../src/base/bytes.ts'
import type { Aggregation, AggregationSpec, ColumnValue } from '../../../src/kernel/aggregation.ts'
import { makeAggregation } from '../../../src/kernel/aggregations/make-aggregation.ts'
import type { Ratio } from '../../../src/kernel/exact/rounding.ts'
import { lawOptions } from '../../base/law-options.ts'
import { assertNearest, assertNearestRoot, exactly, over, squaredDeviations, total } from '../exact/oracle.ts'
import { type Added, addedTo, allSpecs, describeSpec, inputOf } from '../specs.ts'

// Goal: every value is what its definition says, whatever the states look like inside.
// Method: an oracle that sorts and counts plain lists, and does arithmetic with fractions.

function valueOf(aggregation: Aggregation, events: readonly Added[]): unknown {
  const state = events.reduce<unknown>(
    (sum, { input, order }) => aggregation.add(sum, input, order),
    aggregation.zero(),
  )
  return aggregation.value(state)
}

function fractionOf(spec: AggregationSpec, input: ColumnValue): Ratio {
  const type = inputOf(spec)
  const value = exactly(Number(input))
  return type.kind === 'decimal' ? over(value, 10n ** BigInt(type.scale)) : value
}

/** What a reader sees of one input. */
function shown(spec: AggregationSpec, input: ColumnValue | undefined): unknown {
  const type = inputOf(spec)
  if (typeof input !== 'number' || type.kind !== 'decimal') return input ?? null
  // The text of a decimal, read as a number, is the nearest double to it.
  return Number(`${input}e-${type.scale}`) + 0
}

function order<Value>(left: Value, right: Value): number {
  if (typeof left === 'string' && typeof right === 'string') return Buffer.compare(wide(left), wide(right))
  return left < right ? -1 : left > right ? 1 : 0
}

/** Four bytes a code point, highest first: their order is that of the code points. */
function wide(text: string): Buffer {
  const points = Array.from(text, (character) => character.codePointAt(0)!)
  const bytes = Buffer.alloc(points.length * 4)
  for (const [index, point] of points.entries()) bytes.writeUInt32BE(point, index * 4)
  return bytes
}

function oldestFirst(events: readonly Added[]): ColumnValue[] {
  const sorted = events.toSorted((a, b) => a.order.ts - b.order.ts || order(a.order.tie, b.order.tie))
  return sorted.map((event) => event.input)
}

function assertValue(spec: AggregationSpec, actual: unknown, events: readonly Added[]): void {
  const inputs = events.map((event) => event.input)
  const fractions = (): Ratio[] => inputs.map((input) => fractionOf(spec, input))
  switch (spec.name) {
    case 'count':
      return assert.equal(actual, events.length)
    case 'sum':
      return assertNearest(actual as number, total(common(fractions())))
    case 'mean':
      if (inputs.length === 0) return assert.equal(actual, null)
      return assertNearest(actual as number, over(total(common(fractions())), BigInt(inputs.length)))
    case 'variance':
    case 'stddev': {
      const degrees = inputs.length - (spec.of === 'sample' ? 1 : 0)
      if (degrees < 1) return assert.equal(actual, null)
      const variance = over(squaredDeviations(common(fractions())), BigInt(degrees))
      if (spec.name === 'stddev') return assertNearestRoot(actual as number, variance)
      if (actual !== null) return assertNearest(actual as number, variance)
      return assert.ok(variance.numerator >= BigInt(Number.MAX_VALUE) * variance.denominator)
    }
    case 'min':
      return assert.deepEqual(actual, shown(spec, inputs.toSorted(order)[0]))
    case 'max':
      return assert.deepEqual(actual, shown(spec, inputs.toSorted(order).at(-1)))
    case 'first':
      return assert.deepEqual(actual, shown(spec, oldestFirst(events)[0]))
    case 'last':
    case 'latest':
      return assert.deepEqual(actual, shown(spec, oldestFirst(events).at(-1)))
    case 'lastK': {
      const newest = oldestFirst(events).reverse().slice(0, spec.k)
      return assert.deepEqual(
        actual,
        newest.map((input) => shown(spec, input)),
      )
    }
    case 'distinctCount':
      return assert.equal(actual, Math.min(new Set(inputs).size, spec.cap ?? Number.POSITIVE_INFINITY))
  }
}

/** Over one denominator, as the plain sum of fractions wants them: each denominator must divide the larger ones. */
function common(ratios: readonly Ratio[]): Ratio[] {
  const largest = ratios.reduce((most, ratio) => (ratio.denominator > most ? ratio.denominator : most), 1n)
  return ratios.map(({ numerator, denominator }) => ({
    numerator: numerator * (largest / denominator),
    denominator: largest,
  }))
}

describe('the value over a random set of events', () => {
  for (const spec of allSpecs) {
    test(`of ${describeSpec(spec)} is that of its definition`, () => {
      const aggregation = makeAggregation(spec)
      const law = fc.property(addedTo(spec), (events) => {
        assertValue(spec, valueOf(aggregation, events), events)
      })
      fc.assert(law, lawOptions(60))
    })
  }
})

describe('an aggregation', () => {
  test('gives a negative zero to nobody', () => {
    const float = { kind: 'float' } as const
    for (const name of ['sum', 'mean', 'min', 'max', 'first', 'last', 'latest'] as const) {
      const value = valueOf(makeAggregation({ name, input: float }), [{ input: -0, order: { ts: 0, tie: 0 } }])
      assert.ok(Object.is(value, 0), name)
    }
    const lastK = makeAggregation({ name: 'lastK', input: float, k: 1 })
    assert.deepStrictEqual(valueOf(lastK, [{ input: -0, order: { ts: 0, tie: 0 } }]), [0])
  })

  test('can take back exactly when it is a count, a sum or moments, or an unbounded distinct count', () => {
    const removable = new Set(['count', 'sum', 'mean', 'variance', 'stddev'])
    for (const spec of allSpecs) {
      const expected = removable.has(spec.name) || (spec.name === 'distinctCount' && spec.cap === null)
      assert.equal(makeAggregation(spec).remove !== undefined, expected, describeSpec(spec))
      assert.equal(makeAggregation(spec).name, spec.name)
    }
  })

  test('is not made from a spec that no plan allows', () => {
    const input = { kind: 'int' } as const
    const wrong: readonly AggregationSpec[] = [
      { name: 'sum', input: { kind: 'string' } },
      { name: 'variance', input: { kind: 'string' }, of: 'sample' },
      { name: 'mean', input: { kind: 'decimal', scale: 16 } },
      { name: 'min', input: { kind: 'decimal', scale: -1 } },
      { name: 'lastK', input, k: 0 },
      { name: 'lastK', input, k: 1_001 },
      { name: 'distinctCount', input, cap: 0 },
    ]
    for (const spec of wrong) assert.throws(() => makeAggregation(spec), AssertionFailure, describeSpec(spec))
  })

  test('refuses bytes that are none of its states', () => {
    const input = { kind: 'int' } as const
    const cases: readonly (readonly [AggregationSpec, string])[] = [
      [{ name: 'count' }, ''],
      [{ name: 'min', input }, '02'],
      [{ name: 'max', input: { kind: 'boolean' } }, '0102'],
      [{ name: 'last', input }, '01000200'],
      [{ name: 'lastK', input, k: 1 }, '02'],
      [{ name: 'distinctCount', input, cap: null }, '0204010201'],
      [{ name: 'distinctCount', input, cap: null }, '010200'],
      [{ name: 'distinctCount', input, cap: 4 }, '00020404'],
    ]
    for (const [spec, hex] of cases) {
      const decode = (): unknown => makeAggregation(spec).decode(new ByteReader(Buffer.from(hex, 'hex')))
      assert.throws(decode, MalformedBytes, `${describeSpec(spec)} of ${hex}`)
    }
  })

  test('of ties of two kinds stops instead of guessing an order', () => {
    const last = makeAggregation({ name: 'last', input: { kind: 'int' } })
    const events = [1, 'a'].map((tie) => ({ input: 1, order: { ts: 5, tie } }))
    assert.throws(() => valueOf(last, events), AssertionFailure)
  })
})
