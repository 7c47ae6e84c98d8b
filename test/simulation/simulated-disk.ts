import { MillraceError } from '../../src/base/faults.ts'
import type { File, FileLock, FileSystem } from '../../src/log/embedded/file-system.ts'
import type { Random } from './random.ts'
import type { Actor, Scheduler } from './scheduler.ts'

export type DiskOperation =
  | 'open'
  | 'size'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'close'
  | 'makeFolder'
  | 'list'
  | 'rename'
  | 'remove'
  | 'syncFolder'
  | 'lock'

/** What goes wrong with the operations of one process. */
export type DiskFaults = {
  /** The code with which an operation fails, or null. */
  failure(operation: DiskOperation): 'EIO' | 'ENOSPC' | null
  /** Virtual milliseconds that an operation takes; infinite for one that never comes back. */
  delayMs(operation: DiskOperation): number
  /** Done at once, with nobody in between: for what changes nothing, in runs that are about something else. */
  isQuick(operation: DiskOperation): boolean
}

/** A change that only the page cache has seen. A write may arrive in sectors, a new length as a whole. */
type Pending =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'length'; readonly sizeBytes: number }

type FileNode = { readonly kind: 'file'; cached: Bytes; durable: Bytes; pending: Pending[] }

type Bytes = Uint8Array<ArrayBuffer>

/** A folder has names in memory, and those that survive a power cut. */
type FolderNode = { readonly kind: 'folder'; readonly names: Names; durable: Names }

type Node = FileNode | FolderNode
type Names = Map<string, Node>

/**
 * A disk and its page cache, as far as POSIX promises anything about them. It outlives the processes that use it.
 *
 * - A power cut keeps of a file what was synced, and any sectors of each newer write, and any newer length.
 * - It keeps of a folder the names that were synced, and any of the newer ones and removals. A folder is a name in
 *   the folder above it, and must be synced there like a file.
 * - A failed sync drops what it should have written: the pages count as clean, whatever the disk holds; and they may
 *   leave the cache, so that the old content is read again.
 * - What a process had under way when it was killed may be done, not done, or half done.
 */
export class SimulatedDisk {
  readonly #random: Random
  readonly #sectorBytes: number
  readonly #locks = new Map<string, Actor>()
  #root: FolderNode = makeFolder()
  /** How often something worth testing happened. */
  readonly counts = { tornWrites: 0, lostNames: 0, droppedPages: 0, powerCuts: 0, failures: 0 }

  constructor(random: Random, sectorBytes: number) {
    this.#random = random
    this.#sectorBytes = sectorBytes
  }

  /** The disk as one process uses it. */
  mount(scheduler: Scheduler, actor: Actor, faults: DiskFaults): FileSystem {
    return new MountedDisk(this, { scheduler, actor, faults })
  }

  /** What the machine does when its power goes: memory is gone, and processes with it. */
  cutPower(): void {
    const survivors = new Map<Node, Node>()
    this.#root = this.#afterCut(this.#root, survivors) as FolderNode
    this.#locks.clear()
    this.counts.powerCuts += 1
  }

  // For whoever looks at the disk from outside.

  /** The names in a folder; empty when there is no such folder. */
  namesIn(path: string): string[] {
    const node = this.find(path)
    return node?.kind === 'folder' ? [...node.names.keys()].sort() : []
  }

  /** A file as a process would read it; null when there is none. */
  contentOf(path: string): Uint8Array | null {
    const node = this.find(path)
    return node?.kind === 'file' ? node.cached : null
  }

  // What the operations do, at once.

  find(path: string): Node | null {
    let node: Node = this.#root
    for (const step of stepsOf(path)) {
      if (node.kind !== 'folder') return null
      const next = node.names.get(step)
      if (next === undefined) return null
      node = next
    }
    return node
  }

  file(path: string): FileNode {
    const node = this.find(path)
    if (node?.kind !== 'file') throw failure('ENOENT', path)
    return node
  }

  folder(path: string): FolderNode {
    const node = this.find(path)
    if (node?.kind !== 'folder') throw failure('ENOENT', path)
    return node
  }

  openFile(path: string, mode: 'read' | 'write'): FileNode {
    const { folder, name } = this.#placeOf(path)
    const existing = folder.names.get(name)
    if (existing === undefined && mode === 'write') {
      const made: FileNode = { kind: 'file', cached: new Uint8Array(0), durable: new Uint8Array(0), pending: [] }
      folder.names.set(name, made)
      return made
    }
    if (existing?.kind !== 'file') throw failure('ENOENT', path)
    return existing
  }

