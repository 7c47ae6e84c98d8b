import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Header, Log, LogRecord } from '../log/log.ts'
import { erasureHeader } from '../plan/erasure.ts'
import { standInHeader, standsInFor } from '../plan/open-rejections.ts'
import { deadLetterTopic, lateTopic, replaysTopic } from '../plan/topics.ts'
import type { OutputPlace, RejectionKind } from '../serve/http-service.ts'
import { readRejection, type RejectionRecord } from '../stream/outputs.ts'

/** An event that was refused or late, where it lies, and what was done about it. */
export type Letter = RejectionRecord & {
  readonly outputTopic: string
  readonly outputPartition: number
  readonly outputOffset: number
  /** The offset that a replay of it stands in for: its own, unless it was itself sent in place of another. */
  readonly original: number
  /** Of its source, without those that say what became of it; with the one that says that its entity was forgotten. */
  readonly headers: readonly Header[]
  readonly handled: Handled | null
}

/** Noted after a replay: for people, so one that is missing costs nothing but a look. */
export type Handled = {
  /** `settled`: there was nothing to send, as it counts already. */
  readonly outcome: 'sent' | 'settled'
  /** Where in its topic the stand-in lies; null when none was needed. */
  readonly at: OutputPlace | null
  readonly mended: boolean
  /** Epoch milliseconds. */
  readonly notedMs: number
}

export type LetterFilter = {
  readonly kind: RejectionKind
  readonly stream?: string
  /** A code among its reasons. */
  readonly reason?: string
  /** Only those that nothing is noted of. */
  readonly open?: boolean
}

/**
 * Letters that a filter lets through, in order of partition and offset, from a place on. What a stopped process wrote
 * beside its successor is there twice: each letter comes once, where it was written first behind the place.
 */
export async function* letters(
  log: Log,
  filter: LetterFilter,
  { from, clock }: { from?: OutputPlace; clock: Clock },
): AsyncGenerator<Letter> {
  const topic = outputTopicOf(filter.kind)
  const handled = await readHandled(log)
  for (let partition = from?.partition ?? 0; partition < partitionsOf(log, topic); partition++) {
    const end = log.end(topic, partition)
    const written = new LettersWritten()
    let offset = log.start(topic, partition)
    if (partition === from?.partition) offset = Math.max(offset, from.offset)
    while (offset < end) {
      const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
      for (const record of records) {
        const letter = letterOf(record, { topic, partition, handled })
        if (record.offset < end && written.isFirst(letter) && passes(letter, filter)) yield letter
      }
      offset = next
      await clock.turn()
    }
  }
}

/** Whose letters there were: those of one source partition lie in one partition. */
class LettersWritten {
  readonly #offsets = new Map<string, Set<number>>()

  isFirst({ stream, topic, partition, offset }: RejectionRecord): boolean {
    const source = `${stream} ${topic} ${partition}`
    const offsets = this.#offsets.get(source) ?? new Set()
    this.#offsets.set(source, offsets)
    return !offsets.has(offset) && offsets.add(offset).has(offset)
  }
}

/** How many there are, and the newest of them by the time of their records, oldest first. */
export async function newestLetters(
  log: Log,
  filter: LetterFilter,
  { countMax, clock }: { countMax: number; clock: Clock },
): Promise<{ total: number; newest: readonly Letter[] }> {
  let total = 0
  let found: Letter[] = []
  // Stable: records of one millisecond stay in order of partition and offset.
  const cut = (): Letter[] => found.sort((a, b) => a.timestampMs - b.timestampMs).slice(-countMax)
  for await (const letter of letters(log, filter, { clock })) {
    total += 1
    found.push(letter)
    if (found.length >= 2 * countMax + 1_000) found = cut()
  }
  return { total, newest: countMax === 0 ? [] : cut() }
}

