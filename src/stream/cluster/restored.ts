import type { Log, LogRecord } from '../../log/log.ts'
import type { StoreChange } from '../../store/online/online-store.ts'
import type { StoreSection } from './store-section.ts'
import { Digest, emptyDigest } from './digest.ts'
import { type ReadCheckpoint, StateReader } from './state-reader.ts'
import type { Commit } from './state-record.ts'

/** A partition of a state topic, and the part of a store that holds what it says. */
export type StatePlace = {
  readonly log: Log
  readonly topic: string
  readonly partition: number
  readonly section: StoreSection
}

/** What a section holds: the checkpoints of the state topic before an offset. */
type Position = {
  readonly log: string
  readonly offset: number
  /** Keys that have to be written again, by name. */
  readonly touched: readonly string[]
  /** Of the entries as they are here: while they are read from a compacted topic, not yet those of the commit. */
  readonly digest: string
  readonly entries: number
  readonly commit: Commit
}

/** No entry of a task has this key: theirs are of two bytes at least, or begin lower. */
const positionKey: Uint8Array = Uint8Array.of(0xff)

/** What there is of a state topic in a section: read from there on, or anew. */
export class Restored {
  readonly reader: StateReader
  readonly #place: StatePlace
  #digest: Digest
  #commit: Commit | null
  /** Everything before it was read. */
  offset: number

  private constructor(place: StatePlace, position: Position | null) {
    this.#place = place
    const { commit = null } = position ?? {}
    const from = commit === null ? null : { epoch: commit.epoch, touched: position!.touched }
    this.reader = new StateReader(place.topic, from)
    this.#digest = new Digest(position ?? emptyDigest)
    this.#commit = commit
    this.offset = position?.offset ?? place.log.start(place.topic, place.partition)
  }

  /** As the section has it; emptied, when that is of another log, or of one that holds less. */
  static async open(place: StatePlace): Promise<Restored> {
    const { log, topic, partition, section } = place
    const bytes = section.get(positionKey)
    const position = bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString()) as Position)
    const [start, end] = [log.start(topic, partition), log.end(topic, partition)]
    if (position !== null && position.log === log.id && position.offset >= start && position.offset <= end) {
      return new Restored(place, position)
    }
    return await Restored.anew(place)
  }

  static async anew(place: StatePlace): Promise<Restored> {
    await place.section.clear()
    return new Restored(place, null)
  }

  /** The last checkpoint that counts; null: there is none. */
  get commit(): Commit | null {
    return this.#commit
  }

  /** Whether the entries are those that the last checkpoint says. */
  get isWhole(): boolean {
    const { digest, entries } = this.#digest.value
    return this.#commit === null ? entries === 0 : this.#commit.digest === digest && this.#commit.entries === entries
  }

  /** Takes what the topic holds before `end`. */
  async readTo(end: number): Promise<void> {
    for await (const record of this.#records(end)) {
      const checkpoint = this.reader.take(record)
      if (checkpoint !== null) await this.#apply(checkpoint, record.offset + 1)
    }
  }

  /** Takes no checkpoint from what the topic holds before `end`: it all has to be written again. */
  async readOver(end: number): Promise<void> {
    for await (const record of this.#records(end)) this.reader.passOver(record)
  }

  async *#records(end: number): AsyncGenerator<LogRecord> {
    const { log, topic, partition } = this.#place
    while (this.offset < end) {
      const { records, next } = await log.read(topic, partition, this.offset, readBytesMax)
      for (const record of records) {
        if (record.offset < end) yield record
      }
      this.offset = Math.min(next, end)
    }
  }

  /** What the sum over all entries is once these changes are made. */
  after(changes: readonly StoreChange[]): Digest['value'] {
    const digest = new Digest(this.#digest.value)
    for (const [key, value] of changes) digest.change(key, this.#place.section.get(key), value)
    return digest.value
  }

  /** A checkpoint of the owner's that ends before `offset`, and counts: the section has it from now on. */
  async wrote({ commit, changes }: ReadCheckpoint, offset: number): Promise<void> {
    this.offset = offset
    await this.#apply({ commit, changes }, offset, commit)
  }

  async #apply(
    { commit, changes }: ReadCheckpoint,
    offset: number,
    sum: Digest['value'] = this.after(changes),
  ): Promise<void> {
    const { log, section } = this.#place
    const { digest, entries } = sum
    const touched = [...this.reader.touched.keys()]
    const position: Position = { log: log.id, offset, touched, digest, entries, commit }
    await section.write([...changes, [positionKey, Buffer.from(JSON.stringify(position))]])
    this.#digest = new Digest(sum)
    this.#commit = commit
  }
}

const readBytesMax = 4 * 1024 * 1024
