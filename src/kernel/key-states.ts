import type { KernelEvent } from './event-columns.ts'
import { hashKey } from './fold-batch.ts'
import { KeyState } from './key-state.ts'
import type { ViewProgram } from './program.ts'
import { KeyIndex } from './slab/key-index.ts'
import { Slab } from './slab/slab.ts'

/** The states of a view, all of them in memory and none in a store: for who computes them anew. */
export class KeyStates {
  readonly #slab: Slab
  readonly #index: KeyIndex

  constructor(program: ViewProgram) {
    this.#slab = new Slab(program)
    this.#index = new KeyIndex(this.#slab)
  }

  get count(): number {
    return this.#index.count
  }

  /** Adds an accepted event, which was not added before. */
  apply(key: Uint8Array, event: KernelEvent): void {
    const hash = hashKey(key)
    let slot = this.#index.find(hash, key, 0, key.length)
    if (slot < 0) {
      slot = this.#slab.allocate(key)
      this.#index.add(hash, slot)
    }
    this.#slab.stage(event)
    this.#slab.apply(slot)
  }

  /** Every key, in the order in which they came. */
  *entries(): Generator<readonly [key: Uint8Array, state: KeyState], void, undefined> {
    for (let slot = 0; slot < this.#slab.slotsEnd; slot++) yield [this.#slab.key(slot), new KeyState(this.#slab, slot)]
  }
}
