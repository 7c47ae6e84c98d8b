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
