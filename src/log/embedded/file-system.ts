import { reach } from '../../base/crash-points.ts'

import { dirname } from 'node:path'

/**
 * What the embedded log asks of a file system, and no more, so that the simulator can stand in for the disk.
 *
 * A crash keeps of a file what was there when `sync` last resolved, and of a folder the names that were in it when
 * `syncFolder` last resolved. Of everything newer it may keep any part: some bytes of a write, and not others.
 * After `sync` has failed, what is on disk of the writes before it is not known, and a later `sync` says nothing of it.
 */
export interface FileSystem {
  /** Opens for reading; `write` also creates the file when it is missing. A missing file rejects with `ENOENT`. */
  open(path: string, mode: 'read' | 'write'): Promise<File>
  /** With the folders above it; an existing one is left as it is. */
  makeFolder(path: string): Promise<void>
  /** Names inside a folder, in any order. */
  list(folder: string): Promise<readonly string[]>
  /** Replaces what was at `to`. */
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>
  /** Takes `path` as a lock that ends with this process. Throws `FOLDER_IN_USE`. */
  lock(path: string): Promise<FileLock>
}

export interface File {
  sizeBytes(): Promise<number>
  /** Fills `into` from `position` on, and resolves with fewer bytes only where the file ends. */
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes all bytes, or rejects with any part of them written. */
  write(bytes: Uint8Array, position: number): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  /** Makes content and size durable (fdatasync). */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface FileLock {
  release(): Promise<void>
}

/** Makes a folder and those above it that are missing, and makes the names of all these durable. */
export async function makeFolderDurably(fileSystem: FileSystem, path: string): Promise<void> {
  const made: string[] = []
  for (let at = path; !(await isFolder(fileSystem, at)) && at !== dirname(at); at = dirname(at)) made.push(at)
  await fileSystem.makeFolder(path)
  for (const one of made) await fileSystem.syncFolder(dirname(one))
}

async function isFolder(fileSystem: FileSystem, path: string): Promise<boolean> {
  try {
    await fileSystem.list(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** The whole content, or null when there is no such file. */
export async function readWhole(fileSystem: FileSystem, path: string): Promise<Uint8Array | null> {
  let file: File
  try {
    file = await fileSystem.open(path, 'read')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  try {
    const content = new Uint8Array(await file.sizeBytes())
    return content.subarray(0, await file.read(content, 0))
  } finally {
    await file.close()
  }
}

/** Puts a file in place so that a crash leaves the old content or the new, never a mixture. Durable when it resolves. */
export async function writeAtomically(
  fileSystem: FileSystem,
  place: { readonly folder: string; readonly name: string },
  content: Uint8Array,
): Promise<void> {
  const path = `${place.folder}/${place.name}`
  const draft = `${path}.draft`
  await writeFileWhole(fileSystem, draft, content)
  reach('log.file.drafted')
  await fileSystem.rename(draft, path)
  reach('log.file.renamed')
  await fileSystem.syncFolder(place.folder)
  reach('log.file.replaced')
}

/** Replaces a file's content in place. A crash before it resolves may leave anything. */
export async function writeFileWhole(
  fileSystem: FileSystem,
  path: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<void> {
  const file = await fileSystem.open(path, 'write')
  try {
    await file.truncate(0)
    if (content instanceof Uint8Array) await file.write(content, 0)
    else {
      let position = 0
      for await (const part of content) {
        await file.write(part, position)
        position += part.length
      }
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Also when what should be a folder above it is a file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
