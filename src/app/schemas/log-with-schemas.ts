import { type Clock, systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Log, LogRead, LogRecord } from '../../log/log.ts'
import type { Plan } from '../../plan/plan.ts'
import { processedEventsTopic, writerSchemasTopic } from '../../plan/topics.ts'
import { readSchema, type RegisteredSchema, type WriterNote, WriterSchemas } from '../../plan/writer-schemas.ts'
import { type Writer, writerIdOf } from '../../schema/avro/writer.ts'
import { readProcessed } from '../../stream/cluster/processed-record.ts'
import { registryAccess, type RegistryEnvironment, type RegistryPatience, SchemaRegistry } from './schema-registry.ts'

export type SchemaOptions = {
  readonly clock?: Clock
  /** Where the credentials of registries are. Default: the process's. */
  readonly environment?: RegistryEnvironment
  readonly patience?: Omit<RegistryPatience, 'signal'>
  /** Whether what is found out may be noted in the log. Default: it may. */
  readonly readOnly?: boolean
  /** A number that was unknown is asked for again after so long. Default: 10 s. */
  readonly askAgainMs?: number
}

/**
 * A log whose records come with what is known of their writers' schemas. What is not noted yet is asked of the registry
 * and noted in the log before any record is handed out that depends on it: who reads the same records later gets the
 * same, without the registry. While the registry does not answer, reading waits, and then fails: no record is refused
 * for that.
 */