  makeFolders(path: string): void {
    let node: FolderNode = this.#root
    for (const step of stepsOf(path)) {
      let next = node.names.get(step)
      if (next === undefined) {
        next = makeFolder()
        node.names.set(step, next)
      }
      if (next.kind !== 'folder') throw failure('ENOTDIR', path)
      node = next
    }
  }

  rename(from: string, to: string): void {
    const [source, target] = [this.#placeOf(from), this.#placeOf(to)]
    const node = source.folder.names.get(source.name)
    if (node === undefined) throw failure('ENOENT', from)
    target.folder.names.set(target.name, node)
    source.folder.names.delete(source.name)
  }

  remove(path: string): void {
    const { folder, name } = this.#placeOf(path)
    if (!folder.names.delete(name)) throw failure('ENOENT', path)
  }

  syncFolder(path: string): void {
    const folder = this.folder(path)
    folder.durable = new Map(folder.names)
  }

  write(file: FileNode, position: number, bytes: Uint8Array): void {
    file.cached = overlay(file.cached, position, bytes)
    file.pending.push({ kind: 'write', position, bytes })
  }

  truncate(file: FileNode, sizeBytes: number): void {
    file.cached = resized(file.cached, sizeBytes)
    file.pending.push({ kind: 'length', sizeBytes })
  }

  /** Only what counts as not yet written: pages that a failed sync has dropped stay where they are. */
  sync(file: FileNode): void {
    for (const change of file.pending) {
      if (change.kind === 'length') file.durable = resized(file.durable, change.sizeBytes)
      else file.durable = overlay(file.durable, change.position, change.bytes)
    }
    file.pending = []
  }

  /** As Linux does: never again will a sync write these pages. */
  failSync(file: FileNode): void {
    if (file.pending.length > 0) this.counts.droppedPages += 1
    const torn = this.#random.chance(0.5)
    if (torn) file.durable = this.#contentAfter(file)
    file.pending = []
    if (this.#random.chance(0.5)) file.cached = Uint8Array.from(file.durable)
  }

  /** A part of what a call of `write` had to do. */
  writePart(file: FileNode, position: number, bytes: Uint8Array): void {
    const part = bytes.subarray(0, this.#random.below(bytes.length + 1))
    if (part.length > 0) this.write(file, position, part)
  }

  takeLock(path: string, actor: Actor): FileLock {
    const holder = this.#locks.get(path)
    if (holder !== undefined && !holder.dead) {
      throw new MillraceError('FOLDER_IN_USE', { folder: path.slice(0, path.lastIndexOf('/')), pid: 1 })
    }
    this.#locks.set(path, actor)
    return {
      release: async () => {
        if (this.#locks.get(path) === actor) this.#locks.delete(path)
        await Promise.resolve()
      },
    }
  }

  get random(): Random {
    return this.#random
  }

  #placeOf(path: string): { readonly folder: FolderNode; readonly name: string } {
    const slash = path.lastIndexOf('/')
    return { folder: this.folder(path.slice(0, slash)), name: path.slice(slash + 1) }
  }

  #afterCut(node: Node, survivors: Map<Node, Node>): Node {
    const known = survivors.get(node)
    if (known !== undefined) return known
    if (node.kind === 'file') {
      const content = this.#contentAfter(node)
      const file: FileNode = { kind: 'file', cached: content, durable: Uint8Array.from(content), pending: [] }
      survivors.set(node, file)
      return file
    }
    const folder = makeFolder()
    survivors.set(node, folder)
    const names = new Map(node.durable)
    for (const name of new Set([...node.names.keys(), ...node.durable.keys()])) {
      const newer = node.names.get(name)
      if (newer === node.durable.get(name)) continue
      if (this.#random.chance(0.5)) {
        if (newer === undefined) names.delete(name)
        else names.set(name, newer)
      } else this.counts.lostNames += 1
    }
    for (const [name, child] of names) folder.names.set(name, this.#afterCut(child, survivors))
    folder.durable = new Map(folder.names)
    return folder
  }

  /** What the disk holds of a file: what was synced, and some of the newer changes. */
  #contentAfter({ durable, pending }: FileNode): Bytes {
    let content = Uint8Array.from(durable)
    for (const change of pending) {
      if (change.kind === 'length') {
        if (this.#random.chance(0.5)) content = resized(content, change.sizeBytes)
        continue
      }
      let [kept, lost] = [0, 0]
      const { position, bytes } = change
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + this.#sectorBytes - ((position + at) % this.#sectorBytes))
        if (this.#random.chance(0.5)) {
          content = overlay(content, position + at, bytes.subarray(at, end))
          kept += 1
        } else lost += 1
        at = end
      }
      if (kept > 0 && lost > 0) this.counts.tornWrites += 1
    }
    return content
  }
}

type Mount = { readonly scheduler: Scheduler; readonly actor: Actor; readonly faults: DiskFaults }

/** Calls of one process: parked, perhaps failed, then done. */
class MountedDisk implements FileSystem {
  readonly #disk: SimulatedDisk
  readonly #mount: Mount

  constructor(disk: SimulatedDisk, mount: Mount) {
    this.#disk = disk
    this.#mount = mount
  }

  async open(path: string, mode: 'read' | 'write'): Promise<File> {
    const file = await this.#call('open', path, { run: () => this.#disk.openFile(path, mode) })
    return this.#handle(path, file)
  }

  async makeFolder(path: string): Promise<void> {
    await this.#call('makeFolder', path, { run: () => this.#disk.makeFolders(path) })
  }

  async list(path: string): Promise<readonly string[]> {
    return await this.#call('list', path, { run: () => [...this.#disk.folder(path).names.keys()] })
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call('rename', to, { run: () => this.#disk.rename(from, to) })
  }

  async remove(path: string): Promise<void> {
    await this.#call('remove', path, { run: () => this.#disk.remove(path) })
  }

  async syncFolder(path: string): Promise<void> {
    await this.#call('syncFolder', path, { run: () => this.#disk.syncFolder(path) })
  }

  async lock(path: string): Promise<FileLock> {
    return await this.#call('lock', path, { run: () => this.#disk.takeLock(path, this.#mount.actor) })
  }

  #handle(path: string, file: FileNode): File {
    const disk = this.#disk
    return {
      sizeBytes: () => this.#call('size', path, { run: () => file.cached.length }),
      read: (into, position) =>
        this.#call('read', path, {
          run: () => {
            const part = file.cached.subarray(position, position + into.length)
            into.set(part)
            return part.length
          },
        }),
      write: (bytes, position) => {
        const copy = Uint8Array.from(bytes)
        return this.#call('write', path, {
          run: () => disk.write(file, position, copy),
          onFailure: () => disk.writePart(file, position, copy),
        })
      },
      truncate: (sizeBytes) => this.#call('truncate', path, { run: () => disk.truncate(file, sizeBytes) }),
      sync: () => this.#call('sync', path, { run: () => disk.sync(file), onFailure: () => disk.failSync(file) }),
      close: () => this.#call('close', path, { run: () => undefined }),
    }
  }

  #call<T>(
    operation: DiskOperation,
    path: string,
    { run, onFailure }: { readonly run: () => T; readonly onFailure?: () => void },
  ): Promise<T> {
    const { scheduler, actor, faults } = this.#mount
    const act = (): T => {
      const code = faults.failure(operation)
      if (code === null) return run()
      this.#disk.counts.failures += 1
      onFailure?.()
      scheduler.note('disk', code)
      throw failure(code, path)
    }
    if (faults.isQuick(operation)) return actor.dead ? new Promise(() => {}) : settled(act)
    const abandon = (): void => {
      const fate = this.#disk.random.below(3)
      if (fate === 0) return
      // What the kernel had begun it may bring to its end, or part of it. A missing file is nobody's concern now.
      if (fate === 1 && operation === 'write') onFailure?.()
      else attempt(run)
    }
    return scheduler.step({ actor, label: `${operation} ${path}` }, act, {
      delayMs: faults.delayMs(operation),
      abandon,
    })
  }
}

async function settled<T>(run: () => T): Promise<T> {
  return await Promise.resolve(run())
}

function attempt(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

function makeFolder(): FolderNode {
  return { kind: 'folder', names: new Map(), durable: new Map() }
}

const knownSteps = new Map<string, readonly string[]>()

/** Few paths make up all runs. */
function stepsOf(path: string): readonly string[] {
  let steps = knownSteps.get(path)
  if (steps === undefined) {
    steps = path.split('/').filter((step) => step !== '')
    knownSteps.set(path, steps)
  }
  return steps
}

function overlay(content: Uint8Array, position: number, bytes: Uint8Array): Bytes {
  const grown = new Uint8Array(Math.max(content.length, position + bytes.length))
  grown.set(content)
  grown.set(bytes, position)
  return grown
}

function resized(content: Uint8Array, sizeBytes: number): Bytes {
  const changed = new Uint8Array(sizeBytes)
  changed.set(content.subarray(0, sizeBytes))
  return changed
}
