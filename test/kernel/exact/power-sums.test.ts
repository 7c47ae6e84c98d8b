import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, ByteWriter, MalformedBytes } from '../../../src/base/bytes.ts'
import { decodeDyadic } from '../../../src/kernel/exact/dyadic.ts'
import {
  floatPowerSums,
  makeIntegerPowerSums,
  type PowerSums,
  type PowerSumsState,
  varianceOf,
} from '../../../src/kernel/exact/power-sums.ts'
import { roundRatio, roundSquareRoot } from '../../../src/kernel/exact/rounding.ts'
import { lawOptions } from '../../base/law-options.ts'
import { anyFloat, assertNearest, assertNearestRoot, exactly, over, squaredDeviations } from './oracle.ts'

function stateOf<Sum>(sums: PowerSums<Sum>, inputs: readonly number[]): PowerSumsState<Sum> {
  const state = sums.zero()
  for (const input of inputs) sums.add(state, input)
  return state
}

function bytesOf<Sum>(sums: PowerSums<Sum>, state: PowerSumsState<Sum>): Uint8Array {
  const writer = new ByteWriter()
  sums.encode(state, writer)
  return writer.finish()
}

// The square of 2^510 is the largest whose variance is a double.
const moderate = anyFloat.filter((value) => Math.abs(value) <= 2 ** 500)
const close = fc.tuple(anyFloat, fc.integer({ min: 0, max: 5 })).map(([base, steps]) => base * (1 + steps * 2 ** -52))

describe('exact power sums', () => {
  test('of floats give the nearest double to the variance and to its root', () => {
    const inputs = fc.oneof(
      fc.array(moderate, { minLength: 2, maxLength: 6 }),
      fc.array(close, { minLength: 2, maxLength: 3 }),
    )
    const law = fc.property(inputs, fc.constantFrom<0 | 1>(0, 1), (values, lost) => {
      const variance = varianceOf(floatPowerSums, stateOf(floatPowerSums, values), lost)
      const expected = over(squaredDeviations(values.map(exactly)), BigInt(values.length - lost))
      if (roundRatio(variance) !== Number.POSITIVE_INFINITY) assertNearest(roundRatio(variance), expected)
      assertNearestRoot(roundSquareRoot(variance), expected)
    })
    fc.assert(law, lawOptions(500))
  })

  test('of scaled integers give the nearest double to the variance and to its root', () => {
    const inputs = fc.array(fc.oneof(fc.maxSafeInteger(), fc.integer()), { minLength: 2, maxLength: 8 })
    const law = fc.property(inputs, fc.integer({ min: 0, max: 9 }), (values, scale) => {
      const sums = makeIntegerPowerSums(scale)
      const variance = varianceOf(sums, stateOf(sums, values), 1)
      const exact = values.map((value) => ({ numerator: BigInt(value), denominator: 10n ** BigInt(scale) }))
      const expected = over(squaredDeviations(exact), BigInt(values.length - 1))
      assertNearest(roundRatio(variance), expected)
      assertNearestRoot(roundSquareRoot(variance), expected)
    })
    fc.assert(law, lawOptions(500))
  })

  test('take back what they added, to the last bit', () => {
    const law = fc.property(fc.array(anyFloat), fc.array(anyFloat), (kept, removed) => {
      const state = stateOf(floatPowerSums, [...removed, ...kept])
      for (const input of removed) floatPowerSums.remove(state, input)
      assert.deepEqual(bytesOf(floatPowerSums, state), bytesOf(floatPowerSums, stateOf(floatPowerSums, kept)))
    })
    fc.assert(law, lawOptions())
  })

  test('read back with the same bytes, the longest ones included', () => {
    const widest = stateOf(floatPowerSums, [2 ** 960, 5e-324, 1])
    const read = floatPowerSums.decode(new ByteReader(bytesOf(floatPowerSums, widest)))
    assert.deepEqual(bytesOf(floatPowerSums, read), bytesOf(floatPowerSums, widest))
  })

  test('refuse bytes that are no binary fraction', () => {
    // An even mantissa, and an exponent that would need a shift by gigabytes.
    for (const hex of ['0400', '02feffffffffffff1f']) {
      assert.throws(() => decodeDyadic(new ByteReader(Buffer.from(hex, 'hex'))), MalformedBytes)
    }
  })
})
