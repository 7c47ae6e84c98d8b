import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assert } from '../../base/assert.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'

/**
 * A file that appears under its name only when it is whole: written as `<path>.partial`, synced, then renamed.
 *
 * It is opened for each append (of about a megabyte), so that a caller who gives up leaves nothing open. After a
 * failed call nothing is written any more, and the name is never taken.
 */
export class PartialFile {
  readonly #path: string
  readonly #partialPath: string
  #state: 'writing' | 'failed' | 'published' = 'writing'

  private constructor(path: string) {
    this.#path = path
    this.#partialPath = `${path}.partial`
  }

  /** Starts empty, over whatever an earlier attempt left. Throws `FILE_WRITE_FAILED`, as does every other call. */
  static async create(path: string): Promise<PartialFile> {
    const partial = new PartialFile(path)
    await partial.#attempt(async () => {
      const file = await open(partial.#partialPath, 'w')
      await file.close()
    })
    return partial
  }

  /** `bytes` may be reused when this has resolved. Calls must not overlap. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#attempt(async () => {
      const file = await open(this.#partialPath, 'a')
      try {
        await file.writeFile(bytes)
      } finally {
        await file.close()
      }
    })
  }

  async publish(): Promise<void> {
    await this.#attempt(async () => {
      await sync(this.#partialPath, 'r+')
      await rename(this.#partialPath, this.#path)
      // The new name is durable only with its folder. Windows can open no folder and syncs the rename by itself.
      if (process.platform !== 'win32') await sync(dirname(this.#path), 'r')
    })
    this.#state = 'published'
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    assert(this.#state === 'writing', `a partial file is written only until it is ${this.#state}`)
    try {
      await action()
    } catch (error) {
      this.#state = 'failed'
      throw new MillraceError('FILE_WRITE_FAILED', { file: this.#path, detail: messageOf(error) }, { cause: error })
    }
  }
}

async function sync(path: string, flags: 'r' | 'r+'): Promise<void> {
  const file = await open(path, flags)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
