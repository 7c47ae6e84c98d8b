import { MillraceError, messageOf } from '../../base/faults.ts'
import type { LogRead, LogRecord } from '../log.ts'
import { batchBytesNeeded, batchHeaderBytes, findBatchDamage, readBatchHeader } from '../record-batch.ts'
import { decodeRecords } from '../record-decoder.ts'
import { type Cursor, readVarint, readVarlong } from '../varint.ts'
import { compressionBits, decompress } from './compression.ts'

/** What one answer held of one partition, from `from` up to `next`: its batches that count. */
export type Chunk = {
  readonly from: number
  readonly next: number
  readonly bytes: number
  /** Leader epoch of the newest batch; -1 without any. A leader that does not know it has another past. */
  readonly epoch: number
  readonly batches: readonly FetchedBatch[]
}

export type FetchedBatch = {
  readonly nextOffset: number
  readonly compression: number
  /** Where the batch stands, uncompressed from its first reading on. */
  bytes: Uint8Array
  at: number
}

export type AbortedTransaction = { readonly producerId: bigint; readonly firstOffset: number }

export type FetchedFrom = { readonly topic: string; readonly partition: number; readonly offset: number }

/**
 * Splits what was fetched into batches: each checked against its checksum, without control batches, and without those
 * of aborted transactions. The last one may be cut off; the next fetch brings it whole.
 *
 * A transaction is aborted from the batch on that holds or passes its first offset, up to its producer's abort marker;
 * `aborted` lists those that reach into what was fetched, wherever they began.
 */
export function openChunk(bytes: Buffer, place: FetchedFrom, aborted: readonly AbortedTransaction[]): Chunk {
  const pending = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset)
  const dropped = new Set<bigint>()
  const batches: FetchedBatch[] = []
  let [at, next, epoch] = [0, place.offset, -1]
  while (at + batchHeaderBytes <= bytes.length && at + batchBytesNeeded(bytes, at) <= bytes.length) {
    const damage = findBatchDamage(bytes, at)
    if (damage !== null) throw damaged(place, next, damage)
    const { baseOffset, nextOffset, sizeBytes, attributes, partitionLeaderEpoch } = readBatchHeader(bytes, at)
    if (baseOffset > place.offset && baseOffset < next) throw damaged(place, next, `offset ${baseOffset} comes again`)
    const producerId = bytes.readBigInt64BE(at + 43)
    while (pending.length > 0 && pending[0]!.firstOffset < nextOffset) dropped.add(pending.shift()!.producerId)
    if ((attributes & controlBit) !== 0) {
      if (controlType(bytes, at, sizeBytes) === abortMarker) dropped.delete(producerId)
    } else if ((attributes & transactionalBit) === 0 || !dropped.has(producerId)) {
      batches.push({ nextOffset, compression: attributes & compressionBits, bytes, at })
    }
    next = Math.max(next, nextOffset)
    epoch = partitionLeaderEpoch
    at += sizeBytes
  }
  return { from: place.offset, next, bytes: bytes.length, epoch, batches }
}

/**
 * Records of chunks that go on from one another, from `offset` on, about `bytesMax` of them: all that is here comes at
 * once, however small the answers were that it came with. Keys and values are views into what was fetched.
 */
export function readChunks(chunks: readonly Chunk[], place: FetchedFrom, bytesMax: number): LogRead {
  const { offset } = place
  const records: LogRecord[] = []
  let [takenBytes, next] = [0, offset]
  for (const chunk of chunks) {
    for (const batch of chunk.batches) {
      if (batch.nextOffset <= offset) continue
      if (takenBytes >= bytesMax) return { records, next: records.at(-1)!.offset + 1 }
      uncompress(batch, place)
      takenBytes += decodeRecords(batch, { offset, bytesMax: bytesMax - takenBytes }, records)
    }
    if (takenBytes >= bytesMax) return { records, next: records.at(-1)!.offset + 1 }
    next = chunk.next
  }
  return { records, next }
}

const transactionalBit = 0b1_0000
const controlBit = 0b10_0000
const abortMarker = 0

function uncompress(batch: FetchedBatch, place: FetchedFrom): void {
  if (batch.compression === 0) return
  const { sizeBytes, attributes, baseOffset } = readBatchHeader(batch.bytes, batch.at)
  if ((attributes & compressionBits) === 0) return
  const from = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset + batch.at, sizeBytes)
  let body: Buffer
  try {
    body = decompress(batch.compression, from.subarray(batchHeaderBytes))
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw damaged(place, baseOffset, `they cannot be decompressed: ${messageOf(error)}`)
  }
  const whole = Buffer.allocUnsafe(batchHeaderBytes + body.length)
  from.copy(whole, 0, 0, batchHeaderBytes)
  body.copy(whole, batchHeaderBytes)
  whole.writeInt32BE(whole.length - 12, 8)
  whole.writeInt16BE(attributes & ~compressionBits, 21)
  batch.bytes = whole
  batch.at = 0
}

/** The one record of a control batch has a key of two numbers: version and type. */
function controlType(bytes: Buffer, at: number, sizeBytes: number): number {
  const cursor: Cursor = { bytes, at: at + batchHeaderBytes, end: at + sizeBytes }
  readVarint(cursor)
  cursor.at++
  readVarlong(cursor)
  readVarint(cursor)
  const keyBytes = readVarint(cursor) ?? 0
  return keyBytes < 4 || cursor.at + 4 > cursor.end ? -1 : bytes.readInt16BE(cursor.at + 2)
}

function damaged({ topic, partition }: FetchedFrom, offset: number, detail: string): MillraceError {
  return new MillraceError('KAFKA_RECORDS_DAMAGED', { topic, partition, offset, detail })
}
