import { MillraceError } from '../base/faults.ts'
import type { Header, LogRecord } from './log.ts'
import { type BatchHeader, batchHeaderBytes, readBatchHeader } from './record-batch.ts'
import { type Cursor, readVarint, readVarlong } from './varint.ts'

/** Which records of a batch to give out: those from `offset` on, until their sizes reach `bytesMax`. */
export type DecodeRange = { readonly offset: number; readonly bytesMax: number }

/**
 * Appends records of the batch at `at` to `into`, and returns their size in bytes. `findBatchDamage` must have found
 * none before; even so, nothing outside the batch is read, and nothing is allocated by a length that was not checked.
 *
 * Keys, values and header values are views into `bytes`: they keep it alive, and must not be changed.
 *
 * Throws `RECORD_BATCH_MALFORMED`, and `RECORD_BATCH_UNSUPPORTED` for compressed and control batches.
 */
export function decodeRecords(batch: { bytes: Uint8Array; at: number }, range: DecodeRange, into: LogRecord[]): number {
  const header = readBatchHeader(batch.bytes, batch.at)
  refuseUnsupported(header)
  const end = Math.min(batch.at + header.sizeBytes, batch.bytes.length)
  const frame: Frame = { header, start: batch.at, logAppendTime: (header.attributes & logAppendTimeBit) !== 0 }
  const { bytes } = batch
  let at = batch.at + batchHeaderBytes
  let previousOffset = header.baseOffset - 1
  let takenBytes = 0
  for (let index = 0; index < header.recordCount && takenBytes < range.bytesMax; index++) {
    const cursor: Cursor = { bytes, at, end }
    const length = readVarint(cursor)
    if (length === null || length < 0 || length > end - cursor.at) throw malformed(frame, at, 'the length of a record')
    const body: Cursor = { bytes, at: cursor.at, end: cursor.at + length }
    const timestampMs = readTimestamp(body, frame)
    const offset = readOffset(body, frame)
    if (offset <= previousOffset) throw malformed(frame, at, 'the offset of a record')
    previousOffset = offset
    if (offset >= range.offset) {
      into.push(readContent(body, frame, { offset, timestampMs }))
      takenBytes += body.end - at
    }
    at = body.end
  }
  if (takenBytes < range.bytesMax && at !== end) throw malformed(frame, at, 'the end of the last record')
  return takenBytes
}

/** What the records of one batch have in common while they are read. */
type Frame = { readonly header: BatchHeader; readonly start: number; readonly logAppendTime: boolean }

const compressionBits = 0b111
const logAppendTimeBit = 0b1000
const transactionalBit = 0b1_0000
/** Of a compacted batch with tombstones: its base timestamp is when they may go, and the deltas are from there. */
const deleteHorizonBit = 0b100_0000
const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd', 'codec 5', 'codec 6', 'codec 7'] as const
const noHeaders: readonly Header[] = Object.freeze([])

function refuseUnsupported({ attributes }: BatchHeader): void {
  const compression = attributes & compressionBits
  if (compression !== 0) {
    throw new MillraceError('RECORD_BATCH_UNSUPPORTED', { what: `compression ${compressions[compression]!}` })
  }
  // What of these matters is for whoever fetched the batch to know; its records read alike.
  const other = attributes & ~(compressionBits | logAppendTimeBit | transactionalBit | deleteHorizonBit)
  if (other !== 0) {
    throw new MillraceError('RECORD_BATCH_UNSUPPORTED', { what: `attributes 0b${attributes.toString(2)}` })
  }
}

function readTimestamp(body: Cursor, frame: Frame): number {
  // One byte of attributes, all unused so far.
  body.at++
  const delta = readVarlong(body)
  const timestampMs = frame.logAppendTime ? frame.header.maxTimestampMs : frame.header.baseTimestampMs + (delta ?? 0)
  if (delta === null || !Number.isSafeInteger(timestampMs)) throw malformed(frame, body.at, 'the timestamp of a record')
  return timestampMs
}

function readOffset(body: Cursor, frame: Frame): number {
  const delta = readVarint(body)
  if (delta === null || delta < 0 || frame.header.baseOffset + delta >= frame.header.nextOffset) {
    throw malformed(frame, body.at, 'the offset of a record')
  }
  return frame.header.baseOffset + delta
}

function readContent(body: Cursor, frame: Frame, place: { offset: number; timestampMs: number }): LogRecord {
  const key = readBytes(body, frame, 'key')
  const value = readBytes(body, frame, 'value')
  const headers = readHeaders(body, frame)
  if (body.at !== body.end) throw malformed(frame, body.at, 'the end of a record')
  return { offset: place.offset, timestampMs: place.timestampMs, key, value, headers }
}

function readBytes(body: Cursor, frame: Frame, what: string): Uint8Array | null {
  const length = readVarint(body)
  if (length === -1) return null
  if (length === null || length < 0 || length > body.end - body.at) throw malformed(frame, body.at, `a ${what}`)
  const start = body.at
  body.at += length
  return new Uint8Array(body.bytes.buffer, body.bytes.byteOffset + start, length)
}

function readHeaders(body: Cursor, frame: Frame): readonly Header[] {
  const count = readVarint(body)
  if (count === 0) return noHeaders
  if (count === null || count < 0 || count > (body.end - body.at) / 2) throw malformed(frame, body.at, 'the headers')
  const headers: Header[] = []
  for (let index = 0; index < count; index++) {
    const name = readBytes(body, frame, 'header name')
    if (name === null) throw malformed(frame, body.at, 'a header name')
    // Kafka lets a header's value be null; the port does not tell null from empty there.
    const value = readBytes(body, frame, 'header value') ?? new Uint8Array(0)
    headers.push([Buffer.from(name.buffer, name.byteOffset, name.length).toString('utf8'), value])
  }
  return headers
}

function malformed(frame: Frame, at: number, what: string): MillraceError {
  const detail = `${what} is not whole at byte ${at - frame.start}`
  return new MillraceError('RECORD_BATCH_MALFORMED', { offset: frame.header.baseOffset, detail })
}
