import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import type { File, FileSystem } from './file-system.ts'
import { lockFile } from './lock-file.ts'

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  open: async (path, mode) =>
    new NodeFile(await open(path, mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT, 0o644)),

  makeFolder: async (path) => {
    await mkdir(path, { recursive: true })
  },

  list: (folder) => readdir(folder),

  rename,

  remove: unlink,

  syncFolder: async (path) => {
    const folder = await open(path, constants.O_RDONLY)
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },

  lock: lockFile,
}

class NodeFile implements File {
  readonly #handle: FileHandle

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async sizeBytes(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0
    while (done < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done)
      done += bytesWritten
    }
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes)
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
