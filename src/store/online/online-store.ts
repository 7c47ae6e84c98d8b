/**
 * Point reads by key, and one atomic durable write at a time: what a checkpoint needs.
 *
 * Keys are compared as bytes. A reader in the same process sees a `write` as soon as it resolves, wholly or not at
 * all; after a crash either all of a write is there or nothing of it.
 */
export interface OnlineStore {
  get(key: Uint8Array): Uint8Array | undefined

  /** Entries with `from <= key < to` in key order. */
  range(from: Uint8Array, to: Uint8Array): Iterable<readonly [key: Uint8Array, value: Uint8Array]>

  /** Applies all changes in one transaction; resolves when it is durable. `null` deletes. */
  write(changes: readonly StoreChange[]): Promise<void>

  close(): Promise<void>
}

export type StoreChange = readonly [key: Uint8Array, value: Uint8Array | null]
