import { MillraceError } from '../../base/faults.ts'
import type { Header, LogRecord, RecordInput } from '../../log/log.ts'

/**
 * What a record of `processed-events` carries beside its event: `stream topic partition offset since`, as text. Of this
 * source partition nothing that belongs here lies from offset `since` up to before `offset`.
 */
export const sourceHeader = 'millrace.source'
/** The same of a record that is no event, with the watermark behind it: everything before `offset` was sent. */
export const markHeader = 'millrace.mark'

/** One source partition as one stream reads it. None of the three holds a blank. */
export type SourceName = { readonly stream: string; readonly topic: string; readonly partition: number }

export function nameOfSource({ stream, topic, partition }: SourceName): string {
  return `${stream} ${topic} ${partition}`
}

export type ProcessedRecord = {
  /** As `nameOfSource` gives it. */
  readonly source: string
  readonly offset: number
  readonly since: number
  /** Of a mark; null for an event. */
  readonly watermark: number | null
}

/** An accepted event on its way to one partition: the bytes, timestamp and headers of its record, and where that lies. */
export function processedEvent(
  record: LogRecord,
  { source, since, key }: { readonly source: string; readonly since: number; readonly key: Uint8Array },
): RecordInput {
  const header: Header = [sourceHeader, Buffer.from(`${source} ${record.offset} ${since}`, 'latin1')]
  // Last: an event that carries a header of this name itself does not mislead.
  const headers = record.headers.length === 0 ? [header] : [...record.headers, header]
  return { key, value: record.value, timestampMs: record.timestampMs, headers }
}

export function processedMark(
  source: string,
  at: { readonly offset: number; readonly since: number; readonly watermark: number; readonly timestampMs: number },
): RecordInput {
  const text = `${source} ${at.offset} ${at.since} ${at.watermark}`
  return { key: null, value: null, timestampMs: at.timestampMs, headers: [[markHeader, Buffer.from(text, 'latin1')]] }
}

/** Reads what the records of one topic carry. Sources are few and come again: their names are made once. */
export class ProcessedReader {
  readonly #topic: string
  readonly #known: { readonly bytes: Uint8Array; readonly name: string }[] = []
  /** The last one. */
  #at = 0

  constructor(topic: string) {
    this.#topic = topic
  }

  /** Throws `PROCESSED_RECORD_FOREIGN` for a record that no process of ours wrote. */
  read(record: LogRecord): ProcessedRecord {
    const { headers } = record
    const header = headers[headers.length - 1]
    if (header?.[0] !== sourceHeader) return this.#readSlowly(record)
    const value = header[1]
    const known = this.#find(value)
    if (known === null) return this.#readSlowly(record)
    const from = known.bytes.length
    const blank = value.indexOf(space, from)
    const [offset, since] = [digits(value, from, blank), digits(value, blank + 1, value.length)]
    if (offset < 0 || since < 0) return this.#readSlowly(record)
    return { source: known.name, offset, since, watermark: null }
  }

  #readSlowly(record: LogRecord): ProcessedRecord {
    const processed = readProcessed(record, this.#topic)
    const { source: name } = processed
    if (this.#known.length < knownMax && this.#known.every((one) => one.name !== name)) {
      this.#known.push({ bytes: Buffer.from(`${name} `, 'latin1'), name })
    }
    return processed
  }

  #find(value: Uint8Array): { readonly bytes: Uint8Array; readonly name: string } | null {
    const known = this.#known
    for (let step = 0; step < known.length; step++) {
      const one = known[this.#at]!
      if (beginsWith(value, one.bytes)) return one
      this.#at = this.#at + 1 === known.length ? 0 : this.#at + 1
    }
    return null
  }
}

/** More are read the long way. */
const knownMax = 1_024
const space = 0x20

/** From the end: names of sources differ there. */
function beginsWith(value: Uint8Array, prefix: Uint8Array): boolean {
  if (value.length < prefix.length) return false
  for (let at = prefix.length - 1; at >= 0; at--) if (value[at] !== prefix[at]) return false
  return true
}

/** A number of no more digits than are exact; -1 for anything else. */
function digits(value: Uint8Array, from: number, to: number): number {
  if (to <= from || to - from > 15) return -1
  let number = 0
  for (let at = from; at < to; at++) {
    const digit = value[at]! - 0x30
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return number
}

/** Throws `PROCESSED_RECORD_FOREIGN` for a record that no process of ours wrote. */
export function readProcessed({ headers, offset: at }: LogRecord, topic: string): ProcessedRecord {
  const [name, value] = headers.at(-1) ?? ['', new Uint8Array()]
  const isMark = name === markHeader
  if (!isMark && name !== sourceHeader) throw new MillraceError('PROCESSED_RECORD_FOREIGN', { topic, offset: at })
  const parts = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1').split(' ')
  const [offset, since, watermark] = [Number(parts[3]), Number(parts[4]), isMark ? Number(parts[5]) : null]
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(since) || (isMark && !Number.isSafeInteger(watermark))) {
    throw new MillraceError('PROCESSED_RECORD_FOREIGN', { topic, offset: at })
  }
  return { source: `${parts[0]} ${parts[1]} ${parts[2]}`, offset, since, watermark }
}