export class LogWithSchemas implements Log {
  readonly #log: Log
  readonly #plans: () => readonly Plan[]
  readonly #options: SchemaOptions
  readonly #clock: Clock
  readonly #notes = new WriterSchemas()
  readonly #registries = new Map<string, SchemaRegistry>()
  /** When the registry said that it does not know a number. */
  readonly #askedAt = new Map<string, number>()
  readonly #stop = new AbortController()
  /** Of the topic of notes: up to where it was read. */
  #next = 0
  /** One after another: a second reader of a number finds what the first one noted. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(log: Log, plans: () => readonly Plan[], options: SchemaOptions = {}) {
    this.#log = log
    this.#plans = plans
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  get id(): string {
    return this.#log.id
  }

  async read(topic: string, partition: number, offset: number, bytesMax: number): Promise<LogRead> {
    const read = await this.#log.read(topic, partition, offset, bytesMax)
    const isProcessed = topic.startsWith(processedPrefix)
    if (!isProcessed && this.#registryOf(topic) === undefined) return read
    if (read.records.every(({ value }) => writerIdOf(value) === null)) return read
    const sourceOf = isProcessed
      ? (record: LogRecord) => sourceOfProcessed(record, topic)
      : (record: LogRecord) => ({ topic, partition, offset: record.offset })
    return { ...read, records: await this.#withWriters(read.records, sourceOf) }
  }

  /** What a value in the form of a topic names as its writer; undefined where it names none. Nothing is noted. */
  async writerOf(topic: string, value: Uint8Array | null): Promise<Writer | undefined> {
    const id = writerIdOf(value)
    const url = this.#registryOf(topic)
    if (id === null || url === undefined) return undefined
    return await this.#alone(async () => {
      await this.#readNotes()
      const known = this.#notes.latest(topic, id)
      if (known !== undefined) return known
      const found = await this.#ask(url, id)
      return { id, schema: found === null ? null : readSchema(found) }
    })
  }

  /** Undefined: its records name no schemas. */
  #registryOf(topic: string): string | null | undefined {
    for (const { streams } of this.#plans()) {
      for (const stream of streams) {
        if (stream.topic === topic && stream.format.registry !== null) return stream.format.registry.url
      }
    }
    return undefined
  }

  async #withWriters(
    records: readonly LogRecord[],
    sourceOf: (record: LogRecord) => Source,
  ): Promise<readonly LogRecord[]> {
    const named = records.map((record): Named | null => {
      const id = writerIdOf(record.value)
      const source = id === null ? null : sourceOf(record)
      const url = source === null ? undefined : this.#registryOf(source.topic)
      return url === undefined ? null : { id: id!, url, ...source! }
    })
    const find = (one: Named): Writer | undefined => this.#notes.find(one.topic, one.id, one)
    const isOpen = (one: Named | null): one is Named => one !== null && find(one) === undefined
    if (named.some(isOpen)) {
      await this.#alone(async () => {
        await this.#readNotes()
        // Of each number in each partition the last record: what is noted reaches up to it.
        const open = new Map(named.filter(isOpen).map((one) => [`${one.topic} ${one.partition} ${one.id}`, one]))
        for (const one of open.values()) if (isOpen(one)) await this.#findOut(one)
      })
    }
    return records.map((record, index) => {
      const one = named[index]!
      return one === null ? record : { ...record, writer: find(one) ?? undecided(one) }
    })
  }

  async #findOut({ id, url, topic, partition, offset }: Named): Promise<void> {
    const found = await this.#ask(url, id)
    const about = { version: 1, topic, id, at: new Date(this.#clock.now()).toISOString() } as const
    if (this.#options.readOnly === true) {
      // Whoever runs the definitions will find the same: a number that is known means one schema for ever.
      if (found !== null) this.#notes.add({ offset: -1, value: encode({ ...about, outcome: 'known', ...found }) })
      return
    }
    await this.#note(
      found === null
        ? { ...about, outcome: 'unknown', partition, to: offset + 1 }
        : { ...about, outcome: 'known', ...found },
    )
  }

  async #note(note: WriterNote): Promise<void> {
    const log = this.#log
    if (!log.topics().some(({ topic }) => topic === writerSchemasTopic)) {
      await log.createTopic(writerSchemasTopic, { partitions: 1 })
    }
    await log.append(writerSchemasTopic, 0, [{ key: null, value: encode(note), timestampMs: this.#clock.now() }])
    // As it lies in the log: another process may have noted something before.
    await this.#readNotes()
  }

  async #readNotes(): Promise<void> {
    const log = this.#log
    if (!log.topics().some(({ topic }) => topic === writerSchemasTopic)) return
    await log.refresh(writerSchemasTopic)
    this.#next = Math.max(this.#next, log.start(writerSchemasTopic, 0))
    while (this.#next < log.end(writerSchemasTopic, 0)) {
      const { records, next } = await log.read(writerSchemasTopic, 0, this.#next, 1024 * 1024)
      for (const record of records) this.#notes.add(record)
      this.#next = next
    }
  }

  async #ask(url: string | null, id: number): Promise<RegisteredSchema | null> {
    const place = `${url ?? ''} ${id}`
    const { askAgainMs = 10_000, environment = process.env, patience } = this.#options
    const before = this.#askedAt.get(place)
    if (before !== undefined && this.#clock.elapsed() - before < askAgainMs) return null
    let registry = this.#registries.get(url ?? '')
    if (registry === undefined) {
      const access = registryAccess(url, environment)
      registry = new SchemaRegistry(access, this.#clock, { ...patience, signal: this.#stop.signal })
      this.#registries.set(url ?? '', registry)
    }
    const found = await registry.schema(id)
    if (found === null) this.#askedAt.set(place, this.#clock.elapsed())
    else this.#askedAt.delete(place)
    return found
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work, work)
    this.#last = done.catch(() => undefined)
    return await done
  }

  /** Waits for no registry any more. */
  stopWaiting(): void {
    this.#stop.abort()
  }

  async close(): Promise<void> {
    this.stopWaiting()
    await this.#log.close()
  }

  createTopic: Log['createTopic'] = (topic, options) => this.#log.createTopic(topic, options)
  topics: Log['topics'] = () => this.#log.topics()
  append: Log['append'] = (topic, partition, records) => this.#log.append(topic, partition, records)
  start: Log['start'] = (topic, partition) => this.#log.start(topic, partition)
  end: Log['end'] = (topic, partition) => this.#log.end(topic, partition)
  refresh: Log['refresh'] = (topic) => this.#log.refresh(topic)
  offsetAt: Log['offsetAt'] = (topic, partition, ms) => this.#log.offsetAt(topic, partition, ms)
  waitFor: Log['waitFor'] = (topic, partition, offset, signal) => this.#log.waitFor(topic, partition, offset, signal)
}

/** Where a record lies that names a schema, or where it lay before it was sent on. */
type Source = { readonly topic: string; readonly partition: number; readonly offset: number }
type Named = Source & { readonly id: number; readonly url: string | null }

const processedPrefix = processedEventsTopic('')

function sourceOfProcessed(record: LogRecord, topic: string): Source {
  const { source, offset } = readProcessed(record, topic)
  const [, from, partition] = source.split(' ')
  return { topic: from!, partition: Number(partition), offset }
}

function undecided({ id, topic, partition, offset }: Named): never {
  throw new MillraceError('WRITER_SCHEMA_UNDECIDED', { id, topic, partition, offset })
}

function encode(note: WriterNote): Uint8Array {
  return Buffer.from(JSON.stringify(note))
}

/** For who reads a log and does not run it: nothing is noted. */
export function readingSchemas(log: Log, plans: readonly Plan[], clock?: Clock): Log {
  const names = plans.some(({ streams }) => streams.some(({ format }) => format.registry !== null))
  if (!names || log instanceof LogWithSchemas) return log
  return new LogWithSchemas(log, () => plans, { readOnly: true, ...(clock === undefined ? {} : { clock }) })
}
