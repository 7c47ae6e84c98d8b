import { type File, type FileSystem, isMissing } from './file-system.ts'

/**
 * Lets a log be looked at while another process writes it: takes no lock and changes nothing on disk. Repairs that
 * opening makes (a torn tail is cut off, the last group is synced again) are left undone, and the torn tail, which
 * may be a write under way, is simply not seen. What the log shows is what was written when it was opened.
 */
export function readOnlyFileSystem(fileSystem: FileSystem): FileSystem {
  const nothing = (): Promise<void> => Promise.resolve()
  return {
    open: async (path, mode) => {
      try {
        return new ReadOnlyFile(await fileSystem.open(path, 'read'))
      } catch (error) {
        // What would be created, such as an index that is missing, is written to nowhere.
        if (mode === 'write' && isMissing(error)) return nowhere
        throw error
      }
    },
    makeFolder: nothing,
    list: (folder) => fileSystem.list(folder),
    rename: nothing,
    remove: nothing,
    syncFolder: nothing,
    lock: () => Promise.resolve({ release: nothing }),
  }
}

const nowhere: File = {
  sizeBytes: () => Promise.resolve(0),
  read: () => Promise.resolve(0),
  write: () => Promise.resolve(),
  truncate: () => Promise.resolve(),
  sync: () => Promise.resolve(),
  close: () => Promise.resolve(),
}

class ReadOnlyFile implements File {
  readonly #file: File

  constructor(file: File) {
    this.#file = file
  }

  sizeBytes(): Promise<number> {
    return this.#file.sizeBytes()
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#file.read(into, position)
  }

  async write(): Promise<void> {}

  async truncate(): Promise<void> {}

  async sync(): Promise<void> {}

  close(): Promise<void> {
    return this.#file.close()
  }
}
