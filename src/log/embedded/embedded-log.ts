import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import { reach } from '../../base/crash-points.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'
import type { Log, LogRead, RecordInput, TopicDescription, TopicOptions } from '../log.ts'
import { checkTopicsOfEnds, type DurableEnds, joinEnds, readEndMark, writeEndMark } from './end-mark.ts'
import { type FileLock, type FileSystem, makeFolderDurably, writeAtomically } from './file-system.ts'
import { nodeFileSystem } from './node-file-system.ts'
import { Partition } from './partition.ts'
import type { Replacements } from './rewrite.ts'
import {
  createTopicFiles,
  damaged,
  logVersion,
  partitionFolder,
  readLogId,
  readTopicFiles,
  writeTopicFile,
  topicFolder,
} from './topic-file.ts'
import { checkExisting, checkTopicName, checkTopicOptions } from '../topic-rules.ts'

export type EmbeddedLogOptions = {
  readonly folder: string
  /** Decides only which segments are past their retention. */
  readonly clock: Clock
  /** A segment is closed before it would grow beyond this; a single larger call has one to itself. Default: 64 MiB. */
  readonly segmentBytes?: number
  /** Key and value of one record. Default: 1 MiB. Headers have 64 KiB of their own, so that a dead letter always fits. */
  readonly recordBytesMax?: number
  /** All records of one call. Default: 64 MiB. */
  readonly appendBytesMax?: number
  /** The newest bytes of each partition that are kept in memory for readers. Default: 1 MiB. */
  readonly tailBytesMax?: number
  /**
   * Topic → ends that were durable once by other evidence, such as a checkpoint. Recovery then takes what is missing
   * below them for damage, and cuts nothing off.
   */
  readonly durableEnds?: DurableEnds
  readonly fileSystem?: FileSystem
  /** Names a new log; must never give the same name twice. Default: a random UUID. */
  readonly makeId?: () => string
}

export interface EmbeddedLog extends Log {
  /** Removes what is past its retention by now. Also done on open and whenever a segment is full. */
  enforceRetention(): Promise<void>

  /** Changes for how long a topic keeps its records, from the next opening on: nothing is removed before that. */
  setRetention(topic: string, retentionMs: number): Promise<void>
  /**
   * Puts other keys, values and headers in place of those of some records, by offset; offsets and timestamps stay. When
   * it resolves, nothing on disk holds the old ones any more.
   */
  replace(topic: string, partition: number, replacements: Replacements): Promise<void>
}

/**
 * Opens the log in a folder, or begins a new one there, as the only process that does.
 *
 * Throws `FOLDER_IN_USE`, `LOG_CORRUPT` when durable records are damaged, `LOG_VERSION_UNKNOWN` for a folder of
 * another release, and `LOG_FOLDER_UNUSABLE` when the file system refuses.
 */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const settings = makeSettings(options)
  const { folder, fileSystem } = settings
  return orFolderUnusable(folder, async () => {
    await makeFolderDurably(fileSystem, folder)
    const lock = await fileSystem.lock(`${folder}/lock`)
    const topics = new Map<string, Topic>()
    try {
      const id = await readOrMakeId(settings)
      const marked = await readEndMark(fileSystem, folder, id)
      const ends = joinEnds(marked, settings.durableEnds)
      const descriptions = await readTopicFiles(fileSystem, folder)
      await syncNames(fileSystem, folder, descriptions)
      checkTopicsOfEnds(folder, ends, (topic) => descriptions.find((one) => one.topic === topic)?.partitions ?? 0)
      for (const description of descriptions) {
        topics.set(description.topic, await openTopic(settings, description, ends))
      }
      return new OpenLog(id, { settings, lock, topics, marked })
    } catch (error) {
      const closed = new MillraceError('LOG_CLOSED', {})
      for (const topic of topics.values()) for (const partition of topic.partitions) await partition.close(closed)
      await lock.release()
      throw error
    }
  })
}

type Settings = Required<EmbeddedLogOptions>

type Topic = { readonly description: TopicDescription; readonly partitions: readonly Partition[] }

type OpenParts = {
  readonly settings: Settings
  readonly lock: FileLock
  readonly topics: Map<string, Topic>
  /** The ends that the folder's mark gave when it was opened. */
  readonly marked: DurableEnds
}

class OpenLog implements EmbeddedLog {
  readonly id: string
  readonly #settings: Settings
  readonly #lock: FileLock
  readonly #topics: Map<string, Topic>
  readonly #marked: DurableEnds
  #descriptions: readonly TopicDescription[] = []
  #creating: Promise<void> = Promise.resolve()
  #closing: Promise<void> | null = null

  constructor(id: string, { settings, lock, topics, marked }: OpenParts) {
    this.id = id
    this.#settings = settings
    this.#lock = lock
    this.#topics = topics
    this.#marked = marked
    this.#describe()
  }

