import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  bitLength,
  integerSquareRoot,
  roundDyadic,
  roundRatio,
  roundSquareRoot,
} from '../../../src/kernel/exact/rounding.ts'
import { lawOptions } from '../../base/law-options.ts'
import { assertNearest, assertNearestRoot, bitsOf } from './oracle.ts'

const mantissa = fc.oneof(
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }),
  // Just around half of the last bit.
  fc
    .tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n }), fc.integer({ min: 1, max: 90 }), fc.constantFrom(-1n, 0n, 1n))
    .map(([kept, dropped, off]) => (((kept << 1n) + 1n) << BigInt(dropped)) + off),
)
const denominator = fc.oneof(fc.bigInt({ min: 1n, max: 1000n }), fc.bigInt({ min: 1n, max: 2n ** 200n }))

describe('rounding to the nearest double', () => {
  test('of a binary fraction has no nearer neighbour', () => {
    const law = fc.property(mantissa, fc.integer({ min: -1500, max: 600 }), (value, exponent) => {
      const shift = BigInt(Math.abs(exponent))
      const ratio =
        exponent < 0 ? { numerator: value, denominator: 1n << shift } : { numerator: value << shift, denominator: 1n }
      assertNearest(roundDyadic(value, exponent), ratio)
    })
    fc.assert(law, lawOptions(3000))
  })

  test('of a fraction has no nearer neighbour', () => {
    const law = fc.property(mantissa, denominator, fc.integer({ min: 0, max: 1300 }), (numerator, divisor, shift) => {
      const ratio = { numerator, denominator: divisor << BigInt(shift) }
      assertNearest(roundRatio(ratio), ratio)
    })
    fc.assert(law, lawOptions(3000))
  })

  test('of a square root has no nearer neighbour', () => {
    const law = fc.property(mantissa, denominator, fc.integer({ min: 0, max: 2400 }), (numerator, divisor, shift) => {
      const ratio = { numerator: numerator < 0n ? -numerator : numerator, denominator: divisor << BigInt(shift) }
      assertNearestRoot(roundSquareRoot(ratio), ratio)
    })
    fc.assert(law, lawOptions(3000))
  })

  test('agrees with division and square root of doubles', () => {
    const law = fc.property(fc.maxSafeInteger(), fc.integer({ min: 1, max: 2 ** 31 }), (left, right) => {
      const ratio = { numerator: BigInt(left), denominator: BigInt(right) }
      assert.equal(roundRatio(ratio), left / right + 0)
      const whole = { numerator: BigInt(Math.abs(left)), denominator: 1n }
      assert.equal(roundSquareRoot(whole), Math.sqrt(Math.abs(left)))
    })
    fc.assert(law, lawOptions(3000))
  })

  test('gives every power of two exactly', () => {
    for (let exponent = -1074; exponent <= 1023; exponent++) {
      const bits = exponent < -1022 ? 1n << BigInt(exponent + 1074) : BigInt(exponent + 1023) << 52n
      assert.equal(bitsOf(roundDyadic(1n, exponent)), bits)
      assert.equal(bitsOf(roundDyadic(3n, exponent - 2)), bitsOf(0.75 * roundDyadic(1n, exponent)))
    }
  })

  test('breaks ties to even, below the smallest double too', () => {
    assert.equal(roundDyadic(2n ** 53n + 1n, 0), 2 ** 53)
    assert.equal(roundDyadic(2n ** 53n + 3n, 0), 2 ** 53 + 4)
    assert.equal(roundDyadic(1n, -1075), 0)
    assert.equal(roundDyadic(3n, -1076), Number.MIN_VALUE)
    assert.equal(roundDyadic(3n, -1075), 2 * Number.MIN_VALUE)
  })

  test('never gives a negative zero', () => {
    assert.ok(Object.is(roundDyadic(-1n, -1080), 0))
    assert.ok(Object.is(roundRatio({ numerator: -1n, denominator: 2n ** 1080n }), 0))
    assert.ok(Object.is(roundRatio({ numerator: 0n, denominator: 7n }), 0))
    assert.ok(Object.is(roundSquareRoot({ numerator: 0n, denominator: 7n }), 0))
  })

  test('goes to infinity half a last bit above the largest double', () => {
    const largest = BigInt(Number.MAX_VALUE)
    const halfBit = 2n ** 970n
    assert.equal(roundDyadic(largest + halfBit - 1n, 0), Number.MAX_VALUE)
    assert.equal(roundDyadic(largest + halfBit, 0), Number.POSITIVE_INFINITY)
    assert.equal(roundRatio({ numerator: -largest - halfBit, denominator: 1n }), Number.NEGATIVE_INFINITY)
  })
})

describe('integers', () => {
  test('have the bit length of their binary digits', () => {
    const law = fc.property(fc.bigInt({ min: 1n, max: 2n ** 200n }), (value) => {
      assert.equal(bitLength(value), value.toString(2).length)
    })
    fc.assert(law, lawOptions())
    assert.equal(bitLength(0n), 0)
  })

  test('have the largest square root whose square is not above them', () => {
    const law = fc.property(fc.bigInt({ min: 0n, max: 2n ** 250n }), fc.constantFrom(-1n, 0n, 1n), (value, off) => {
      for (const square of [value, value * value + off].filter((each) => each >= 0n)) {
        const root = integerSquareRoot(square)
        assert.ok(root * root <= square && (root + 1n) * (root + 1n) > square)
      }
    })
    fc.assert(law, lawOptions())
  })
})
