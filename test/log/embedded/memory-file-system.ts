import { MillraceError } from '../../../src/base/faults.ts'
import type { File, FileSystem } from '../../../src/log/embedded/file-system.ts'

export type Operation = 'open' | 'read' | 'write' | 'truncate' | 'sync' | 'rename' | 'remove' | 'list' | 'syncFolder'

export interface MemoryFileSystem extends FileSystem {
  /** How often each operation was called. */
  readonly counts: Record<Operation, number>
  /** Called before each operation; what it throws is what the operation rejects with. */
  onOperation: (operation: Operation, path: string) => void
  /** Every sync of a file waits for what this gives. */
  holdSync: () => Promise<void>
  /** What a failing write leaves: how many of its bytes arrive. */
  writtenOnFailure: (bytes: number) => number
  /**
   * The disk after a power cut: what was synced, and of each newer write any sectors that `keeps` picks; newer names
   * and removals in folders likewise.
   */
  crash(keeps: () => boolean): MemoryFileSystem
  /** The same disk and page cache after only the process died: locks are free again. */
  killProcess(): void
  content(path: string): Uint8Array
  setContent(path: string, content: Uint8Array): void
  paths(): string[]
}

/** What the page cache holds, what the disk holds, and the writes that only the first has seen. */
type Inode = { cached: Uint8Array; durable: Uint8Array; dirty: { position: number; bytes: Uint8Array }[] }

type Names = Map<string, Inode>

/** Torn writes keep or lose pieces of this size; smaller than a disk's, so that small tests meet torn headers too. */
const sectorBytes = 16

export function makeMemoryFileSystem(): MemoryFileSystem {
  return new Memory(new Map(), new Map())
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

class Memory implements MemoryFileSystem {
  readonly counts = { open: 0, read: 0, write: 0, truncate: 0, sync: 0, rename: 0, remove: 0, list: 0, syncFolder: 0 }
  onOperation: (operation: Operation, path: string) => void = () => {}
  holdSync: () => Promise<void> = () => Promise.resolve()
  writtenOnFailure: (bytes: number) => number = () => 0
  readonly #names: Names
  readonly #durableNames: Names
  #locks = new Set<string>()

  constructor(names: Names, durableNames: Names) {
    this.#names = names
    this.#durableNames = durableNames
  }

  async #begin(operation: Operation, path: string): Promise<void> {
    await Promise.resolve()
    this.counts[operation]++
    this.onOperation(operation, path)
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw failure('ENOENT', path)
    return inode
  }

  async open(path: string, mode: 'read' | 'write'): Promise<File> {
    await this.#begin('open', path)
    if (mode === 'write' && !this.#names.has(path)) {
      this.#names.set(path, { cached: new Uint8Array(0), durable: new Uint8Array(0), dirty: [] })
    }
    const inode = this.#inode(path)
    return {
      sizeBytes: async () => inode.cached.length,
      read: async (into, position) => {
        await this.#begin('read', path)
        const part = inode.cached.subarray(position, position + into.length)
        into.set(part)
        return part.length
      },
      write: async (bytes, position) => {
        const copy = Uint8Array.from(bytes)
        try {
          await this.#begin('write', path)
        } catch (error) {
          writeTo(inode, position, copy.subarray(0, this.writtenOnFailure(copy.length)))
          throw error
        }
        writeTo(inode, position, copy)
      },
      truncate: async (sizeBytes) => {
        await this.#begin('truncate', path)
        // Simplification: a truncation is durable at once. The log treats what it cuts off as never written.
        inode.cached = inode.cached.slice(0, sizeBytes)
        inode.durable = inode.durable.slice(0, sizeBytes)
        inode.dirty = inode.dirty
          .filter(({ position }) => position < sizeBytes)
          .map(({ position, bytes }) => ({ position, bytes: bytes.slice(0, sizeBytes - position) }))
      },
      sync: async () => {
        await this.holdSync()
        try {
          await this.#begin('sync', path)
        } catch (error) {
          // As Linux does: the pages count as clean from now on, though the disk never got them.
          inode.dirty = []
          throw error
        }
        for (const { position, bytes } of inode.dirty) inode.durable = overlay(inode.durable, position, bytes)
        inode.dirty = []
      },
      close: async () => {},
    }
  }

  async makeFolder(): Promise<void> {}

  async list(folder: string): Promise<readonly string[]> {
    await this.#begin('list', folder)
    const inside = [...this.#names.keys()].filter((path) => path.startsWith(`${folder}/`))
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0]!))]
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin('rename', to)
    this.#names.set(to, this.#inode(from))
    this.#names.delete(from)
  }

  async remove(path: string): Promise<void> {
    await this.#begin('remove', path)
    this.#inode(path)
    this.#names.delete(path)
  }

  async syncFolder(folder: string): Promise<void> {
    await this.#begin('syncFolder', folder)
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      if (parentOf(path) === folder) this.#keepName(path, this.#durableNames)
    }
  }

  async lock(path: string): Promise<{ release: () => Promise<void> }> {
    if (this.#locks.has(path)) throw new MillraceError('FOLDER_IN_USE', { folder: parentOf(path), pid: 1 })
    const locks = this.#locks
    locks.add(path)
    return {
      release: async () => {
        locks.delete(path)
      },
    }
  }

  crash(keeps: () => boolean): MemoryFileSystem {
    const names: Names = new Map(this.#durableNames)
    for (const path of new Set([...this.#names.keys(), ...this.#durableNames.keys()])) {
      if (this.#names.get(path) !== this.#durableNames.get(path) && keeps()) this.#keepName(path, names)
    }
    const survivors = new Map([...names].map(([path, inode]) => [path, afterCrash(inode, keeps)]))
    return new Memory(survivors, new Map(survivors))
  }

  killProcess(): void {
    this.#locks = new Set()
  }

  content(path: string): Uint8Array {
    return Uint8Array.from(this.#inode(path).cached)
  }

  setContent(path: string, content: Uint8Array): void {
    const inode = { cached: Uint8Array.from(content), durable: Uint8Array.from(content), dirty: [] }
    this.#names.set(path, inode)
    this.#durableNames.set(path, inode)
  }

  paths(): string[] {
    return [...this.#names.keys()].sort()
  }

  #keepName(path: string, names: Names): void {
    const inode = this.#names.get(path)
    if (inode === undefined) names.delete(path)
    else names.set(path, inode)
  }
}

function writeTo(inode: Inode, position: number, bytes: Uint8Array): void {
  inode.cached = overlay(inode.cached, position, bytes)
  inode.dirty.push({ position, bytes })
}

function overlay(content: Uint8Array, position: number, bytes: Uint8Array): Uint8Array {
  const grown = new Uint8Array(Math.max(content.length, position + bytes.length))
  grown.set(content)
  grown.set(bytes, position)
  return grown
}

/** What was synced, and some of the sectors of each newer write. A file can grow before its content arrives. */
function afterCrash(inode: Inode, keeps: () => boolean): Inode {
  let content: Uint8Array = inode.durable
  for (const { position, bytes } of inode.dirty) {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + sectorBytes - ((position + at) % sectorBytes))
      if (keeps()) content = overlay(content, position + at, bytes.subarray(at, end))
      at = end
    }
  }
  return { cached: Uint8Array.from(content), durable: Uint8Array.from(content), dirty: [] }
}
