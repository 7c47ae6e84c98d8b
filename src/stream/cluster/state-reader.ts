import type { LogRecord } from '../../log/log.ts'
import type { StoreChange } from '../../store/online/online-store.ts'
import { type Commit, readStateRecord } from './state-record.ts'

/** A checkpoint as it was read: its changes, each key once. */
export type ReadCheckpoint = { readonly commit: Commit; readonly changes: readonly StoreChange[] }

/**
 * What the records of one partition of a state topic mean, in order. A record counts only when its epoch is that of the
 * latest fence before it, and an entry only once a commit of its epoch follows.
 *
 * Entries that do not count may stand in the place of ones that do, as soon as compaction comes by: their keys are
 * `touched`, and the owner writes them again.
 */
export class StateReader {
  readonly #topic: string
  #epoch: number
  #pending = new Map<string, StoreChange>()
  readonly #touched: Map<string, Uint8Array>

  /** As it was behind the last checkpoint that is known. */
  constructor(topic: string, from: { readonly epoch: number; readonly touched: readonly string[] } | null) {
    this.#topic = topic
    this.#epoch = from?.epoch ?? -1
    this.#touched = new Map(from?.touched.map((name) => [name, Buffer.from(name, 'latin1')] as const))
  }

  /** Offset of the latest fence. */
  get epoch(): number {
    return this.#epoch
  }

  /** Keys whose newest entry does not count, by name. */
  get touched(): ReadonlyMap<string, Uint8Array> {
    return this.#touched
  }

  /** The owner has written these keys. */
  written(changes: readonly StoreChange[]): void {
    if (this.#touched.size > 0) for (const [key] of changes) this.#touched.delete(nameOfKey(key))
  }

  /** Gives a checkpoint when the record ends one. */
  take(record: LogRecord): ReadCheckpoint | null {
    const read = readStateRecord(record, this.#topic)
    if (read.kind === 'fence') {
      this.#abandon()
      this.#epoch = record.offset
      return null
    }
    if (read.kind === 'entry') {
      const name = nameOfKey(read.change[0])
      if (read.epoch !== this.#epoch) {
        this.#touched.set(name, read.change[0])
        return null
      }
      this.#touched.delete(name)
      this.#pending.set(name, read.change)
      return null
    }
    if (read.epoch !== this.#epoch || read.commit === null) return null
    const changes = [...this.#pending.values()]
    this.#pending = new Map()
    return { commit: read.commit, changes }
  }

  /** Takes nothing from a record but whose partition this is, and which keys there are: all have to be written again. */
  passOver(record: LogRecord): void {
    const read = readStateRecord(record, this.#topic)
    if (read.kind === 'fence') this.#epoch = record.offset
    if (read.kind === 'entry') this.#touched.set(nameOfKey(read.change[0]), read.change[0])
  }

  /** What no commit has followed before the next fence never counts. */
  #abandon(): void {
    for (const [name, [key]] of this.#pending) this.#touched.set(name, key)
    this.#pending = new Map()
  }
}

/** One character per byte. */
export function nameOfKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
