import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, ByteWriter, MalformedBytes } from '../../../src/base/bytes.ts'
import { readInteger, writeInteger } from '../../../src/kernel/exact/integer-codec.ts'
import {
  addInteger,
  addIntegerSum,
  addWideInteger,
  decodeIntegerSum,
  divideInteger,
  encodeIntegerSum,
  type IntegerSum,
  integerOf,
  makeIntegerSum,
} from '../../../src/kernel/exact/integer-sum.ts'
import { lawOptions } from '../../base/law-options.ts'
import { assertNearest } from './oracle.ts'

const safeMax = Number.MAX_SAFE_INTEGER
const value = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(safeMax, -safeMax, safeMax - 1, 1, -1))
const values = fc.array(value, { maxLength: 30 })

function sumOf(inputs: readonly number[]): IntegerSum {
  const sum = makeIntegerSum()
  for (const input of inputs) addInteger(sum, input)
  return sum
}

function exactSum(inputs: readonly number[]): bigint {
  return inputs.reduce((sum, input) => sum + BigInt(input), 0n)
}

describe('an exact sum of integers', () => {
  test('is the sum of bigints, and a number exactly while it is safe', () => {
    const law = fc.property(values, values, (left, right) => {
      const sum = sumOf(left)
      addIntegerSum(sum, sumOf(right))
      const expected = exactSum([...left, ...right])
      assert.equal(integerOf(sum), expected)
      assert.equal(sum.wide === null, expected >= -safeMax && expected <= safeMax)
      assert.ok(sum.wide === null || sum.small === 0)
    })
    fc.assert(law, lawOptions())
  })

  test('comes back from beyond the safe range', () => {
    const sum = sumOf([safeMax, 1])
    assert.deepEqual(sum, { small: 0, wide: 2n ** 53n })
    addInteger(sum, -2)
    assert.deepEqual(sum, { small: safeMax - 1, wide: null })
    addWideInteger(sum, 2n ** 80n)
    addWideInteger(sum, -(2n ** 80n))
    assert.deepEqual(sum, { small: safeMax - 1, wide: null })
  })

  test('divides with one rounding, by counts and scales of any size', () => {
    const divisors = fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 0, max: 15 }))
    const law = fc.property(values, divisors, (inputs, [count, scale]) => {
      const ratio = { numerator: exactSum(inputs), denominator: BigInt(count) * 10n ** BigInt(scale) }
      assertNearest(divideInteger(sumOf(inputs), count, scale), ratio)
    })
    fc.assert(law, lawOptions(2000))
  })

  test('reads back as itself', () => {
    const law = fc.property(values, (inputs) => {
      const sum = sumOf(inputs)
      const writer = new ByteWriter()
      encodeIntegerSum(sum, writer)
      assert.deepEqual(decodeIntegerSum(new ByteReader(writer.finish())), sum)
    })
    fc.assert(law, lawOptions())
  })
})

describe('an integer in bytes', () => {
  test('has the same bytes as a number and as a bigint, and reads back as the narrower', () => {
    const law = fc.property(value, fc.bigInt({ min: -(2n ** 3000n), max: 2n ** 3000n }), (safe, large) => {
      const asNumber = new ByteWriter()
      const asBigint = new ByteWriter()
      writeInteger(asNumber, safe)
      writeInteger(asBigint, BigInt(safe))
      assert.deepEqual(asNumber.finish(), asBigint.finish())
      assert.equal(readInteger(new ByteReader(asNumber.finish())), safe)
      asBigint.reset()
      writeInteger(asBigint, large)
      const read = readInteger(new ByteReader(asBigint.finish()))
      assert.equal(BigInt(read), large)
      assert.equal(typeof read === 'number', large >= -safeMax && large <= safeMax)
    })
    fc.assert(law, lawOptions())
  })

  test('is refused when longer than it has to be, or than it may be', () => {
    for (const hex of ['8000', '80808080808080808000', 'ff'.repeat(700), 'ffff']) {
      assert.throws(() => readInteger(new ByteReader(Buffer.from(hex, 'hex'))), MalformedBytes, hex)
    }
  })
})
