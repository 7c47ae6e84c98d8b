import { hashKey } from '../fold-batch.ts'
import type { Slab } from './slab.ts'

const sizeMin = 16

/**
 * Finds a key's slot in a slab. Open addressing with linear probing: pairs of (slot + 1, hash), an empty place is 0,
 * at most three quarters are taken. A hash that is equal is only a reason to compare the keys.
 */
export class KeyIndex {
  readonly #slab: Slab
  #pairs = new Int32Array(2 * sizeMin)
  #mask = sizeMin - 1
  #count = 0

  constructor(slab: Slab) {
    this.#slab = slab
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#pairs.length * 4
  }

  /** The slot of a key of this hash, as far as the place tells where it is looked for first; -1: probably none. */
  guess(hash: number): number {
    return this.#pairs[2 * (hash & this.#mask)]! - 1
  }

  /** The slot of the key in `[start, end)` of the bytes; -1 without one. `hash` is `hashKey` of the same. */
  find(hash: number, key: Uint8Array, start: number, end: number): number {
    const pairs = this.#pairs
    const mask = this.#mask
    const own = hash | 0
    for (let place = own & mask; ; place = (place + 1) & mask) {
      const taken = pairs[2 * place]!
      if (taken === 0) return -1
      if (pairs[2 * place + 1] === own && this.#slab.hasKey(taken - 1, key, start, end)) return taken - 1
    }
  }

  /** Adds a slot whose key is not there. */
  add(hash: number, slot: number): void {
    if ((this.#count + 1) * 4 > (this.#mask + 1) * 3) this.#resize(2 * (this.#mask + 1))
    this.#put(slot + 1, hash | 0)
    this.#count += 1
  }

  /** Takes a slot out that is there. */
  remove(slot: number): void {
    const pairs = this.#pairs
    const mask = this.#mask
    let place = hashKey(this.#slab.key(slot)) & mask
    while (pairs[2 * place] !== slot + 1) place = (place + 1) & mask
    // Whoever was pushed behind this place moves up, so that no probe ends early.
    for (let next = (place + 1) & mask; pairs[2 * next] !== 0; next = (next + 1) & mask) {
      const home = pairs[2 * next + 1]! & mask
      if (((next - home) & mask) < ((next - place) & mask)) continue
      pairs[2 * place] = pairs[2 * next]!
      pairs[2 * place + 1] = pairs[2 * next + 1]!
      place = next
    }
    pairs[2 * place] = 0
    this.#count -= 1
  }

  #put(taken: number, hash: number): void {
    let place = hash & this.#mask
    while (this.#pairs[2 * place] !== 0) place = (place + 1) & this.#mask
    this.#pairs[2 * place] = taken
    this.#pairs[2 * place + 1] = hash
  }

  #resize(size: number): void {
    const before = this.#pairs
    this.#pairs = new Int32Array(2 * size)
    this.#mask = size - 1
    for (let index = 0; index < before.length; index += 2) {
      if (before[index] !== 0) this.#put(before[index]!, before[index + 1]!)
    }
  }
}
