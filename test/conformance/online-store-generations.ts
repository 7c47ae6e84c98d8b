// Run as a process, with the name and the folder of a store: writes one generation after another, without end, and
// prints the number of each that has been acknowledged. Whoever started it kills it at some point.

import assert from 'node:assert/strict'
import { writeSync } from 'node:fs'
import type { OnlineStore, StoreChange } from '../../src/store/online/online-store.ts'

const keyCountMax = 400

/** Every key of a generation carries its number; odd ones delete the upper half of the keys. */
function changesOf(generation: number): StoreChange[] {
  return Array.from({ length: keyCountMax }, (_, index) => {
    const size = index % 40 === 0 ? 20_000 : 60
    return [keyOf(index), index < sizeOf(generation) ? valueOf(generation, size) : null]
  })
}

function sizeOf(generation: number): number {
  return generation % 2 === 0 ? keyCountMax : keyCountMax / 2
}

function keyOf(index: number): Uint8Array {
  return Uint8Array.of(index >> 8, index)
}

function valueOf(generation: number, size: number): Uint8Array {
  const value = new Uint8Array(size).fill(generation)
  new DataView(value.buffer).setUint32(0, generation)
  return value
}

/** The one generation that the store holds, all of it and nothing else; -1 when it is empty. */
export function generationOf(store: OnlineStore): number {
  const entries = [...store.range(new Uint8Array(0), Uint8Array.of(0xff))]
  const first = entries[0]
  if (first === undefined) return -1
  const generation = new DataView(first[1].buffer, first[1].byteOffset).getUint32(0)
  assert.equal(entries.length, sizeOf(generation))
  for (const [key, value] of changesOf(generation)) {
    assert.deepEqual(store.get(key) ?? null, value)
  }
  return generation
}

if (import.meta.main) {
  const [name, folder] = process.argv.slice(2)
  const { openByName } = await import('./online-stores.ts')
  const store = await openByName(name!, folder!)
  for (let generation = generationOf(store) + 1; ; generation++) {
    await store.write(changesOf(generation))
    writeSync(1, `${generation}\n`)
  }
}
