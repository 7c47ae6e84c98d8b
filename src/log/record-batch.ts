import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import type { RecordInput } from './log.ts'
import { varlongBytes, writeVarlong } from './varint.ts'

/**
 * Kafka's record batch, format 2: the unit that is written, checked and kept or lost as a whole.
 *
 * ```text
 *  0 baseOffset i64              21 attributes i16           43 producerId i64
 *  8 length of the rest i32      23 lastOffsetDelta i32      51 producerEpoch i16
 * 12 partitionLeaderEpoch i32    27 baseTimestamp i64        53 baseSequence i32
 * 16 magic i8 (2)                35 maxTimestamp i64         57 number of records i32
 * 17 crc u32 of [21, end)                                    61 records
 * ```
 *
 * What stands before the checksum is not covered by it. Whoever keeps batches must check `baseOffset` by the batches
 * around it. `record-decoder.ts` reads the records.
 *
 * https://kafka.apache.org/documentation/#recordbatch
 */
export type BatchHeader = {
  readonly baseOffset: number
  /** One past the last record. */
  readonly nextOffset: number
  /** Of the whole batch, header included. */
  readonly sizeBytes: number
  readonly partitionLeaderEpoch: number
  readonly attributes: number
  readonly baseTimestampMs: number
  readonly maxTimestampMs: number
  readonly recordCount: number
}

export const batchHeaderBytes = 61

/** Shorter than any record: its length, attributes, two deltas, two lengths and the count of its headers. */
export const recordBytesMin = 7

/** The last millisecond that a Date can hold, so that the difference of two timestamps is a safe integer. */
export const timestampMsMax = 8_640_000_000_000_000

/**
 * One batch of all the records, uncompressed, with offsets from `baseOffset` on. Copies what it needs: the caller may
 * reuse the records' bytes at once.
 */
export function encodeBatch(records: readonly RecordInput[], baseOffset: number): Uint8Array {
  const first = records[0]
  assert(first !== undefined, 'a batch has at least one record')
  let newestMs = first.timestampMs
  let sizeBytes = batchHeaderBytes
  const bodies: number[] = []
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    if (record.timestampMs > newestMs) newestMs = record.timestampMs
    const place = { timestampDelta: record.timestampMs - first.timestampMs, offsetDelta: index }
    const body = recordBodyBytes(record, place)
    bodies.push(body)
    sizeBytes += varlongBytes(body) + body
  }
  assert(sizeBytes <= 0x7fff_ffff, 'a batch is smaller than 2 GiB')

  const batch = Buffer.allocUnsafe(sizeBytes)
  let at = batchHeaderBytes
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    const timestampDelta = record.timestampMs - first.timestampMs
    at = writeRecord(batch, at, { record, bodyBytes: bodies[index]!, timestampDelta, offsetDelta: index })
  }
  assert(at === sizeBytes, 'the size computed for a batch is the size written')
  writeBatchHeader(batch, { baseOffset, sizeBytes, count: records.length, firstMs: first.timestampMs, newestMs })
  batch.writeUInt32BE(crc32c(batch, crcFrom, sizeBytes), 17)
  return batch
}

/** Everything before the records but the checksum. Leaves the place of an idempotent producer empty. */
export function writeBatchHeader(
  batch: Buffer,
  of: {
    readonly baseOffset: number
    /** Of the whole batch, header included. */
    readonly sizeBytes: number
    readonly count: number
    readonly firstMs: number
    readonly newestMs: number
  },
): void {
  writeInt64(batch, 0, of.baseOffset)
  batch.writeInt32BE(of.sizeBytes - lengthCountsFrom, 8)
  batch.writeInt32BE(-1, 12)
  batch[16] = magic
  batch.writeInt16BE(0, 21)
  batch.writeInt32BE(of.count - 1, 23)
  writeInt64(batch, 27, of.firstMs)
  writeInt64(batch, 35, of.newestMs)
  // Id, epoch and sequence are all -1.
  batch.fill(0xff, 43, 57)
  batch.writeInt32BE(of.count, 57)
}

/** Where a record stands in its batch: behind the first one's timestamp and offset. */
type RecordPlace = { readonly timestampDelta: number; readonly offsetDelta: number }

/** Bytes of a record behind its length. */
export function recordBodyBytes(record: RecordInput, { timestampDelta, offsetDelta }: RecordPlace): number {
  assert(isTimestamp(record.timestampMs), 'a timestamp is a whole number of milliseconds from -1 on')
  return 1 + varlongBytes(timestampDelta) + varlongBytes(offsetDelta) + recordContentBytes(record)
}

/** Writes a record at `start`, where there is room for it, and gives where it ends. */
export function writeRecord(
  batch: Buffer,
  start: number,
  of: RecordPlace & { readonly record: RecordInput; readonly bodyBytes: number },
): number {
  let at = writeVarlong(batch, start, of.bodyBytes)
  batch[at++] = 0
  at = writeVarlong(batch, at, of.timestampDelta)
  at = writeVarlong(batch, at, of.offsetDelta)
  return writeContent(batch, at, of.record)
}

