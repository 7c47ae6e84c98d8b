import { randomUUID } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Clock, systemClock } from '../../base/clock.ts'
import { messageOf, MillraceError } from '../../base/faults.ts'
import { sha256OfFile } from '../../base/hash.ts'
import { nodeFileSystem } from '../../log/embedded/node-file-system.ts'
import { copyStore, storeDataFile } from '../../store/online/embedded/store-snapshot.ts'
import type { CheckProgress } from '../doctor/finding.ts'
import { sizeOfLog } from '../../log/embedded/audit.ts'
import { version } from '../version.ts'
import { FolderDraft } from './backup-writer.ts'
import { copyLog } from './copy-log.ts'
import { encodeManifest, type Manifest, manifestName } from './manifest.ts'

export type BackupOptions = {
  /** A data folder; a process may be running in it. */
  readonly folder: string
  /** Must not exist. It appears when the backup is whole. */
  readonly out: string
  readonly clock?: Clock
  readonly onProgress?: (progress: CheckProgress) => void
}

/**
 * Copies a data folder to another one, also while a process runs in it, which it does not hold up.
 *
 * The order is what makes it consistent. 1. The store: one checkpoint of it. 2. What the engine writes to the log, which
 * is by then at or beyond what that checkpoint knows. 3. The sources, at or beyond what everything before was made of.
 * So the copy is a folder as a crash could have left it: recovery takes it on from its checkpoint.
 *
 * Throws `FOLDER_WITHOUT_LOG`, `FOLDER_NOT_EMPTY` when `out` exists, `LOG_CORRUPT`: damage is not copied, and
 * `BACKUP_FAILED`. Nothing appears under `out` then.
 */
export async function backupFolder(options: BackupOptions): Promise<Manifest> {
  const { clock = systemClock, onProgress = () => undefined } = options
  const folder = resolve(options.folder)
  const out = resolve(options.out)
  await refuseExisting(out)
  const at = new Date(clock.now()).toISOString()
  const log = join(folder, 'log')
  await checkHasLog(folder)
  return await orBackupFailed(out, async () => {
    const draft = await FolderDraft.create(out, randomUUID().slice(0, 8))
    try {
      onProgress({ phase: 'copying the store', done: 0, total: null })
      const store = await draft.place('store')
      if (await copyStore(join(folder, 'store'), store)) await addStore(draft, join(store, storeDataFile))
      const total = await sizeOfLog({ folder: log, fileSystem: nodeFileSystem })
      const copied = await copyLog(log, draft, (done) => onProgress({ phase: 'copying the log, bytes', done, total }))
      const manifest: Manifest = {
        version: 1,
        millrace: version,
        log: copied.id,
        at,
        ends: copied.ends,
        files: draft.files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      }
      await draft.write(manifestName, [encodeManifest(manifest)])
      await draft.publish()
      return manifest
    } catch (error) {
      await draft.discard()
      throw error
    }
  })
}

async function checkHasLog(folder: string): Promise<void> {
  try {
    await stat(join(folder, 'log', 'log.json'))
  } catch (error) {
    throw new MillraceError('FOLDER_WITHOUT_LOG', { folder }, { cause: error })
  }
}

async function addStore(draft: FolderDraft, path: string): Promise<void> {
  const { size } = await stat(path)
  draft.add({ path: `store/${storeDataFile}`, bytes: size, sha256: await sha256OfFile(path) })
}

/** Throws `FOLDER_NOT_EMPTY`, whatever is there. */
export async function refuseExisting(path: string, allowEmpty = false): Promise<void> {
  let names: readonly string[] | null
  try {
    names = await readdir(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    names = null
  }
  if (allowEmpty && names?.length === 0) return
  throw new MillraceError('FOLDER_NOT_EMPTY', { folder: path })
}

async function orBackupFailed<Result>(out: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('BACKUP_FAILED', { out, detail: messageOf(error) }, { cause: error })
  }
}
