import { reach } from '../../base/crash-points.ts'
import type { File, FileSystem } from './file-system.ts'
import { Segment } from './segment.ts'

/** Writes the newest segment of a partition and begins the next one. After any failure it must not be used again. */
export class SegmentWriter {
  readonly #fileSystem: FileSystem
  #file: File
  #segment: Segment

  private constructor(fileSystem: FileSystem, file: File, segment: Segment) {
    this.#fileSystem = fileSystem
    this.#file = file
    this.#segment = segment
  }

  static async open(fileSystem: FileSystem, segment: Segment): Promise<SegmentWriter> {
    return new SegmentWriter(fileSystem, await fileSystem.open(segment.path, 'write'), segment)
  }

  get segment(): Segment {
    return this.#segment
  }

  /** Writes a group of batches after what is durable, and resolves when it is durable too. */
  async write(group: Uint8Array): Promise<void> {
    await this.#file.write(group, this.#segment.sizeBytes)
    reach('log.group.written')
    await this.#file.sync()
  }

  /** Begins the next segment. All that the old one holds is durable by now, so it never changes again. */
  async roll(): Promise<Segment> {
    const full = this.#segment
    const segment = new Segment(full.folder, full.nextOffset)
    const file = await this.#fileSystem.open(segment.path, 'write')
    reach('log.roll.created')
    const fullFile = this.#file
    this.#file = file
    await fullFile.close()
    // Before anything in it counts as durable, its name must be.
    await this.#fileSystem.syncFolder(full.folder)
    reach('log.roll.named')
    await full.seal(this.#fileSystem)
    reach('log.roll.sealed')
    this.#segment = segment
    return segment
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
