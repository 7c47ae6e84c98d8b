import type { KernelEvent } from '../kernel/event-columns.ts'
import { applyEvent, type KeyState, makeKeyState } from '../kernel/key-state.ts'
import { decodeState, encodeState } from '../kernel/state-codec.ts'
import type { ViewPlan } from '../plan/plan.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { stateKey } from './store-keys.ts'

/** Without a state: the key was forgotten, and the store has yet to hear of it. */
type Entry = { state: KeyState | null; readonly key: Uint8Array; dirty: boolean }

/**
 * The states of one view: those touched lately in memory, all others in the store. What changed since the last
 * checkpoint stays in memory until the next one has it.
 */
export class StateTable {
  readonly #view: ViewPlan
  readonly #store: OnlineStore
  readonly #keysMax: number
  readonly #entries = new Map<string, Entry>()
  readonly #dirty: Entry[] = []

  /** @param keysMax keys held in memory beyond those that changed since the last checkpoint. */
  constructor(view: ViewPlan, store: OnlineStore, keysMax: number) {
    this.#view = view
    this.#store = store
    this.#keysMax = keysMax
  }

  get dirtyCount(): number {
    return this.#dirty.length
  }

  get cachedCount(): number {
    return this.#entries.size
  }

  /** Null when no event of the key was ever applied. The state belongs to the table: copy it before changing it. */
  read(key: Uint8Array): KeyState | null {
    return this.#find(key, false)?.state ?? null
  }

  apply(key: Uint8Array, event: KernelEvent): void {
    let entry = this.#find(key, true)
    if (entry === null) {
      entry = { state: null, key, dirty: false }
      this.#entries.set(nameOfKey(key), entry)
    }
    entry.state ??= makeKeyState(this.#view.program)
    applyEvent(this.#view.program, entry.state, event)
    this.#touch(entry)
  }

  /** Drops a key's state; gives how many events had been applied to it. */
  forget(key: Uint8Array): number {
    const entry = this.#find(key, true)
    if (entry === null || entry.state === null) return 0
    const { applied } = entry.state
    entry.state = null
    this.#touch(entry)
    return applied
  }

  /** The states that changed since the last call, encoded as they are now. The caller makes them durable. */
  takeChanges(): StoreChange[] {
    const changes = this.#dirty.map((entry): StoreChange => {
      entry.dirty = false
      const { program, fingerprint } = this.#view
      return [stateKey(fingerprint, entry.key), entry.state === null ? null : encodeState(program, entry.state)]
    })
    this.#dirty.length = 0
    return changes
  }

  /** Forgets the longest-held states that the store has too. Call only when no checkpoint is being written. */
  evict(): void {
    let excess = this.#entries.size - this.#keysMax
    if (excess <= 0) return
    for (const [name, entry] of this.#entries) {
      if (entry.dirty) continue
      this.#entries.delete(name)
      excess -= 1
      if (excess <= 0) return
    }
  }

  #touch(entry: Entry): void {
    if (entry.dirty) return
    entry.dirty = true
    this.#dirty.push(entry)
  }

  #find(key: Uint8Array, keep: boolean): Entry | null {
    const name = nameOfKey(key)
    const cached = this.#entries.get(name)
    if (cached !== undefined) return cached
    const stored = this.#store.get(stateKey(this.#view.fingerprint, key))
    if (stored === undefined) return null
    const entry: Entry = { state: decodeState(this.#view.program, stored), key, dirty: false }
    // When the table is full a read leaves no trace: `evict` comes only with checkpoints, and those only with events.
    if (keep || this.#entries.size < this.#keysMax) this.#entries.set(name, entry)
    return entry
  }
}

/** One character per byte: a string that equals another exactly when the bytes do. */
function nameOfKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
