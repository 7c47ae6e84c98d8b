import type { OnlineStore, StoreChange } from '../../store/online/online-store.ts'

/**
 * A part of a store under a name of its own, as a store. Sections of one store are written in one file, and are
 * emptied one by one. Closing one closes nothing.
 */
export class StoreSection implements OnlineStore {
  readonly #store: OnlineStore
  readonly #prefix: Uint8Array

  /** @param name holds no character of code 0. */
  constructor(store: OnlineStore, name: string) {
    this.#store = store
    this.#prefix = Buffer.from(`${name}\0`)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(this.#own(key))
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
    for (const [key, value] of this.#store.range(this.#own(from), this.#own(to))) {
      yield [key.subarray(this.#prefix.length), value]
    }
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    await this.#store.write(changes.map(([key, value]) => [this.#own(key), value] as const))
  }

  /** Deletes all that is in it, in several writes: what is begun must be begun again after a crash. */
  async clear(): Promise<void> {
    for (;;) {
      const changes: StoreChange[] = []
      for (const [key] of this.#store.range(this.#prefix, this.#end())) {
        changes.push([Uint8Array.from(key), null])
        if (changes.length === clearedAtOnce) break
      }
      if (changes.length === 0) return
      await this.#store.write(changes)
    }
  }

  async close(): Promise<void> {}

  #own(key: Uint8Array): Uint8Array {
    const made = new Uint8Array(this.#prefix.length + key.length)
    made.set(this.#prefix)
    made.set(key, this.#prefix.length)
    return made
  }

  #end(): Uint8Array {
    const end = Uint8Array.from(this.#prefix)
    end[end.length - 1] = 1
    return end
  }
}

const clearedAtOnce = 10_000
