import { type FileHandle, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assert } from '../../base/assert.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'

/**
 * A file that appears under its name only when it is whole: written as `<path>.partial`, synced, then renamed.
 *
 * It is opened for each append (of about a megabyte), so that a caller who gives up leaves nothing open. Each time it
 * must be the file that was left: one that was removed, replaced or written by someone else is never published. After
 * a failed call nothing is written any more, and the name is never taken.
 */
export class PartialFile {
  readonly #path: string
  readonly #partialPath: string
  #state: 'writing' | 'failed' | 'published' = 'writing'
  /** Tells the file from another one under its name. */
  #inode = -1
  #size = 0

  private constructor(path: string) {
    this.#path = path
    this.#partialPath = `${path}.partial`
  }

  /** Starts empty, over whatever an earlier attempt left. Throws `FILE_WRITE_FAILED`, as does every other call. */
  static async create(path: string): Promise<PartialFile> {
    const partial = new PartialFile(path)
    await partial.#attempt(async () => {
      const file = await open(partial.#partialPath, 'w')
      try {
        partial.#inode = (await file.stat()).ino
      } finally {
        await file.close()
      }
    })
    return partial
  }

  /** `bytes` may be reused when this has resolved. Calls must not overlap. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#attempt(() =>
      this.#opened(async (file) => {
        let written = 0
        while (written < bytes.length) {
          const rest = { offset: written, length: bytes.length - written, position: this.#size + written }
          written += (await file.write(bytes, rest)).bytesWritten
        }
        this.#size += written
      }),
    )
  }

  async publish(): Promise<void> {
    await this.#attempt(async () => {
      await this.#opened((file) => file.sync())
      await rename(this.#partialPath, this.#path)
      // The new name is durable only with its folder. Windows can open no folder and syncs the rename by itself.
      if (process.platform !== 'win32') await syncFolder(dirname(this.#path))
    })
    this.#state = 'published'
  }

  async #opened(use: (file: FileHandle) => Promise<void>): Promise<void> {
    const file = await open(this.#partialPath, 'r+')
    try {
      const { ino, size } = await file.stat()
      if (ino !== this.#inode || size !== this.#size)
        throw new Error(`${this.#partialPath} was changed by someone else`)
      await use(file)
    } finally {
      await file.close()
    }
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    assert(this.#state === 'writing', 'a partial file is written until it is published or a write has failed')
    try {
      await action()
    } catch (error) {
      this.#state = 'failed'
      throw new MillraceError('FILE_WRITE_FAILED', { file: this.#path, detail: messageOf(error) }, { cause: error })
    }
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
