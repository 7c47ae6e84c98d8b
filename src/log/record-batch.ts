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
  let maxTimestampMs = first.timestampMs
  let sizeBytes = batchHeaderBytes
  const bodies: number[] = []
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    assert(isTimestamp(record.timestampMs), 'a timestamp is a whole number of milliseconds from -1 on')
    if (record.timestampMs > maxTimestampMs) maxTimestampMs = record.timestampMs
    const body = bodyBytes(record, record.timestampMs - first.timestampMs, index)
    bodies.push(body)
    sizeBytes += varlongBytes(body) + body
  }
  assert(sizeBytes <= 0x7fff_ffff, 'a batch is smaller than 2 GiB')

  const batch = Buffer.allocUnsafe(sizeBytes)
  let at = batchHeaderBytes
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    at = writeVarlong(batch, at, bodies[index]!)
    batch[at++] = 0
    at = writeVarlong(batch, at, record.timestampMs - first.timestampMs)
    at = writeVarlong(batch, at, index)
    at = writeContent(batch, at, record)
  }
  assert(at === sizeBytes, 'the size computed for a batch is the size written')

  writeInt64(batch, 0, baseOffset)
  batch.writeInt32BE(sizeBytes - lengthCountsFrom, 8)
  batch.writeInt32BE(-1, 12)
  batch[16] = magic
  batch.writeInt16BE(0, 21)
  batch.writeInt32BE(records.length - 1, 23)
  writeInt64(batch, 27, first.timestampMs)
  writeInt64(batch, 35, maxTimestampMs)
  // No idempotent producer: id, epoch and sequence are all -1.
  batch.fill(0xff, 43, 57)
  batch.writeInt32BE(records.length, 57)
  batch.writeUInt32BE(crc32c(batch, crcFrom, sizeBytes), 17)
  return batch
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
export function recordContentBytes(record: RecordInput): number {
  let size = bytesWithLength(record.key) + bytesWithLength(record.value)
  const headers = record.headers ?? []
  size += varlongBytes(headers.length)
  for (const [name, value] of headers) {
    const nameBytes = Buffer.byteLength(name)
    size += varlongBytes(nameBytes) + nameBytes + bytesWithLength(value)
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

function bodyBytes(record: RecordInput, timestampDelta: number, offsetDelta: number): number {
  return 1 + varlongBytes(timestampDelta) + varlongBytes(offsetDelta) + recordContentBytes(record)
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
    assert(name.isWellFormed(), 'a header name has no lone surrogate, which UTF-8 cannot hold')
    const nameBytes = Buffer.byteLength(name)
    at = writeVarlong(batch, at, nameBytes)
    at += batch.write(name, at, nameBytes, 'utf8')
    at = writeWithLength(batch, at, value)
  }
  return at
}

function writeWithLength(batch: Buffer, start: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarlong(batch, start, -1)
  const at = writeVarlong(batch, start, bytes.length)
  batch.set(bytes, at)
  return at + bytes.length
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
