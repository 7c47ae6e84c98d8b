import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { JsonBytes, type JsonValue } from '../../src/base/json-bytes.ts'

// Goal: the bytes are those of JSON.stringify, for every value and whatever was written before.
// Method: numbers around every rule that prints them; random texts, lone surrogates included; random lists.

const json = new JsonBytes(1)

function written(value: JsonValue): string {
  json.reset()
  json.value(value)
  const bytes = json.finish()
  assert.equal(json.finishLatin1(), bytes.toString('latin1'))
  return bytes.toString()
}

const agrees = (value: JsonValue): void => assert.equal(written(value), JSON.stringify(value))

describe('numbers', () => {
  test('whole numbers and amounts around every power of ten and of two', () => {
    const numbers: number[] = [
      0, -0, 0.1, 0.01, 0.001, 1e-6, 1e-7, 1e21, 1e22, 123456789012.34, 21474836.47, 21474836.48,
    ]
    for (let power = 0; power < 60; power++) {
      for (const base of [2 ** power, 10 ** (power % 24)]) {
        for (const offset of [-1, -0.99, -0.5, -0.01, 0, 0.01, 0.07, 0.1, 0.125, 0.5, 0.99, 1])
          numbers.push(base + offset)
      }
    }
    numbers.push(Number.MAX_VALUE, Number.MIN_VALUE, 2.2250738585072014e-308, Number.MAX_SAFE_INTEGER, 2 ** 960)
    numbers.push(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
    for (const number of numbers) {
      agrees(number)
      agrees(-number)
    }
  })

  test('every amount of two digits up to a thousand, and the numbers beside it', () => {
    const [bits, double] = [new BigInt64Array(1), new Float64Array(1)]
    const view = new BigInt64Array(double.buffer)
    for (let hundredths = 1; hundredths <= 100_000; hundredths++) {
      double[0] = hundredths / 100
      agrees(double[0])
      bits[0] = view[0]!
      for (const step of [-1n, 1n]) {
        view[0] = bits[0]! + step
        agrees(double[0])
      }
    }
  })

  test('any double', () => {
    fc.assert(fc.property(fc.double(), agrees), { numRuns: 20_000 })
  })
})

test('any text, with lone surrogates, controls and all planes', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), agrees), { numRuns: 3_000 })
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff), { maxLength: 100 }).map((units) => String.fromCharCode(...units)),
      agrees,
    ),
  )
  for (let unit = 0; unit < 0x300; unit++) agrees(`a${String.fromCharCode(unit)}b`)
})

test('lists in lists, and what does not fit into the memory that is there', () => {
  const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 6 }),
    ),
  }))
  fc.assert(fc.property(value, agrees), { numRuns: 3_000 })
  agrees(Array.from({ length: 5_000 }, (_, index) => index / 7))
  agrees('x'.repeat(100_000))
})

test('what was taken stays as it is when the memory is used again', () => {
  json.reset()
  json.text('first')
  const [bytes, latin1] = [json.finish(), json.finishLatin1()]
  json.reset()
  json.text('other')
  assert.equal(bytes.toString(), '"first"')
  assert.equal(latin1, '"first"')
})
