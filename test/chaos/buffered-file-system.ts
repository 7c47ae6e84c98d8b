import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { closeSync, ftruncateSync, writeFileSync, writeSync } from 'node:fs'
import type { File, FileSystem } from '../../src/log/embedded/file-system.ts'
import { nodeFileSystem } from '../../src/log/embedded/node-file-system.ts'
import { makeRandom } from '../integration/kill-stream.ts'

/**
 * A page cache inside the process, over the real disk. What is written, created, renamed or removed reaches the disk
 * when it is synced (a file's content by `sync`, the names in a folder by `syncFolder`), so a SIGKILL loses just what
 * a power cut may lose. Now and then some sectors of a write, or a name, get there early, as a system that writes back
 * by itself does: the last writes of a killed process are then torn.
 *
 * Locks are files of the real disk.
 */
export function bufferedFileSystem(seed: number): FileSystem {
  return new Buffered(makeRandom(seed))
}

const sectorBytes = 512
/** How often something gets to the disk before it is synced. */
const earlyShare = 0.3

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly sizeBytes: number }

type Inode = {
  /** What the process sees. */
  content: Buffer
  /** Changes that were not synced, in order. */
  pending: Change[]
  /** Changes that were synced while the file had no name on the disk. */
  synced: Change[]
  /** Its name on the disk, where it has one. */
  place: string | null
}

class Buffered implements FileSystem {
  readonly #random: () => number
  /** Names that differ from the disk's, or whose content may; null is removed. */
  readonly #names = new Map<string, Inode | null>()
  readonly #folders = new Set<string>()
  /** Names that were synced into a folder that is not on the disk itself yet. */
  readonly #ready = new Set<string>()

  constructor(random: () => number) {
    this.#random = random
  }

  async open(path: string, mode: 'read' | 'write'): Promise<File> {
    await turn()
    let inode = this.#find(path)
    if (inode === null) {
      if (mode === 'read' || !this.#hasFolder(parentOf(path))) throw missing(path)
      inode = { content: Buffer.alloc(0), pending: [], synced: [], place: null }
      this.#rename(path, inode)
    }
    return this.#file(inode)
  }

  async makeFolder(path: string): Promise<void> {
    await turn()
    for (let folder = path; !this.#hasFolder(folder); folder = parentOf(folder)) this.#folders.add(folder)
  }

  async list(folder: string): Promise<readonly string[]> {
    await turn()
    if (!this.#hasFolder(folder)) throw missing(folder)
    const names = new Set(existsSync(folder) ? readdirSync(folder) : [])
    for (const [path, inode] of this.#names) {
      if (parentOf(path) !== folder) continue
      if (inode === null) names.delete(nameOf(path))
      else names.add(nameOf(path))
    }
    for (const path of this.#folders) if (parentOf(path) === folder) names.add(nameOf(path))
    return [...names]
  }

  async rename(from: string, to: string): Promise<void> {
    await turn()
    const inode = this.#find(from)
    if (inode === null) throw missing(from)
    this.#names.set(from, null)
    this.#ready.delete(from)
    this.#rename(to, inode)
  }

  async remove(path: string): Promise<void> {
    await turn()
    if (this.#find(path) === null) throw missing(path)
    this.#rename(path, null)
  }

  async syncFolder(folder: string): Promise<void> {
    await turn()
    for (const path of [...this.#names.keys(), ...this.#folders]) if (parentOf(path) === folder) this.#ready.add(path)
    if (existsSync(folder)) this.#settle(folder)
  }

  lock: FileSystem['lock'] = (path) => nodeFileSystem.lock(path)

  #find(path: string): Inode | null {
    const known = this.#names.get(path)
    if (known !== undefined) return known
    if (!existsSync(path) || statSync(path).isDirectory()) return null
    const inode = { content: readFileSync(path), pending: [], synced: [], place: path }
    this.#names.set(path, inode)
    return inode
  }

  #hasFolder(path: string): boolean {
    return this.#folders.has(path) || existsSync(path)
  }

  #rename(path: string, inode: Inode | null): void {
    this.#names.set(path, inode)
    this.#ready.delete(path)
    if (this.#isEarly() && existsSync(parentOf(path))) this.#keepName(path, inode)
  }

  /** The names that were synced into a folder get to the disk, and so do those in folders that thereby exist. */
  #settle(folder: string): void {
    for (const path of this.#ready) {
      if (parentOf(path) !== folder || !this.#ready.delete(path)) continue
      const inode = this.#names.get(path)
      if (inode !== undefined) this.#keepName(path, inode)
      else if (this.#folders.delete(path)) {
        mkdirSync(path, { recursive: true })
        this.#settle(path)
      }
    }
  }

  #keepName(path: string, inode: Inode | null): void {
    if (inode === null) {
      // A file that was renamed leaves its old name when it takes the new one.
      const renamed = [...this.#names.values()].some((other) => other !== null && other.place === path)
      if (!renamed) rmSync(path, { force: true })
      return
    }
    if (inode.place === path) return
    if (inode.place !== null && existsSync(inode.place)) renameSync(inode.place, path)
    else writeFileSync(path, '')
    inode.place = path
    carryOut(path, inode.synced.splice(0))
  }

  #file(inode: Inode): File {
    return {
      sizeBytes: async () => inode.content.length,
      read: async (into, position) => {
        await turn()
        const part = inode.content.subarray(position, position + into.length)
        into.set(part)
        return part.length
      },
      write: async (bytes, position) => {
        await turn()
        this.#change(inode, { kind: 'write', position, bytes: Uint8Array.from(bytes) })
      },
      truncate: async (sizeBytes) => {
        await turn()
        this.#change(inode, { kind: 'truncate', sizeBytes })
      },
      sync: async () => {
        const changes = inode.pending
        // A disk takes its time, and changes meanwhile wait for the next sync.
        inode.pending = []
        for (let turns = this.#random() * 4; turns > 0; turns--) await turn()
        if (inode.place === null) inode.synced.push(...changes)
        else carryOut(inode.place, changes)
      },
      close: async () => {},
    }
  }

  #change(inode: Inode, change: Change): void {
    inode.content = changed(inode.content, change)
    inode.pending.push(change)
    if (!this.#isEarly() || inode.place === null || change.kind === 'truncate') return
    const { position, bytes } = change
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + sectorBytes - ((position + at) % sectorBytes))
      const sector = { kind: 'write', position: position + at, bytes: bytes.subarray(at, end) } as const
      if (this.#random() < 0.5) carryOut(inode.place, [sector])
      at = end
    }
  }

  #isEarly(): boolean {
    return this.#random() < earlyShare
  }
}

function changed(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') return Buffer.concat([content], change.sizeBytes)
  const { position, bytes } = change
  const grown = Buffer.concat([content], Math.max(content.length, position + bytes.length))
  grown.set(bytes, position)
  return grown
}

function carryOut(path: string, changes: readonly Change[]): void {
  if (changes.length === 0) return
  const file = openSync(path, 'r+')
  try {
    for (const change of changes) {
      if (change.kind === 'truncate') ftruncateSync(file, change.sizeBytes)
      else
        for (let at = 0; at < change.bytes.length; )
          at += writeSync(file, change.bytes, at, undefined, change.position + at)
    }
  } finally {
    closeSync(file)
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
