// Goal: a pseudonym is what the field of the key decodes, and no value of a real key's kind that is kept in clear.
// Method: random hashes for every kind of field, through the decoder of events.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { pseudonymOf } from '../../../src/app/compact/pseudonym.ts'
import { sha256 } from '../../../src/base/hash.ts'
import { makeValueParser } from '../../../src/schema/decode.ts'
import { boolean, decimal, type Field, float, int, string, timestamp } from '../../../src/schema/field.ts'
import { lawOptions } from '../../base/law-options.ts'

const hashes = fc.string().map((text) => sha256(Buffer.from(text)))

describe('a pseudonym', () => {
  const decimals = Array.from({ length: 10 }, (_, scale): [string, Field] => [`decimal(${scale})`, decimal(scale)])
  for (const [name, field] of [['int', int()], ['float', float()], ...decimals] as [string, Field][]) {
    test(`of a key of kind ${name} is a negative number that decodes, as a number and as text alike`, () => {
      fc.assert(
        fc.property(hashes, (hash) => {
          const number = pseudonymOf(field, hash, 7)
          const parsed = makeValueParser(field)(JSON.parse(JSON.stringify(number)))
          assert.ok(typeof parsed === 'number' && parsed < 0, String(number))
          const text = pseudonymOf(field, hash, '7')
          if (field.kind === 'decimal') assert.equal(makeValueParser(field)(text), parsed)
          else assert.equal(text, number)
        }),
        lawOptions(),
      )
    })
  }

  test('of text is text with 16 digits of the hash', () => {
    assert.match(pseudonymOf(string(), sha256(Buffer.from('a')), 'a') as string, /^forgotten-[0-9a-f]{16}$/)
  })

  test('of one hash is always the same, and of others others', () => {
    for (const field of [string(), int(), float(), decimal(2)]) {
      const made = Array.from({ length: 1_000 }, (_, index) => pseudonymOf(field, sha256(Buffer.from(`${index}`)), 7))
      assert.equal(new Set(made).size, 1_000)
      assert.deepEqual(pseudonymOf(field, sha256(Buffer.from('3')), 7), made[3])
    }
  })

  test('does not exist of booleans and instants', () => {
    for (const field of [boolean(), timestamp()]) assert.equal(pseudonymOf(field, sha256(Buffer.from('a')), true), null)
  })
})
