import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashKey } from '../../../src/kernel/fold-batch.ts'
import { KeyIndex } from '../../../src/kernel/slab/key-index.ts'
import { Slab } from '../../../src/kernel/slab/slab.ts'
import { lawOptions } from '../../base/law-options.ts'
import { makeProgram } from '../programs.ts'

const program = makeProgram({
  columns: [],
  windows: [{ lengthMs: 10, offsetMs: 0 }],
  slots: [{ spec: { name: 'count' }, window: 0 }],
  horizonMs: 0,
})

/** Short and long ones; some share a beginning with the next. */
const keyOf = (number: number): Uint8Array => Buffer.from(`${'k'.repeat(number % 40)}${number}`)

function check(deeds: readonly { readonly number: number; readonly add: boolean }[]): void {
  const slab = new Slab(program)
  const index = new KeyIndex(slab)
  const slots = new Map<number, number>()
  for (const { number, add } of deeds) {
    const key = keyOf(number)
    const known = slots.get(number)
    if (add && known === undefined) {
      const slot = slab.allocate(Buffer.concat([Uint8Array.of(1), key, Uint8Array.of(2)]), 1, key.length + 1)
      assert.deepEqual(Buffer.from(slab.key(slot)), key)
      index.add(hashKey(key), slot)
      slots.set(number, slot)
    } else if (!add && known !== undefined) {
      index.remove(known)
      slab.release(known)
      slots.delete(number)
    }
    assert.equal(index.count, slots.size)
  }
  for (let number = 0; number < 120; number++) {
    const key = keyOf(number)
    assert.equal(index.find(hashKey(key), key, 0, key.length), slots.get(number) ?? -1)
  }
}

test('each key is found, and none that was taken out', () => {
  const deeds = fc.array(fc.record({ number: fc.nat(119), add: fc.boolean() }), { maxLength: 400, size: 'max' })
  fc.assert(fc.property(deeds, check), lawOptions())
})

test('keys of one hash stay apart', () => {
  const slab = new Slab(program)
  const index = new KeyIndex(slab)
  const slots = Array.from({ length: 40 }, (_, number) => slab.allocate(keyOf(number)))
  for (const slot of slots) index.add(5, slot)
  for (const [number, slot] of slots.entries()) {
    assert.equal(index.find(5, keyOf(number), 0, keyOf(number).length), slot)
  }
  assert.equal(index.find(5, keyOf(41), 0, keyOf(41).length), -1)
})