  createTopic(topic: string, options: TopicOptions): Promise<void> {
    // One after the other: two calls for one topic must not both create it.
    const created = this.#creating.then(() => this.#createTopic(topic, options))
    // Only the order is kept here; the error goes to whoever asked.
    this.#creating = created.catch(() => undefined)
    return created
  }

  topics(): readonly TopicDescription[] {
    this.#refuseClosed()
    return this.#descriptions
  }

  // Async, so that what is refused at once rejects as well. Up to the partition's queue nothing is awaited: that keeps
  // the order of the calls.
  async append(topic: string, partition: number, records: readonly RecordInput[]): Promise<number> {
    const target = this.#partition(topic, partition)
    assert(records.length > 0, 'a call appends at least one record')
    checkSizes(records, this.#settings)
    return target.append(records)
  }

  async read(topic: string, partition: number, offset: number, bytesMax: number): Promise<LogRead> {
    const records = await this.#partition(topic, partition).read(offset, bytesMax)
    const last = records.at(-1)
    return { records, next: last === undefined ? offset : last.offset + 1 }
  }

  start(topic: string, partition: number): number {
    return this.#partition(topic, partition).start
  }

  end(topic: string, partition: number): number {
    return this.#partition(topic, partition).end
  }

  /** Nobody else appends. */
  async refresh(topic: string): Promise<void> {
    this.#partition(topic, 0)
  }

  async offsetAt(topic: string, partition: number, timestampMs: number): Promise<number> {
    return this.#partition(topic, partition).offsetAt(timestampMs)
  }

  async waitFor(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    await this.#partition(topic, partition).waitFor(offset, signal)
  }

  async enforceRetention(): Promise<void> {
    this.#refuseClosed()
    for (const { partitions } of this.#topics.values()) {
      for (const partition of partitions) await partition.enforceRetention()
    }
  }

  async replace(topic: string, partition: number, replacements: Replacements): Promise<void> {
    const target = this.#partition(topic, partition)
    for (const replacement of replacements.values()) checkSizes([{ ...replacement, timestampMs: 0 }], this.#settings)
    await target.replace(replacements)
  }

  /** Appends already made are finished first. Those who still wait for records get `LOG_CLOSED`. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#creating
    const reason = new MillraceError('LOG_CLOSED', {})
    const partitions = [...this.#topics.values()].flatMap((topic) => topic.partitions)
    const outcomes = await Promise.allSettled(partitions.map((partition) => partition.close(reason)))
    const whole = outcomes.every(({ status }) => status === 'fulfilled') && !partitions.some(({ stopped }) => stopped)
    try {
      if (whole) await this.#markEnds()
    } finally {
      await this.#lock.release()
    }
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** Leaves a log that was stopped by a fault without a new mark: its disk is not to be relied upon. */
  async #markEnds(): Promise<void> {
    const { folder, fileSystem } = this.#settings
    const ends = new Map([...this.#topics].map(([topic, { partitions }]) => [topic, partitions.map(({ end }) => end)]))
    const known = [...ends].every(([topic, list]) =>
      list.every((end, index) => end === this.#marked.get(topic)?.[index]),
    )
    if (known) return
    await orFolderUnusable(folder, () => writeEndMark(fileSystem, folder, { log: this.id, ends }))
  }

  async #createTopic(topic: string, options: TopicOptions): Promise<void> {
    this.#refuseClosed()
    checkTopicName(topic, this.#topics.keys())
    checkTopicOptions(options)
    const existing = this.#topics.get(topic)?.description
    if (existing !== undefined) {
      checkExisting(existing, options)
      return
    }
    const description = { topic, partitions: options.partitions, retentionMs: options.retentionMs ?? null }
    const { folder, fileSystem } = this.#settings
    await orFolderUnusable(folder, async () => {
      await createTopicFiles(fileSystem, folder, description)
      this.#topics.set(topic, await openTopic(this.#settings, description, new Map()))
    })
    this.#describe()
  }

  async setRetention(topic: string, retentionMs: number): Promise<void> {
    this.#partition(topic, 0)
    const { description, partitions } = this.#topics.get(topic)!
    checkTopicOptions({ partitions: partitions.length, retentionMs })
    const changed = { ...description, retentionMs }
    const { folder, fileSystem } = this.#settings
    await orFolderUnusable(folder, () => writeTopicFile(fileSystem, folder, changed))
    this.#topics.set(topic, { description: changed, partitions })
    this.#describe()
  }

  #describe(): void {
    const names = [...this.#topics.keys()].sort()
    this.#descriptions = names.map((name) => this.#topics.get(name)!.description)
  }

  #partition(topic: string, partition: number): Partition {
    this.#refuseClosed()
    const found = this.#topics.get(topic)
    if (found === undefined) {
      const topics = this.#descriptions.map((one) => one.topic).join(', ') || 'none'
      throw new MillraceError('LOG_TOPIC_UNKNOWN', { topic, topics })
    }
    const target = found.partitions[partition]
    if (target === undefined) {
      const { partitions } = found.description
      throw new MillraceError('LOG_PARTITION_UNKNOWN', { topic, partition, partitions })
    }
    return target
  }

  #refuseClosed(): void {
    if (this.#closing !== null) throw new MillraceError('LOG_CLOSED', {})
  }
}

const mebibyte = 1024 * 1024
const headersBytesMax = 64 * 1024

/** Positions inside a segment are written in 32 bits, and one call may go beyond `segmentBytes`. */
const segmentBytesLimit = 1024 * mebibyte

function makeSettings(options: EmbeddedLogOptions): Settings {
  const settings: Settings = {
    segmentBytes: 64 * mebibyte,
    recordBytesMax: mebibyte,
    appendBytesMax: 64 * mebibyte,
    tailBytesMax: mebibyte,
    durableEnds: new Map(),
    fileSystem: nodeFileSystem,
    makeId: randomUUID,
    ...options,
  }
  assert(settings.segmentBytes > 0 && settings.segmentBytes <= segmentBytesLimit, 'a segment is of 1 byte to 1 GiB')
  assert(settings.appendBytesMax <= segmentBytesLimit, 'one call appends at most 1 GiB')
  return settings
}

/** Written once, before anything else in the folder. A folder with topics and no id has lost it. */
async function readOrMakeId({ folder, fileSystem, makeId }: Settings): Promise<string> {
  const existing = await readLogId(fileSystem, folder)
  if (existing !== null) return existing
  const file = `${folder}/log.json`
  const names = await fileSystem.list(folder)
  if (names.includes('topics') && (await fileSystem.list(`${folder}/topics`)).length > 0) {
    throw damaged(file, 'it is missing, and the folder holds topics')
  }
  reach('log.id.begun')
  await fileSystem.makeFolder(`${folder}/topics`)
  // Before the id: whoever finds one must be able to rely on the folders. A process may have died after it made them.
  for (const one of [folder, dirname(folder), dirname(dirname(folder))]) await fileSystem.syncFolder(one)
  const id = makeId()
  const text = `${JSON.stringify({ version: logVersion, id }, null, 2)}\n`
  await writeAtomically(fileSystem, { folder, name: 'log.json' }, Buffer.from(text))
  reach('log.id.made')
  return id
}

/**
 * A name that is seen need not be durable: its process may have died, or met a failing disk, between making it and
 * syncing its folder. So all that was found is synced before anything is acknowledged that relies on it. Recovery does
 * the same for the folders of partitions.
 */
async function syncNames(
  fileSystem: FileSystem,
  folder: string,
  descriptions: readonly TopicDescription[],
): Promise<void> {
  await fileSystem.syncFolder(folder)
  await fileSystem.syncFolder(`${folder}/topics`)
  for (const { topic } of descriptions) await fileSystem.syncFolder(topicFolder(folder, topic))
}

async function openTopic(settings: Settings, description: TopicDescription, ends: DurableEnds): Promise<Topic> {
  const { topic, retentionMs } = description
  const { segmentBytes, tailBytesMax, fileSystem, clock } = settings
  const partitions: Partition[] = []
  try {
    for (let partition = 0; partition < description.partitions; partition++) {
      const folder = partitionFolder(settings.folder, topic, partition)
      const place = { topic, partition, folder, retentionMs, durableEnd: ends.get(topic)?.[partition] ?? 0 }
      partitions.push(await Partition.open({ ...place, segmentBytes, tailBytesMax, fileSystem, clock }))
    }
  } catch (error) {
    for (const partition of partitions) await partition.close(new MillraceError('LOG_CLOSED', {}))
    throw error
  }
  return { description, partitions }
}

function checkSizes(records: readonly RecordInput[], { recordBytesMax, appendBytesMax }: Settings): void {
  let total = 0
  for (const { key, value, headers } of records) {
    const size = (key?.length ?? 0) + (value?.length ?? 0)
    if (size > recordBytesMax) throw new MillraceError('LOG_RECORD_TOO_LARGE', { size, limit: recordBytesMax })
    total += size
    if (headers === undefined || headers.length === 0) continue
    let headersSize = 0
    for (const [name, content] of headers) headersSize += Buffer.byteLength(name) + content.length
    if (headersSize > headersBytesMax) {
      throw new MillraceError('LOG_RECORD_TOO_LARGE', { size: headersSize, limit: headersBytesMax })
    }
    total += headersSize
  }
  if (total > appendBytesMax) {
    throw new MillraceError('REQUEST_TOO_LARGE', { size: total, unit: 'bytes', limit: appendBytesMax })
  }
}

async function orFolderUnusable<Result>(folder: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('LOG_FOLDER_UNUSABLE', { folder, detail: messageOf(error) }, { cause: error })
  }
}
