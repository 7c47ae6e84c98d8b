import { access, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { open, type RootDatabase, type Transaction } from 'lmdb'
import { messageOf, MillraceError } from '../../../base/faults.ts'
import type { OnlineStore } from '../online-store.ts'
import { mapBytesMaxDefault, syncFile } from './embedded-online-store.ts'

/** The file of the embedded store that holds everything. The other one in its folder, `lock.mdb`, is for running processes. */
export const storeDataFile = 'data.mdb'

/**
 * Opens one state of a store to look at it, also while another process writes it; null when there is none. Nothing is changed but
 * `lock.mdb`, in which whoever reads is listed while it reads.
 *
 * The owner cannot use again what it frees while a snapshot is open, so the data file grows: do not keep one for long
 * beside a busy process.
 */
export async function openStoreSnapshot(folder: string): Promise<OnlineStore | null> {
  const database = await openReadOnly(folder)
  return database === null ? null : new Snapshot(database)
}

/**
 * Copies a store into a new folder while its owner goes on: one state of it, durable when this resolves. False when
 * there is none.
 *
 * Relied upon: `mdb_env_copy2` holds back writers only until it has its read transaction, and then copies the pages of
 * that state. It is not asked to compact, which lmdb-js has had faults in.
 */
export async function copyStore(folder: string, target: string): Promise<boolean> {
  const database = await openReadOnly(folder)
  if (database === null) return false
  try {
    await mkdir(target, { recursive: true })
    await database.backup(target, false)
    await syncFile(join(target, storeDataFile))
    await syncFile(target)
    return true
  } catch (error) {
    throw new MillraceError('STORE_OPEN_FAILED', { folder, detail: messageOf(error) }, { cause: error })
  } finally {
    await database.close()
  }
}

type Database = RootDatabase<Uint8Array, Uint8Array>

async function openReadOnly(given: string): Promise<Database | null> {
  const folder = resolve(given)
  try {
    await access(join(folder, storeDataFile))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw new MillraceError('STORE_OPEN_FAILED', { folder, detail: messageOf(error) }, { cause: error })
  }
  try {
    return open<Uint8Array, Uint8Array>(folder, {
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      mapSize: mapBytesMaxDefault,
      readOnly: true,
    })
  } catch (error) {
    throw new MillraceError('STORE_OPEN_FAILED', { folder, detail: messageOf(error) }, { cause: error })
  }
}

class Snapshot implements OnlineStore {
  readonly #database: Database
  readonly #transaction: Transaction

  constructor(database: Database) {
    this.#database = database
    this.#transaction = database.useReadTransaction()
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.#database.get(key, { transaction: this.#transaction })
    return value === undefined ? undefined : Uint8Array.from(value)
  }

  *range(from: Uint8Array, to: Uint8Array): Generator<readonly [Uint8Array, Uint8Array], void, undefined> {
    const bounds = { start: from, end: to, transaction: this.#transaction }
    for (const { key, value } of this.#database.getRange(bounds)) yield [Uint8Array.from(key), Uint8Array.from(value)]
  }

  write(): Promise<void> {
    return Promise.reject(new Error('a snapshot of a store is only read'))
  }

  async close(): Promise<void> {
    this.#transaction.done()
    await this.#database.close()
  }
}