/** The letter at a place of its output topic; null when there is none. */
export async function letterAt(
  log: Log,
  kind: RejectionKind,
  place: OutputPlace,
  handled?: HandledLetters,
): Promise<Letter | null> {
  const topic = outputTopicOf(kind)
  const { partition, offset } = place
  if (partition >= partitionsOf(log, topic)) return null
  if (offset < log.start(topic, partition) || offset >= log.end(topic, partition)) return null
  const [record] = (await log.read(topic, partition, offset, 1)).records
  // An offset in a gap has no record.
  if (record?.offset !== offset) return null
  return letterOf(record, { topic, partition, handled: handled ?? (await readHandled(log)) })
}

/** `2@17`, as it is typed and printed. Null for anything else. */
export function parsePlace(text: string): OutputPlace | null {
  const [, partition, offset] = /^(\d{1,9})@(\d{1,15})$/.exec(text) ?? []
  return offset === undefined ? null : { partition: Number(partition), offset: Number(offset) }
}

export function placeText({ partition, offset }: OutputPlace): string {
  return `${partition}@${offset}`
}

export function placeOf({ outputPartition, outputOffset }: Letter): OutputPlace {
  return { partition: outputPartition, offset: outputOffset }
}

export function outputTopicOf(kind: RejectionKind): string {
  return kind === 'late' ? lateTopic : deadLetterTopic
}

function passes(letter: Letter, { stream, reason, open }: LetterFilter): boolean {
  if (stream !== undefined && letter.stream !== stream) return false
  if (reason !== undefined && !letter.reason.split(',').includes(reason)) return false
  return open !== true || letter.handled === null
}

type Source = { readonly topic: string; readonly partition: number; readonly handled: HandledLetters }

function letterOf(record: LogRecord, { topic, partition, handled }: Source): Letter {
  const rejection = readRejection(record)
  return {
    ...rejection,
    outputTopic: topic,
    outputPartition: partition,
    outputOffset: record.offset,
    original: standsInFor(record.headers) ?? rejection.offset,
    headers: record.headers.filter(([name]) => name === erasureHeader || !name.startsWith(ownHeaders)),
    handled: handled.get(`${topic}/${partition}@${record.offset}`) ?? null,
  }
}

/** Ours, in the records of sources and of output topics alike. */
const ownHeaders = standInHeader.slice(0, standInHeader.indexOf('.') + 1)

function partitionsOf(log: Log, topic: string): number {
  return log.topics().find((one) => one.topic === topic)?.partitions ?? 0
}

export type HandledLetters = ReadonlyMap<string, Handled>

const noteVersion = 1

type Note = Handled & { readonly version: number; readonly letter: string }

/** What is noted of letters, by topic/partition@offset; of several notes the first that says sent, else the first. */
export async function readHandled(log: Log): Promise<HandledLetters> {
  const handled = new Map<string, Handled>()
  if (partitionsOf(log, replaysTopic) === 0) return handled
  for (let offset = log.start(replaysTopic, 0); offset < log.end(replaysTopic, 0); ) {
    const { records, next } = await log.read(replaysTopic, 0, offset, 1024 * 1024)
    for (const record of records) {
      const { version, letter, ...note } = JSON.parse(Buffer.from(record.value ?? []).toString()) as Note
      if (version !== noteVersion) {
        const what = `${replaysTopic}/0@${record.offset}`
        throw new MillraceError('STATE_VERSION_UNKNOWN', { what, version, supported: noteVersion })
      }
      const before = handled.get(letter)
      if (before === undefined || (before.outcome !== 'sent' && note.outcome === 'sent')) handled.set(letter, note)
    }
    offset = next
  }
  return handled
}

/** Notes what was done about letters, durably. */
export async function noteHandled(log: Log, notes: readonly (readonly [Letter, Handled])[]): Promise<void> {
  if (notes.length === 0) return
  await log.createTopic(replaysTopic, { partitions: 1 })
  const records = notes.map(([{ outputTopic, outputPartition, outputOffset }, handled]) => {
    const letter = `${outputTopic}/${outputPartition}@${outputOffset}`
    const note: Note = { version: noteVersion, letter, ...handled }
    return { key: Buffer.from(letter), value: Buffer.from(JSON.stringify(note)), timestampMs: handled.notedMs }
  })
  await log.append(replaysTopic, 0, records)
}
