import { reach } from '../../base/crash-points.ts'
import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/faults.ts'
import type { BatchHeader } from '../record-batch.ts'
import { type File, type FileSystem, readWhole, writeFileWhole } from './file-system.ts'
import { SparseIndex } from './sparse-index.ts'

/**
 * One file of a partition: whole batches with offsets `[baseOffset, nextOffset)`, and what is known of them. The newest
 * segment grows; the others never change. Sizes and offsets count durable batches only.
 */
export class Segment {
  readonly folder: string
  readonly baseOffset: number
  #nextOffset: number
  #sizeBytes = 0
  #newestMs = Number.NEGATIVE_INFINITY
  #index: SparseIndex | null

  constructor(folder: string, baseOffset: number) {
    this.folder = folder
    this.baseOffset = baseOffset
    this.#nextOffset = baseOffset
    this.#index = new SparseIndex(baseOffset)
  }

  get nextOffset(): number {
    return this.#nextOffset
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The newest timestamp of its records; minus infinity without any. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** Of its files, without their endings. */
  get name(): string {
    return segmentName(this.baseOffset)
  }

  get path(): string {
    return `${this.folder}/${segmentName(this.baseOffset)}.log`
  }

  /** Takes note of the batch that follows the last one. */
  extend(batch: BatchHeader): void {
    this.#index?.add(batch, this.#sizeBytes)
    this.#sizeBytes += batch.sizeBytes
    this.#nextOffset = batch.nextOffset
    this.#newestMs = Math.max(this.#newestMs, batch.maxTimestampMs)
  }

  /** Writes the index files of a segment that is full, and lets go of the index. They are hints: losing them is harmless. */
  async seal(fileSystem: FileSystem): Promise<void> {
    const index = this.#index
    if (index === null) return
    const extent = { sizeBytes: this.#sizeBytes, records: this.#nextOffset - this.baseOffset }
    const { offsets, times } = index.encode(extent)
    await writeFileWhole(fileSystem, this.#pathOf('index'), offsets)
    reach('log.index.half-written')
    await writeFileWhole(fileSystem, this.#pathOf('timeindex'), times)
    this.#index = null
  }

  /** Learns what is in a full segment of `sizeBytes` from its index files. False when they are missing or damaged. */
  async loadSummary(fileSystem: FileSystem, sizeBytes: number): Promise<boolean> {
    const loaded = await this.#readIndex(fileSystem, sizeBytes)
    if (loaded === null) return false
    this.#sizeBytes = sizeBytes
    this.#nextOffset = loaded.nextOffset
    this.#newestMs = loaded.index.newestMs
    this.#index = null
    return true
  }

  /** The index to read by. One that was damaged since the segment was opened gives way to reading from the start. */
  async loadIndex(fileSystem: FileSystem): Promise<SparseIndex> {
    if (this.#index !== null) return this.#index
    return (await this.#readIndex(fileSystem, this.#sizeBytes))?.index ?? new SparseIndex(this.baseOffset)
  }

  /** Where the segment is written anew, before the draft takes its place. */
  get draftPath(): string {
    return `${this.path}.draft`
  }

  /**
   * Puts the draft in place of the file. The index files go first and are written again at last: with those of the old
   * content beside the new one, a segment of the same size would be read at the wrong places. A crash leaves the old
   * content or the new one, and perhaps no index. Nobody may read the segment meanwhile.
   */
  async replaceFile(fileSystem: FileSystem, rewritten: Segment): Promise<void> {
    assert(rewritten.#nextOffset === this.#nextOffset, 'a segment that is written anew keeps its offsets')
    const names = new Set(await fileSystem.list(this.folder))
    for (const ending of ['index', 'timeindex']) {
      if (names.has(`${segmentName(this.baseOffset)}.${ending}`)) await fileSystem.remove(this.#pathOf(ending))
    }
    await fileSystem.syncFolder(this.folder)
    await fileSystem.rename(this.draftPath, this.path)
    this.#sizeBytes = rewritten.#sizeBytes
    this.#newestMs = rewritten.#newestMs
    this.#index = rewritten.#index
    await fileSystem.syncFolder(this.folder)
    await this.seal(fileSystem)
  }

  /** The index files first: a log file without them is whole, and they are nothing without it. */
  async remove(fileSystem: FileSystem): Promise<void> {
    reach('log.retention.begun')
    const names = new Set(await fileSystem.list(this.folder))
    for (const ending of ['index', 'timeindex', 'log']) {
      const name = `${segmentName(this.baseOffset)}.${ending}`
      if (names.has(name)) await fileSystem.remove(`${this.folder}/${name}`)
      reach('log.retention.file-removed')
    }
    await fileSystem.syncFolder(this.folder)
    reach('log.retention.removed')
  }

  corrupt(position: number, detail: string, options?: ErrorOptions): MillraceError {
    return new MillraceError('LOG_CORRUPT', { file: this.path, position, detail }, options)
  }

  async #readIndex(fileSystem: FileSystem, sizeBytes: number): Promise<LoadedIndex | null> {
    const offsets = await readWhole(fileSystem, this.#pathOf('index'))
    const times = await readWhole(fileSystem, this.#pathOf('timeindex'))
    if (offsets === null || times === null) return null
    return SparseIndex.decode({ offsets, times }, { baseOffset: this.baseOffset, sizeBytes })
  }

  #pathOf(ending: string): string {
    return `${this.folder}/${segmentName(this.baseOffset)}.${ending}`
  }
}

type LoadedIndex = { readonly index: SparseIndex; readonly nextOffset: number }

/** Twenty digits, so that names sort as offsets do. */
export function segmentName(baseOffset: number): string {
  return String(baseOffset).padStart(20, '0')
}

/** The base offsets of the segments among the names of a partition's folder, in order. */
export function segmentsAmong(names: readonly string[]): readonly number[] {
  return names
    .filter((name) => /^\d{20}\.log$/.test(name))
    .map((name) => Number(name.slice(0, 20)))
    .sort((left, right) => left - right)
}

/** Exactly `[position, position + sizeBytes)` of a file. */
export async function readBytes(file: File, position: number, sizeBytes: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes)
  const done = await file.read(bytes, position)
  if (done !== sizeBytes) throw new Error(`the file ends at byte ${position + done}, before ${position + sizeBytes}`)
  return bytes
}
