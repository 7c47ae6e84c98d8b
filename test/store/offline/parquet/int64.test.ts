import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { flooredQuotients, numbersOf } from '../../../../src/store/offline/parquet/int64.ts'
import { lawOptions } from '../../../base/law-options.ts'

const anyInteger = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }),
  fc.bigInt({ min: 0n, max: 4_102_444_800_000n }).map((ms) => ms * 1_000_000n - 1n),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, -(2n ** 53n), 2n ** 53n, -1n, 0n, 2n ** 32n, 2n ** 31n, -(2n ** 32n)),
)

function floored(value: bigint, divisor: bigint): bigint {
  const remainder = ((value % divisor) + divisor) % divisor
  return (value - remainder) / divisor
}

describe('64-bit integers as words', () => {
  test('safe integers become numbers and the others stay bigints', () => {
    const law = fc.property(fc.array(anyInteger), (values) => {
      const numbers = numbersOf(BigInt64Array.from(values))
      for (const [i, value] of values.entries()) {
        const safe = Number.isSafeInteger(Number(value)) && BigInt(Number(value)) === value
        assert.equal(numbers[i], safe ? Number(value) : value)
      }
    })
    fc.assert(law, lawOptions())
  })

  test('micro- and nanoseconds become milliseconds, floored exactly', () => {
    const law = fc.property(fc.array(anyInteger), fc.constantFrom(1_000, 1_000_000), (values, divisor) => {
      const quotients = flooredQuotients(BigInt64Array.from(values), divisor)
      for (const [i, value] of values.entries()) {
        const quotient = Number(floored(value, BigInt(divisor)))
        if (Number.isSafeInteger(quotient)) assert.equal(quotients[i], quotient)
      }
    })
    fc.assert(law, lawOptions())
  })
})
