import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { KernelEvent } from '../kernel/event-columns.ts'
import { type FoldBatch, hashKey } from '../kernel/fold-batch.ts'
import { KeyState } from '../kernel/key-state.ts'
import { PageCache, pageCacheBytes } from '../kernel/paged/page-cache.ts'
import type { PageSource } from '../kernel/paged/span-store.ts'
import { KeyIndex } from '../kernel/slab/key-index.ts'
import { Slab } from '../kernel/slab/slab.ts'
import { decodeState, readState, writeState } from '../kernel/state-codec.ts'
import type { ViewPlan } from '../plan/plan.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { hasStates, makeStateKey, pageKey, pageSource } from './store-keys.ts'

// What the table knows of a slot.
/** It changed since the last checkpoint. */
const flagDirty = 1
/** The key was forgotten, and the store has yet to hear of it: there is no state. */
const flagForgotten = 2
/** It was used since eviction last came by. */
const flagUsed = 4

/** Memory for the states of one view, besides pages and those that changed since the last checkpoint. */
export const stateBytesMax: number = 512 * 1024 * 1024

/** Events whose places in memory are touched together: what they touch fits a core's own cache. */
const groupSize = 256

/** What a table holds in memory beyond what changed since the last checkpoint. */
export type TableLimits = {
  readonly keysMax: number
  /** Default: `stateBytesMax`. */
  readonly bytesMax?: number
}

/**
 * The states of one view: those touched lately in memory, all others in the store. What changed since the last
 * checkpoint stays in memory until the next one has it.
 */
export class StateTable {
  readonly #view: ViewPlan
  readonly #store: OnlineStore
  readonly #stateKey: (key: Uint8Array) => Uint8Array
  readonly #keysMax: number
  readonly #bytesMax: number
  readonly #slab: Slab
  readonly #index: KeyIndex
  readonly #pages = new PageCache(pageCacheBytes)
  readonly #writer = new ByteWriter(1024)
  /** By slot. */
  #flags = new Uint8Array(16)
  #dirty = new Int32Array(16)
  #dirtyCount = 0
  /** Of the events of a group. */
  readonly #slots = new Int32Array(groupSize)
  /** Of no meaning, but somebody has to want what is touched. */
  #touched = 0
  /** Where eviction goes on. */
  #hand = 0
  /** False: a key that is not in memory is nowhere. */
  #storeHasMore: boolean

  constructor(view: ViewPlan, store: OnlineStore, { keysMax, bytesMax = stateBytesMax }: TableLimits) {
    this.#view = view
    this.#store = store
    this.#stateKey = makeStateKey(view.fingerprint)
    this.#keysMax = keysMax
    this.#bytesMax = bytesMax
    this.#slab = new Slab(view.program, (key) => this.#pagesOf(key))
    this.#index = new KeyIndex(this.#slab)
    this.#storeHasMore = hasStates(store, view.fingerprint)
  }

  /** Keys that changed, and pages of keys that have many events. */
  get dirtyCount(): number {
    return this.#dirtyCount + this.#pages.changed
  }

  get cachedCount(): number {
    return this.#index.count
  }

  /** Bytes of memory, lifetime aggregates left out. */
  get bytes(): number {
    const own = this.#index.bytes + this.#flags.length + this.#dirty.byteLength + this.#slots.byteLength
    return this.#slab.bytes + this.#pages.bytes + own
  }

  /** Of these, what states take now: what the limit is about. The rest is kept for those that come. */
  get usedBytes(): number {
    return this.#slab.usedBytes
  }

