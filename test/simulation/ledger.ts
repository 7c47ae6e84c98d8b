/** The simulation's own book of the log: what was sent, what was acknowledged, what has been seen to be durable. */
import type { Header, Log, LogRecord, RecordInput } from '../../src/log/log.ts'
import { decodeRecords } from '../../src/log/record-decoder.ts'
import { readBatchHeader } from '../../src/log/record-batch.ts'
import { type ForgottenEntity, forgottenTopic, parseForgotten } from '../../src/plan/forgotten.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import { violation } from './violation.ts'
import { logFolder } from './world.ts'

export type Place = { readonly topic: string; readonly partition: number }

/** One call of `append`. */
export type Attempt = Place & {
  readonly number: number
  readonly records: readonly RecordInput[]
  /** Of the first record, once it is known: by the acknowledgement, or because it was found. */
  base: number | null
  acknowledged: boolean
}

const attemptHeader = 'simulation.attempt'

/** What stays in a partition for good, by offset. */
type Book = { readonly records: LogRecord[]; start: number }

export class Ledger {
  readonly attempts: Attempt[] = []
  readonly #books = new Map<string, Book>()
  readonly #retentionMs: number | null

  constructor(retentionMs: number | null) {
    this.#retentionMs = retentionMs
  }

  /** Marks the records, so that they are known again wherever they turn up. */
  begin(place: Place, records: readonly RecordInput[]): Attempt {
    const number = this.attempts.length
    const marked = records.map((record, index): RecordInput => {
      const mark: Header = [attemptHeader, Buffer.from(`${number}:${index}`)]
      return { ...record, headers: [...(record.headers ?? []), mark] }
    })
    const attempt = { ...place, number, records: marked, base: null, acknowledged: false }
    this.attempts.push(attempt)
    return attempt
  }

  acknowledge(attempt: Attempt, base: number): void {
    if (attempt.base !== null) {
      if (attempt.base !== base) violation('an append has one offset', `${attempt.base}, then ${base}`)
      attempt.acknowledged = true
      return
    }
    this.#enter(attempt, base)
    attempt.acknowledged = true
  }

  /** Every record that was ever durable in a partition, from offset 0 on. */
  records({ topic, partition }: Place): readonly LogRecord[] {
    return this.#book(topic, partition).records
  }