/** Sets the one field that a log may use for itself after the checksum was made. */
export function setPartitionLeaderEpoch(batch: Uint8Array, epoch: number): void {
  new DataView(batch.buffer, batch.byteOffset).setInt32(12, epoch)
}

/**
 * How many bytes from `at` on are needed to judge the batch there: those of a header when that is cut or its length
 * makes no sense, else the whole batch. The length is unchecked: compare it to what can be there before allocating.
 */
export function batchBytesNeeded(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < batchHeaderBytes) return batchHeaderBytes
  return Math.max(batchHeaderBytes, lengthCountsFrom + readInt32(bytes, at + 8))
}

/** What is wrong with the batch at `at`, or null when it is there in full, its checksum holds and its counts agree. */
export function findBatchDamage(bytes: Uint8Array, at: number): string | null {
  const left = bytes.length - at
  if (left < batchHeaderBytes) return `${left} bytes are left, fewer than a batch header`
  const sizeBytes = lengthCountsFrom + readInt32(bytes, at + 8)
  if (sizeBytes < batchHeaderBytes) return `the batch gives its size as ${sizeBytes} bytes`
  if (sizeBytes > left) return `the batch gives its size as ${sizeBytes} bytes, and ${left} are left`
  if (bytes[at + 16] !== magic) return `the batch has format ${bytes[at + 16]} instead of ${magic}`
  const stored = readInt32(bytes, at + 17) >>> 0
  if (crc32c(bytes, at + crcFrom, at + sizeBytes) !== stored) return 'the checksum of the batch does not hold'
  const lastOffsetDelta = readInt32(bytes, at + 23)
  const recordCount = readInt32(bytes, at + 57)
  if (lastOffsetDelta < 0 || recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    return `the batch gives ${recordCount} records in ${lastOffsetDelta + 1} offsets`
  }
  return null
}

/** Reads the header without judging it; the caller has made sure of `batchHeaderBytes` bytes from `at` on. */
export function readBatchHeader(bytes: Uint8Array, at: number): BatchHeader {
  assert(bytes.length - at >= batchHeaderBytes, 'a whole batch header is there')
  const baseOffset = readInt64(bytes, at)
  return {
    baseOffset,
    nextOffset: baseOffset + readInt32(bytes, at + 23) + 1,
    sizeBytes: lengthCountsFrom + readInt32(bytes, at + 8),
    partitionLeaderEpoch: readInt32(bytes, at + 12),
    attributes: (bytes[at + 21]! << 8) | bytes[at + 22]!,
    baseTimestampMs: readInt64(bytes, at + 27),
    maxTimestampMs: readInt64(bytes, at + 35),
    recordCount: readInt32(bytes, at + 57),
  }
}

/** Bytes of a record as written, without the length before it, its attributes and its deltas. */
function recordContentBytes(record: RecordInput): number {
  let size = bytesWithLength(record.key) + bytesWithLength(record.value)
  const headers = record.headers ?? []
  size += varlongBytes(headers.length)
  for (const [name, value] of headers) {
    size += bytesWithLength(bytesOfName(name)) + bytesWithLength(value)
  }
  return size
}

const magic = 2
const lengthCountsFrom = 12
const crcFrom = 21

/** From -1 on, because that is Kafka's "no timestamp". */
function isTimestamp(ms: number): boolean {
  return Number.isInteger(ms) && ms >= -1 && ms <= timestampMsMax
}

function bytesWithLength(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varlongBytes(bytes.length) + bytes.length
}

function writeContent(batch: Buffer, start: number, record: RecordInput): number {
  let at = writeWithLength(batch, start, record.key)
  at = writeWithLength(batch, at, record.value)
  const headers = record.headers ?? []
  at = writeVarlong(batch, at, headers.length)
  for (const [name, value] of headers) {
    at = writeWithLength(batch, at, bytesOfName(name))
    at = writeWithLength(batch, at, value)
  }
  return at
}

function writeWithLength(batch: Buffer, start: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarlong(batch, start, -1)
  const at = writeVarlong(batch, start, bytes.length)
  // A call costs more than a few bytes one by one.
  if (bytes.length > 32) batch.set(bytes, at)
  else for (let index = 0; index < bytes.length; index++) batch[at + index] = bytes[index]!
  return at + bytes.length
}

/** Names of headers are few, and come again with each record. */
const names = new Map<string, Uint8Array>()
const namesMax = 256

function bytesOfName(name: string): Uint8Array {
  let bytes = names.get(name)
  if (bytes === undefined) {
    assert(name.isWellFormed(), 'a header name has no lone surrogate, which UTF-8 cannot hold')
    bytes = Buffer.from(name)
    if (names.size < namesMax && bytes.length < 256) names.set(name, bytes)
  }
  return bytes
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** Exact for safe integers. Others, which only damage or a foreign writer can bring, come out rounded. */
function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * 0x1_0000_0000 + (readInt32(bytes, at + 4) >>> 0)
}

function writeInt64(batch: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  batch.writeInt32BE(high, at)
  batch.writeUInt32BE(value - high * 0x1_0000_0000, at + 4)
}
