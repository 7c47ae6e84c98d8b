import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { File, FileSystem } from '../../../src/log/embedded/file-system.ts'

export interface RecordingFileSystem extends FileSystem {
  /** Names that were made, moved or removed since their folder was last synced. */
  readonly unsynced: ReadonlySet<string>
  /** Files that were written or cut since they were last synced. */
  readonly unsyncedFiles: ReadonlySet<string>
  /** Makes the `syncFolder` of this folder do nothing, to show that it is missed. */
  forget: (folder: string) => boolean
}

/** A real file system that takes note of which names and which contents a power cut could still lose. */
export function recordingFileSystem(real: FileSystem): RecordingFileSystem {
  const unsynced = new Set<string>()
  const unsyncedFiles = new Set<string>()
  return {
    ...real,
    unsynced,
    unsyncedFiles,
    forget: () => false,
    async open(path, mode) {
      if (!existsSync(path) && mode === 'write') unsynced.add(path)
      return recorded(await real.open(path, mode), path, unsyncedFiles)
    },
    async makeFolder(path) {
      for (let at = path; !existsSync(at); at = dirname(at)) unsynced.add(at)
      await real.makeFolder(path)
    },
    async rename(from, to) {
      await real.rename(from, to)
      unsynced.add(from).add(to)
      if (unsyncedFiles.delete(from)) unsyncedFiles.add(to)
    },
    async remove(path) {
      await real.remove(path)
      unsynced.add(path)
      unsyncedFiles.delete(path)
    },
    async syncFolder(path) {
      if (this.forget(path)) return
      await real.syncFolder(path)
      for (const name of unsynced) if (dirname(name) === path) unsynced.delete(name)
    },
  }
}

function recorded(file: File, path: string, unsyncedFiles: Set<string>): File {
  return {
    sizeBytes: () => file.sizeBytes(),
    read: (into, position) => file.read(into, position),
    close: () => file.close(),
    async write(bytes, position) {
      unsyncedFiles.add(path)
      await file.write(bytes, position)
    },
    async truncate(sizeBytes) {
      if (sizeBytes !== (await file.sizeBytes())) unsyncedFiles.add(path)
      await file.truncate(sizeBytes)
    },
    async sync() {
      await file.sync()
      unsyncedFiles.delete(path)
    },
  }
}
