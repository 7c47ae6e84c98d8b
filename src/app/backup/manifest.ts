import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, MillraceError } from '../../base/faults.ts'
import { canonicalJson, sha256 } from '../../base/hash.ts'

/** What a backup holds. It is written last: a folder without it is no backup. */
export type Manifest = {
  readonly version: 1
  /** Release that wrote it. */
  readonly millrace: string
  /** Id of the log. */
  readonly log: string
  /** When it was begun, ISO 8601: everything acknowledged before is in it. */
  readonly at: string
  /** Topic → end per partition. */
  readonly ends: Readonly<Record<string, readonly number[]>>
  readonly files: readonly BackupFile[]
}

/** `path` is relative, with forward slashes. */
export type BackupFile = { readonly path: string; readonly bytes: number; readonly sha256: string }

export const manifestName = 'backup.json'
const version = 1

/** With a checksum of its own. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(`${JSON.stringify({ ...manifest, check: sha256(canonicalJson(manifest)) }, null, 2)}\n`)
}

/** Throws `BACKUP_DAMAGED`, also for what is no backup or was never finished, and `BACKUP_VERSION_UNKNOWN`. */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = join(folder, manifestName)
  const damaged = (detail: string, cause?: unknown): MillraceError =>
    new MillraceError('BACKUP_DAMAGED', { folder, detail }, { cause })
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw damaged(missing ? `it has no ${manifestName}: no backup, or never finished` : messageOf(error), error)
  }
  if (typeof value !== 'object' || value === null) throw damaged(`${manifestName} is no JSON object`)
  const { check, ...manifest } = value as Manifest & { check: unknown }
  if (manifest.version !== version) {
    const details = { file, version: String(manifest.version), supported: version }
    throw new MillraceError('BACKUP_VERSION_UNKNOWN', details)
  }
  if (check !== sha256(canonicalJson(manifest))) throw damaged(`the checksum of ${manifestName} does not hold`)
  for (const { path } of manifest.files) {
    if (!/^(log|store)(\/[a-zA-Z0-9._-]+)+$/.test(path) || path.split('/').includes('..')) {
      throw damaged(`${manifestName} names "${path}"`)
    }
  }
  return manifest
}