  /** Every source partition that ever held a record. */
  get topics(): readonly Place[] {
    return [...this.#books.keys()].map((name) => {
      const [topic, partition] = name.split('/')
      return { topic: topic!, partition: Number(partition) }
    })
  }

  /** One past the last record that is known to be durable. */
  end(place: Place): number {
    return this.records(place).length
  }

  /**
   * Holds the disk against the book, when a process has just opened the log: nothing of the book is missing but what
   * its retention allows, nothing is there that nobody sent, and each call's records are there together.
   */
  audit(disk: SimulatedDisk, log: Log, wallNewestMs: number): void {
    for (const { topic, partitions, retentionMs } of log.topics()) {
      for (let partition = 0; partition < partitions; partition++) {
        if (this.#retentionMs === null && retentionMs === null && log.start(topic, partition) > 0) {
          violation('nothing is removed without a retention', `${topic}/${partition}`)
        }
        if (isSource(topic)) this.#auditPartition({ disk, log, topic, partition, wallNewestMs })
      }
    }
    const lost = this.attempts.find(
      ({ acknowledged, topic }) => acknowledged && !log.topics().some((one) => one.topic === topic),
    )
    if (lost !== undefined) violation('what was acknowledged is durable', `topic ${lost.topic} is gone`)
  }

  #auditPartition(at: Place & { disk: SimulatedDisk; log: Log; wallNewestMs: number }): void {
    const { disk, log, topic, partition, wallNewestMs } = at
    const book = this.#book(topic, partition)
    const where = `${topic}/${partition}`
    const [start, end] = [log.start(topic, partition), log.end(topic, partition)]
    if (end < book.records.length) {
      violation('what was acknowledged is durable', `${where} ends at ${end}, after ${book.records.length} were`)
    }
    if (start < book.start) violation('a log never begins earlier again', `${where}: ${start} after ${book.start}`)
    const kept = wallNewestMs - (this.#retentionMs ?? Number.POSITIVE_INFINITY)
    const early = book.records.slice(book.start, start).find(({ timestampMs }) => timestampMs >= kept)
    if (early !== undefined) violation('nothing is removed before its retention is over', `${where}@${early.offset}`)
    book.start = start
    for (const record of recordsOnDisk(disk, { topic, partition }, { start, end })) {
      const known = book.records[record.offset]
      if (known === undefined) this.#learn({ topic, partition }, record)
      const expected = book.records[record.offset]!
      if (!sameRecord(expected, record)) violation('a durable record never changes', `${where}@${record.offset}`)
    }
    if (book.records.length !== end) violation('calls appear together or not at all', `${where} ends at ${end}`)
  }

  /** A record that nobody was told of: it must be the first of a call, of which the others follow. */
  #learn(place: Place, record: LogRecord): void {
    const mark = Buffer.from(record.headers.findLast(([name]) => name === attemptHeader)?.[1] ?? []).toString()
    const [number, index] = mark.split(':').map(Number)
    const attempt = this.attempts[number ?? -1]
    const where = `${place.topic}/${place.partition}@${record.offset}`
    if (attempt === undefined) violation('nothing is in the log that nobody sent', where)
    if (attempt.topic !== place.topic || attempt.partition !== place.partition || index !== 0) {
      violation('calls appear together, where they were sent', `${where} holds ${mark}`)
    }
    if (attempt.base !== null) violation('a call is appended once', `${where} repeats ${attempt.base}`)
    this.#enter(attempt, record.offset)
  }

  #enter(attempt: Attempt, base: number): void {
    const { records } = this.#book(attempt.topic, attempt.partition)
    if (base !== records.length) {
      const where = `${attempt.topic}/${attempt.partition}`
      violation('offsets are given once and in order', `${where}: ${base} after ${records.length} records`)
    }
    attempt.base = base
    attempt.records.forEach(({ headers = [], ...record }, index) => {
      records.push({ ...record, headers, offset: base + index })
    })
  }

  #book(topic: string, partition: number): Book {
    const name = `${topic}/${partition}`
    const known = this.#books.get(name)
    if (known !== undefined) return known
    const book: Book = { records: [], start: 0 }
    this.#books.set(name, book)
    return book
  }
}

/** What was forgotten, as it lies in its topic. */
export function forgottenOnDisk(disk: SimulatedDisk, log: Log): ForgottenEntity[] {
  if (!log.topics().some(({ topic }) => topic === forgottenTopic)) return []
  const range = { start: 0, end: log.end(forgottenTopic, 0) }
  return recordsOnDisk(disk, { topic: forgottenTopic, partition: 0 }, range).map(parseForgotten)
}

/** Topics that producers write to. The engine's own are looked at with its outputs. */
export function isSource(topic: string): boolean {
  return topic.endsWith('.v1')
}

/** The records of a partition, decoded from its files past everything that reads files. */
export function recordsOnDisk(
  disk: SimulatedDisk,
  { topic, partition }: Place,
  range: { readonly start: number; readonly end: number },
): LogRecord[] {
  const folder = `${logFolder}/topics/${topic}/${partition}`
  const records: LogRecord[] = []
  for (const name of disk.namesIn(folder)) {
    if (!name.endsWith('.log')) continue
    const bytes = disk.contentOf(`${folder}/${name}`)!
    for (let at = 0; at + 61 <= bytes.length; ) {
      const batch = readBatchHeader(bytes, at)
      if (batch.baseOffset >= range.end) break
      decodeRecords({ bytes, at }, { offset: range.start, bytesMax: Number.POSITIVE_INFINITY }, records)
      at += batch.sizeBytes
    }
  }
  return records
}

function sameRecord(left: LogRecord, right: LogRecord): boolean {
  return left.timestampMs === right.timestampMs && sameBytes(left.value, right.value) && sameBytes(left.key, right.key)
}

export function sameBytes(left: Uint8Array | null, right: Uint8Array | null): boolean {
  if (left === null || right === null) return left === right
  return Buffer.compare(left, right) === 0
}
