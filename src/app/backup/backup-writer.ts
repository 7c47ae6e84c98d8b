import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFile } from '../../store/online/embedded/embedded-online-store.ts'
import type { BackupFile } from './manifest.ts'

/**
 * A folder that appears under its name only when it is whole: it is filled under another name beside it, synced, and
 * then renamed.
 */
export class FolderDraft {
  readonly path: string
  readonly #target: string
  readonly #folders = new Set<string>()
  readonly #files: BackupFile[] = []

  private constructor(target: string, path: string) {
    this.#target = target
    this.path = path
  }

  /** @param token tells this draft from those of others and of earlier attempts. */
  static async create(target: string, token: string): Promise<FolderDraft> {
    const draft = new FolderDraft(target, `${target}.partial-${token}`)
    await mkdir(dirname(target), { recursive: true })
    await mkdir(draft.path)
    return draft
  }

  get files(): readonly BackupFile[] {
    return this.#files
  }

  /** Where a file of the draft is to be written, its folder made. */
  async place(path: string): Promise<string> {
    const at = join(this.path, path)
    await mkdir(dirname(at), { recursive: true })
    return at
  }

  /** Writes a file, durably, and takes note of it. */
  async write(path: string, content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<BackupFile> {
    const hash = createHash('sha256')
    let bytes = 0
    const file = await open(await this.place(path), 'wx')
    try {
      for await (const part of content) {
        await file.writeFile(part)
        hash.update(part)
        bytes += part.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    return this.add({ path, bytes, sha256: hash.digest('hex') })
  }

  /** Takes note of a file that is there and durable. */
  add(file: BackupFile): BackupFile {
    this.#files.push(file)
    for (let at = dirname(file.path); ; at = dirname(at)) {
      this.#folders.add(at)
      if (at === '.') return file
    }
  }

  /** Takes back files of this prefix. */
  async drop(prefix: string): Promise<void> {
    for (let index = this.#files.length - 1; index >= 0; index--) {
      const { path } = this.#files[index]!
      if (!path.startsWith(prefix)) continue
      this.#files.splice(index, 1)
      await rm(join(this.path, path))
    }
  }

  /** Makes all names durable and gives the folder its own. */
  async publish(): Promise<void> {
    for (const folder of this.#folders) await syncFile(join(this.path, folder))
    await rename(this.path, this.#target)
    await syncFile(dirname(this.#target))
  }

  async discard(): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}
