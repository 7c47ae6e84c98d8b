import { randomUUID } from 'node:crypto'
import { open, rmdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf, MillraceError } from '../../base/faults.ts'
import { examineFolder } from '../doctor/doctor.ts'
import type { CheckProgress, Finding } from '../doctor/finding.ts'
import { refuseExisting } from './backup.ts'
import { FolderDraft } from './backup-writer.ts'
import { type BackupFile, type Manifest, readManifest } from './manifest.ts'

export type RestoreOptions = {
  /** A backup. */
  readonly from: string
  /** A data folder that does not exist, or is empty. */
  readonly folder: string
  readonly onProgress?: (progress: CheckProgress) => void
}

/**
 * Makes a data folder of a backup, after checking every byte of it. The folder appears when it is whole and what
 * `millrace doctor` checks has found no fault.
 *
 * Throws `FOLDER_NOT_EMPTY`, `BACKUP_DAMAGED`, `BACKUP_VERSION_UNKNOWN`, `RESTORE_FAILED`.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Manifest> {
  const { onProgress = () => undefined } = options
  const from = resolve(options.from)
  const folder = resolve(options.folder)
  await refuseExisting(folder, true)
  const manifest = await readManifest(from)
  const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0)
  try {
    const draft = await FolderDraft.create(folder, randomUUID().slice(0, 8))
    try {
      let done = 0
      for (const file of manifest.files) {
        await copyChecked(from, file, draft)
        onProgress({ phase: 'copying the backup, bytes', done: (done += file.bytes), total })
      }
      const { findings } = await examineFolder({ folder: draft.path, onProgress })
      const fault = findings.find(({ status }) => status === 'fault')
      if (fault !== undefined) throw damaged(from, describe(fault))
      await removeEmpty(folder)
      await draft.publish()
      return manifest
    } catch (error) {
      await draft.discard()
      throw error
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('RESTORE_FAILED', { folder, detail: messageOf(error) }, { cause: error })
  }
}

async function copyChecked(from: string, expected: BackupFile, draft: FolderDraft): Promise<void> {
  const { path } = expected
  let copied: BackupFile
  try {
    copied = await draft.write(path, partsOf(join(from, path)))
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw missing ? damaged(from, `${path} is missing`) : error
  }
  if (copied.bytes !== expected.bytes) {
    throw damaged(from, `${path} has ${copied.bytes} bytes instead of ${expected.bytes}`)
  }
  if (copied.sha256 !== expected.sha256) throw damaged(from, `the checksum of ${path} does not hold`)
}

/** A file in pieces; opened only when the first is asked for. */
async function* partsOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, 'r')
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(partBytes))
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

const partBytes = 1024 * 1024

function describe({ check, what }: Finding): string {
  return `${check}: ${what}`
}

function damaged(folder: string, detail: string): MillraceError {
  return new MillraceError('BACKUP_DAMAGED', { folder, detail })
}

async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}
