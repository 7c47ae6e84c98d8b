import { MillraceError } from '../../../base/faults.ts'
import { checkStoreKey } from '../check-key.ts'
import type { OnlineStore, StoreChange } from '../online-store.ts'

type Entry = readonly [key: Uint8Array, value: Uint8Array]

/** An online store that forgets everything when it is closed: for tests and for trying things out. */
export function openMemoryOnlineStore(): OnlineStore {
  return new MemoryOnlineStore()
}

class MemoryOnlineStore implements OnlineStore {
  /** In key order, and never changed in place: a write makes another array, so that a running `range` keeps its own. */
  #entries: readonly Entry[] = []
  #open = true

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen()
    checkStoreKey(key)
    const entry = this.#entries[lowerBound(this.#entries, key)]
    return entry !== undefined && Buffer.compare(entry[0], key) === 0 ? entry[1].slice() : undefined
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<Entry, void, undefined> {
    this.#checkOpen()
    const entries = this.#entries
    for (let index = lowerBound(entries, from); index < entries.length; index++) {
      const [key, value] = entries[index]!
      if (Buffer.compare(key, to) >= 0) return
      yield [key.slice(), value.slice()]
    }
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    this.#checkOpen()
    const copies = inKeyOrder(changes)
    // Not visible before the promise can have resolved, as on disk: who reads too early finds out in memory.
    await Promise.resolve()
    this.#entries = mergeEntries(this.#entries, copies)
  }

  async close(): Promise<void> {
    this.#open = false
    await Promise.resolve()
  }

  #checkOpen(): void {
    if (!this.#open) throw new MillraceError('STORE_CLOSED', {})
  }
}

/** Index of the first entry whose key is not below `key`. */
function lowerBound(entries: readonly Entry[], key: Uint8Array): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Buffer.compare(entries[middle]![0], key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Copies of the changes, sorted, the last one of each key only. */
function inKeyOrder(changes: readonly StoreChange[]): StoreChange[] {
  for (const [key] of changes) checkStoreKey(key)
  const sorted = changes.map(([key, value]): StoreChange => [key.slice(), value === null ? null : value.slice()])
  // The sort is stable: of changes to one key, the last written stays last.
  sorted.sort(([left], [right]) => Buffer.compare(left, right))
  return sorted.filter(([key], index) => {
    const next = sorted[index + 1]
    return next === undefined || Buffer.compare(key, next[0]) !== 0
  })
}

function mergeEntries(entries: readonly Entry[], changes: readonly StoreChange[]): Entry[] {
  const merged: Entry[] = []
  let index = 0
  for (const [key, value] of changes) {
    while (index < entries.length && Buffer.compare(entries[index]![0], key) < 0) merged.push(entries[index++]!)
    if (index < entries.length && Buffer.compare(entries[index]![0], key) === 0) index += 1
    if (value !== null) merged.push([key, value])
  }
  while (index < entries.length) merged.push(entries[index++]!)
  return merged
}
