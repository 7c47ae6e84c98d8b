import { mkdir, open as openFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { reach } from '../../../base/crash-points.ts'
import { messageOf, MillraceError } from '../../../base/faults.ts'
import { checkStoreKey } from '../check-key.ts'
import type { OnlineStore, StoreChange } from '../online-store.ts'

export type EmbeddedOnlineStoreOptions = {
  readonly folder: string
  /**
   * A write that could take the data file past this many bytes is refused. As many addresses are reserved, but
   * neither memory nor disk. Space that deletes left free counts as used here.
   */
  readonly mapBytesMax?: number
}

export const mapBytesMaxDefault = 64 * 1024 ** 3

/** Opens the store in `folder`, which is created when missing. At most one process may write to it. */
export async function openEmbeddedOnlineStore(options: EmbeddedOnlineStoreOptions): Promise<OnlineStore> {
  const folder = resolve(options.folder)
  const mapBytesMax = options.mapBytesMax ?? mapBytesMaxDefault
  try {
    await mkdir(folder, { recursive: true })
    const database = open<Uint8Array, Uint8Array>(folder, {
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      mapSize: mapBytesMax,
      // Commits then follow plain LMDB: see `EmbeddedOnlineStore.#commit`.
      overlappingSync: false,
      // Otherwise each event turn with a write makes a promise that nobody holds, and when the commit fails that one is
      // an unhandled rejection, which ends the process.
      eventTurnBatching: false,
    })
    // The names of a new folder and of the files in it are durable only once their folders are.
    await syncFile(folder)
    await syncFile(dirname(folder))
    reach('store.opened')
    return new EmbeddedOnlineStore(database, { folder, mapBytesMax })
  } catch (error) {
    throw new MillraceError('STORE_OPEN_FAILED', { folder, detail: messageOf(error) }, { cause: error })
  }
}

class EmbeddedOnlineStore implements OnlineStore {
  readonly #database: RootDatabase<Uint8Array, Uint8Array>
  readonly #settings: Required<EmbeddedOnlineStoreOptions>
  /** Settles, and never rejects, when the newest write has ended: writes run one after another. */
  #newestWrite: Promise<void> = Promise.resolve()
  #failure: MillraceError | undefined
  #closing: Promise<void> | undefined

  constructor(database: RootDatabase<Uint8Array, Uint8Array>, settings: Required<EmbeddedOnlineStoreOptions>) {
    this.#database = database
    this.#settings = settings
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen()
    checkStoreKey(key)
    // `getBinary` copies out of the map, where the next write may reuse the page.
    const value = this.#database.getBinary(key)
    return value === undefined ? undefined : plainBytes(value)
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<readonly [Uint8Array, Uint8Array], void, undefined> {
    this.#checkOpen()
    if (Buffer.compare(from, to) >= 0) return
    if (from.length > 0) checkStoreKey(from)
    checkStoreKey(to)
    // One read transaction, so one state of the store, from the first entry to the last.
    const bounds = from.length > 0 ? { start: from, end: to } : { end: to }
    for (const { key, value } of this.#database.getRange(bounds)) yield [plainBytes(key), plainBytes(value)]
  }

  /** The bytes are read while the write is under way: they must not change before the promise resolves. */
  async write(changes: readonly StoreChange[]): Promise<void> {
    this.#checkOpen()
    for (const [key] of changes) checkStoreKey(key)
    const written = this.#newestWrite.then(() => this.#commit(changes))
    this.#newestWrite = written.catch(() => {
      // The caller has the rejection; `#failure` keeps it for those who come after.
    })
    await written
  }

  close(): Promise<void> {
    this.#closing ??= this.#newestWrite.then(() => this.#database.close())
    return this.#closing
  }

  /**
   * One LMDB transaction. `batch` hands all changes to a thread that applies them, and commits all or none.
   *
   * Relied upon, in lmdb-js 3.5 with `overlappingSync: false` (its default on Linux and macOS is true, and then a
   * commit is visible before it is durable): the thread calls `mdb_txn_commit` without `MDB_NOSYNC`, which writes the
   * pages, syncs them, and only then writes the meta page through a descriptor opened with `O_DSYNC`; the promise of
   * `batch` resolves after that call has returned 0, and rejects, with the transaction aborted, when a change or the
   * commit failed. The shared read transaction is reset before the promise resolves, so that the next read sees it.
   */
  async #commit(changes: readonly StoreChange[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (changes.length === 0) return
    await this.#checkRoom(changes)
    const database = this.#database
    reach('store.commit.begun')
    try {
      await database.batch(() => {
        let newest: Promise<boolean> | undefined
        for (const [key, value] of changes) {
          const changed = value === null ? database.remove(key) : database.put(key, value)
          // They say what the batch says, which is awaited. Nearly all share one promise.
          if (changed !== newest) changed.catch(() => undefined)
          newest = changed
        }
      })
      reach('store.commit.done')
    } catch (error) {
      // After a failed sync nobody knows what the disk holds: no further write may build on it.
      const detail = await commitDetail(error)
      const { folder } = this.#settings
      this.#failure = new MillraceError('STORE_WRITE_FAILED', { folder, detail }, { cause: error })
      throw this.#failure
    }
  }

  /** LMDB as lmdb-js builds it grows its map without end, so the limit is kept here, before anything is written. */
  async #checkRoom(changes: readonly StoreChange[]): Promise<void> {
    const { folder, mapBytesMax } = this.#settings
    const { size } = await stat(join(folder, 'data.mdb'))
    const asked = changes.reduce((sum, [key, value]) => sum + key.length + (value?.length ?? 0), 0)
    if (size + asked > mapBytesMax) throw new MillraceError('STORE_FULL', { folder, size, asked, limit: mapBytesMax })
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new MillraceError('STORE_CLOSED', {})
  }
}

/** The same memory without Node's `Buffer` around it, whose `slice` does not copy. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** lmdb-js rejects with one text for all causes, and the cause as a promise beside it. */
async function commitDetail(error: unknown): Promise<string> {
  if (!(error instanceof Error) || !('commitError' in error)) return messageOf(error)
  try {
    await error.commitError
  } catch (cause) {
    return messageOf(cause)
  }
  return messageOf(error)
}

/** Makes a file's content, or the names in a folder, durable. */
export async function syncFile(path: string): Promise<void> {
  const handle = await openFile(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
