import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { compareStrings } from '../../src/base/compare.ts'
import { lawOptions } from './law-options.ts'

const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 6 })
const characters = fc.string({
  unit: fc.constantFrom('a', '\ud7ff', '\ue000', '\uffff', '😀', '😁', '\u{10ffff}'),
  maxLength: 5,
})
const units = fc
  .array(fc.constantFrom(0x61, 0xd83d, 0xd83e, 0xde00, 0xde01, 0xe000, 0xffff), { maxLength: 5 })
  .map((list) => String.fromCharCode(...list))
const anyString = fc.oneof(ascii, characters, units)

function byCodePoint(left: string, right: string): number {
  const a = Array.from(left, (character) => character.codePointAt(0)!)
  const b = Array.from(right, (character) => character.codePointAt(0)!)
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    if (a[index] !== b[index]) return Math.sign(a[index]! - b[index]!)
  }
  return Math.sign(a.length - b.length)
}

describe('the order of strings', () => {
  test('is by code point, not by UTF-16 unit', () => {
    const byUnit = ['😀', '\uffff'].sort()
    assert.deepEqual(byUnit.toSorted(compareStrings), byUnit.toReversed())
  })

  test('agrees with a comparison of code points one by one', () => {
    const law = fc.property(anyString, anyString, (left, right) => {
      assert.equal(Math.sign(compareStrings(left, right)), byCodePoint(left, right))
    })
    fc.assert(law, lawOptions(5000))
  })

  test('agrees with the order of UTF-8 bytes', () => {
    const law = fc.property(fc.oneof(ascii, characters), fc.oneof(ascii, characters), (left, right) => {
      assert.equal(Math.sign(compareStrings(left, right)), Buffer.compare(Buffer.from(left), Buffer.from(right)))
    })
    fc.assert(law, lawOptions(5000))
  })
})