  /**
   * Null when no event of the key was ever applied. The state belongs to the table, which may let it go at the next
   * checkpoint.
   */
  read(key: Uint8Array): KeyState | null {
    const hash = hashKey(key)
    let slot = this.#index.find(hash, key, 0, key.length)
    if (slot < 0) {
      const stored = this.#stored(key)
      if (stored === undefined) return null
      // When the table is full a read leaves no trace: `evict` comes only with checkpoints, and those only with events.
      if (this.#isFull(0)) return decodeState(this.#view.program, stored, this.#pagesOf(key))
      slot = this.#load(hash, key, stored)
    }
    this.#flags[slot]! |= flagUsed
    return (this.#flags[slot]! & flagForgotten) === 0 ? new KeyState(this.#slab, slot) : null
  }

  apply(key: Uint8Array, event: KernelEvent): void {
    const slot = this.#slotOf(hashKey(key), key, 0, key.length)
    this.#slab.stage(event)
    this.#slab.apply(slot)
    this.#touch(slot, 0)
  }

  /** Adds accepted events, in any order: the same as `apply` one by one. */
  applyBatch(batch: FoldBatch): void {
    for (let from = 0; from < batch.size; from += groupSize) {
      this.#applyGroup(batch, from, Math.min(from + groupSize, batch.size))
    }
  }

  /**
   * An event needs places of memory that no cache holds, each known only from the one before: in the index, in its
   * key's head, in its rows. So one kind of place after the other is touched for all events of a group before it is
   * needed, and the processor waits for many of them at once instead of for each.
   */
  #applyGroup(batch: FoldBatch, from: number, to: number): void {
    const { keyBytes, keyStarts, keyHashes } = batch
    const slots = this.#slots
    const index = this.#index
    const slab = this.#slab
    for (let event = from; event < to; event++) slots[event - from] = index.guess(keyHashes[event]!)
    let touched = this.#touched
    for (let event = 0; event < to - from; event++) touched ^= slab.touchHead(slots[event]!)
    for (let event = from; event < to; event++) {
      slots[event - from] = this.#slotOf(keyHashes[event]!, keyBytes, keyStarts[event]!, keyStarts[event + 1]!)
    }
    for (let event = 0; event < to - from; event++) touched ^= slab.touchRows(slots[event]!)
    this.#touched = touched
    for (let event = from; event < to; event++) {
      const slot = slots[event - from]!
      slab.stageOf(batch, event)
      slab.apply(slot)
      this.#touch(slot, 0)
    }
  }

  /** Drops a key's state; gives how many events had been applied to it. */
  forget(key: Uint8Array): number {
    const hash = hashKey(key)
    let slot = this.#index.find(hash, key, 0, key.length)
    if (slot < 0) {
      const stored = this.#stored(key)
      if (stored === undefined) return 0
      slot = this.#load(hash, key, stored)
    }
    if ((this.#flags[slot]! & flagForgotten) !== 0) return 0
    const applied = this.#slab.applied(slot)
    this.#slab.forget(slot)
    this.#touch(slot, flagForgotten)
    return applied
  }

  /** The states that changed since the last call, encoded as they are now. The caller makes them durable. */
  takeChanges(): StoreChange[] {
    const changes: StoreChange[] = []
    for (let index = 0; index < this.#dirtyCount; index++) {
      const slot = this.#dirty[index]!
      this.#flags[slot]! &= ~flagDirty
      const key = this.#stateKey(this.#slab.key(slot))
      changes.push([key, (this.#flags[slot]! & flagForgotten) === 0 ? this.#encode(slot) : null])
      for (const [name, bytes] of this.#slab.takePageChanges(slot)) changes.push([pageKey(key, name), bytes])
    }
    this.#dirtyCount = 0
    this.#pages.changed = 0
    return changes
  }

  /**
   * Lets go of states that the store has too: those that were not used since eviction last came by them. Call only
   * when no checkpoint is being written.
   */
  evict(): void {
    this.#slab.releasePages()
    const { slotsEnd } = this.#slab
    // In two rounds every state that may go was found unused.
    for (let steps = 2 * slotsEnd; steps > 0 && this.#isFull(1); steps--) {
      const slot = this.#hand < slotsEnd ? this.#hand : 0
      this.#hand = slot + 1
      if (!this.#slab.holds(slot)) continue
      const flags = this.#flags[slot]!
      if ((flags & flagDirty) !== 0) continue
      if ((flags & flagUsed) === 0) this.#letGo(slot)
      else this.#flags[slot] = flags & ~flagUsed
    }
  }

  /** Whether it holds all it may, or by `over` keys more. */
  #isFull(over: 0 | 1): boolean {
    return this.#index.count >= this.#keysMax + over || this.usedBytes > this.#bytesMax
  }

  #letGo(slot: number): void {
    this.#index.remove(slot)
    this.#slab.release(slot)
    this.#storeHasMore = true
  }

  /** The slot of a key that will have a state. */
  #slotOf(hash: number, key: Uint8Array, start: number, end: number): number {
    const slot = this.#index.find(hash, key, start, end)
    if (slot >= 0) return slot
    const own = key.subarray(start, end)
    const stored = this.#stored(own)
    return stored === undefined ? this.#put(hash, this.#slab.allocate(own)) : this.#load(hash, own, stored)
  }

  #pagesOf(key: Uint8Array): PageSource {
    return pageSource(this.#store, this.#stateKey(key), this.#pages)
  }

  #stored(key: Uint8Array): Uint8Array | undefined {
    return this.#storeHasMore ? this.#store.get(this.#stateKey(key)) : undefined
  }

  #load(hash: number, key: Uint8Array, stored: Uint8Array): number {
    const slot = this.#slab.allocate(key)
    try {
      readState(this.#slab, slot, new ByteReader(stored))
    } catch (error) {
      this.#slab.release(slot)
      throw error
    }
    return this.#put(hash, slot)
  }

  #put(hash: number, slot: number): number {
    this.#index.add(hash, slot)
    if (slot >= this.#flags.length) {
      // A slot is dirty once at most, so there is room for all of them.
      const [flags, dirty] = [new Uint8Array(this.#flags.length * 2), new Int32Array(this.#flags.length * 2)]
      flags.set(this.#flags)
      dirty.set(this.#dirty)
      this.#flags = flags
      this.#dirty = dirty
    }
    this.#flags[slot] = 0
    return slot
  }

  #encode(slot: number): Uint8Array {
    this.#writer.reset()
    writeState(this.#slab, slot, this.#writer)
    return this.#writer.finish()
  }

  #touch(slot: number, forgotten: 0 | typeof flagForgotten): void {
    if ((this.#flags[slot]! & flagDirty) === 0) this.#dirty[this.#dirtyCount++] = slot
    this.#flags[slot] = flagDirty | flagUsed | forgotten
  }
}
