import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { murmur2 } from '../../../src/base/murmur2.ts'
import { EventText } from '../../../src/schema/projector/event-text.ts'
import { lawOptions } from '../../base/law-options.ts'

test('an event hashes to what its bytes hash to, whatever was there before', () => {
  const text = new EventText()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat({ max: 3 }), (bytes, from) => {
      const raw = bytes.subarray(Math.min(from, bytes.length))
      text.load(raw)
      assert.equal(text.hash(), murmur2(raw))
    }),
    lawOptions(2_000),
  )
})

test('only UTF-8 is loaded, and slices are its characters', () => {
  const text = new EventText()
  assert.equal(text.load(Buffer.from('abc')), true)
  assert.equal(text.slice(1, 3), 'bc')
  assert.equal(text.load(Buffer.from('aéc')), true)
  assert.equal(text.slice(1, 3), 'é')
  assert.equal(text.load(Uint8Array.of(0x61, 0xe9, 0x63)), false)
})
