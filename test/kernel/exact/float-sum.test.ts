import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AssertionFailure } from '../../../src/base/assert.ts'
import { ByteReader, ByteWriter, MalformedBytes } from '../../../src/base/bytes.ts'
import {
  addFloat,
  addFloatSum,
  decodeFloatSum,
  divideFloat,
  encodeFloatSum,
  type FloatSum,
  floatAbsMax,
  makeFloatSum,
  roundFloatSum,
} from '../../../src/kernel/exact/float-sum.ts'
import { lawOptions } from '../../base/law-options.ts'
import { anyFloat, assertNearest, cancelling, exactly, over, total } from './oracle.ts'

function sumOf(inputs: readonly number[]): FloatSum {
  const sum = makeFloatSum()
  for (const input of inputs) addFloat(sum, input)
  return sum
}

function bytesOf(sum: FloatSum): Uint8Array {
  const writer = new ByteWriter()
  encodeFloatSum(sum, writer)
  return writer.finish()
}

function partsOf({ parts, size }: FloatSum): number[] {
  return parts.slice(0, size)
}

const floats = fc.oneof(cancelling, fc.array(anyFloat, { maxLength: 20 }))

describe('an exact sum of floats', () => {
  test('is the nearest double to the sum of fractions', () => {
    const law = fc.property(floats, (inputs) => {
      assertNearest(roundFloatSum(sumOf(inputs)), total(inputs.map(exactly)))
    })
    fc.assert(law, lawOptions(5000))
  })

  test('loses nothing: its parts add up to the sum of fractions', () => {
    const law = fc.property(floats, (inputs) => {
      const parts = total(partsOf(sumOf(inputs)).map(exactly))
      const expected = total(inputs.map(exactly))
      assert.equal(parts.numerator * expected.denominator, expected.numerator * parts.denominator)
    })
    fc.assert(law, lawOptions(1000))
  })

  test('takes back what it added, to the last bit', () => {
    const law = fc.property(floats, floats, (kept, removed) => {
      const sum = sumOf([...removed, ...kept])
      for (const input of removed) addFloat(sum, -input)
      assert.deepEqual(bytesOf(sum), bytesOf(sumOf(kept)))
    })
    fc.assert(law, lawOptions(1000))
    assert.equal(sumOf([1e288, 5e-324, 0.1, -0.1, -5e-324, -1e288]).size, 0)
  })

  test('has the same bytes for any order and any split', () => {
    const shuffled = floats.chain((inputs) =>
      fc.tuple(fc.constant(inputs), fc.shuffledSubarray(inputs, { minLength: inputs.length }), fc.nat(inputs.length)),
    )
    const law = fc.property(shuffled, ([inputs, again, cut]) => {
      const merged = sumOf(again.slice(0, cut))
      const right = sumOf(again.slice(cut))
      const before = bytesOf(right)
      addFloatSum(merged, right)
      assert.deepEqual(bytesOf(merged), bytesOf(sumOf(inputs)))
      assert.deepEqual(bytesOf(right), before)
    })
    fc.assert(law, lawOptions(2000))
  })

  test('has the same bytes for equal sums of different values', () => {
    // Parts that share no bits and are not yet the greedy ones: 1 and 0.5 are the double 1.5.
    assert.deepEqual(bytesOf(sumOf([2 ** 60 + 256, 1, 0.5, -(2 ** 60), -256])), bytesOf(sumOf([1.5])))
    assert.deepEqual(bytesOf({ parts: [0.5, 1], size: 2 }), bytesOf(sumOf([1.5])))
    const split = fc.tuple(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), fc.integer({ min: -70, max: 70 }))
    const law = fc.property(fc.array(split, { maxLength: 8 }), (pairs) => {
      const whole = pairs.map(([units, exponent]) => units * 2 ** exponent)
      const pieces = pairs.flatMap(([units, exponent]) => {
        const low = units % 1024
        return [low * 2 ** exponent, (units - low) * 2 ** exponent]
      })
      assert.deepEqual(bytesOf(sumOf(pieces)), bytesOf(sumOf(whole)))
    })
    fc.assert(law, lawOptions(1000))
  })

  test('reads back with the same value and bytes, and can be added to', () => {
    const law = fc.property(floats, floats, (before, after) => {
      const read = decodeFloatSum(new ByteReader(bytesOf(sumOf(before))))
      assert.deepEqual(bytesOf(read), bytesOf(sumOf(before)))
      for (const input of after) addFloat(read, input)
      assert.deepEqual(bytesOf(read), bytesOf(sumOf([...before, ...after])))
    })
    fc.assert(law, lawOptions(2000))
  })

  test('divides by a count with one rounding', () => {
    const law = fc.property(floats, fc.integer({ min: 1, max: 2 ** 40 }), (inputs, count) => {
      assertNearest(divideFloat(sumOf(inputs), count), over(total(inputs.map(exactly)), BigInt(count)))
    })
    fc.assert(law, lawOptions(3000))
  })

  test('breaks a tie by what lies far below it', () => {
    const half = 2 ** 53 + 2
    assert.equal(roundFloatSum(sumOf([half, 1])), half + 2)
    assert.equal(roundFloatSum(sumOf([half, 1, -1e-300])), half)
    assert.equal(roundFloatSum(sumOf([2 ** 53, 1])), 2 ** 53)
    assert.equal(roundFloatSum(sumOf([2 ** 53, 1, 1e-300])), 2 ** 53 + 2)
    assert.equal(roundFloatSum(sumOf([-(2 ** 53), -1, -5e-324])), -(2 ** 53) - 2)
  })

  test('survives cancellation, subnormals and a mean that underflows', () => {
    assert.equal(roundFloatSum(sumOf([1e288, 1, -1e288])), 1)
    assert.equal(roundFloatSum(sumOf(Array.from({ length: 10 }, () => 0.1))), 1)
    assert.equal(roundFloatSum(sumOf([5e-324, 5e-324])), 1e-323)
    assert.ok(Object.is(divideFloat(sumOf([-5e-324]), 3), 0))
    assert.ok(Object.is(roundFloatSum(sumOf([-0, -0])), 0))
  })

  test('does not overflow when the largest values meet', () => {
    const sum = sumOf(Array.from({ length: 1000 }, () => floatAbsMax))
    assert.equal(roundFloatSum(sum), 1000 * floatAbsMax)
    assert.equal(divideFloat(sum, 1000), floatAbsMax)
  })

  test('refuses what could overflow', () => {
    for (const value of [floatAbsMax * 2, -floatAbsMax * 2, Number.POSITIVE_INFINITY, Number.NaN]) {
      assert.throws(() => sumOf([value]), AssertionFailure)
    }
  })

  test('refuses bytes that are no sum', () => {
    const write = (parts: readonly number[]): Uint8Array => {
      const writer = new ByteWriter()
      writer.varint(parts.length)
      for (const part of parts) writer.f64(part)
      return writer.finish()
    }
    for (const parts of [[0], [Number.NaN], [Number.POSITIVE_INFINITY], [1, 0.5], [1, 2 ** -53, 2 ** -54]]) {
      assert.throws(() => decodeFloatSum(new ByteReader(write(parts))), MalformedBytes, String(parts))
    }
    assert.throws(() => decodeFloatSum(new ByteReader(write([1]).subarray(0, 8))), MalformedBytes)
  })
})
