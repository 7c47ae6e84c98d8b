import { assert } from '../base/assert.ts'
import { batchHeaderBytes, recordBodyBytes, writeBatchHeader, writeRecord } from './record-batch.ts'
import { varlongBytes } from './varint.ts'
import type { RecordInput } from './log.ts'

/**
 * Records on their way into one batch. They are encoded as they come, so that nothing else is kept of them: their bytes
 * may be reused at once.
 */
export class BatchBuilder {
  #bytes: Buffer
  #at = batchHeaderBytes
  #count = 0
  #firstMs = 0
  #newestMs = 0

  constructor(bytesLikely: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(bytesLikely, bytesMin))
  }

  /** Of the batch so far, header included. */
  get size(): number {
    return this.#at
  }

  get count(): number {
    return this.#count
  }

  /** Of the records' timestamps. */
  get newestMs(): number {
    return this.#newestMs
  }

  /**
   * Adds all of them or, when they would make the batch larger than `bytesMax`, none; then gives false. The first ones
   * are taken whatever their size.
   */
  add(records: readonly RecordInput[], bytesMax: number): boolean {
    const [at, count, firstMs, newestMs] = [this.#at, this.#count, this.#firstMs, this.#newestMs]
    let taken = false
    try {
      for (const record of records) this.#write(record)
      assert(this.#at <= 0x7fff_ffff, 'a batch is smaller than 2 GiB')
      taken = count === 0 || this.#at <= bytesMax
    } finally {
      if (!taken) [this.#at, this.#count, this.#firstMs, this.#newestMs] = [at, count, firstMs, newestMs]
    }
    return taken
  }

  #write(record: RecordInput): void {
    const { timestampMs } = record
    if (this.#count === 0) {
      this.#firstMs = timestampMs
      this.#newestMs = timestampMs
    } else if (timestampMs > this.#newestMs) this.#newestMs = timestampMs
    const place = { timestampDelta: timestampMs - this.#firstMs, offsetDelta: this.#count }
    const bodyBytes = recordBodyBytes(record, place)
    this.#makeRoom(varlongBytes(bodyBytes) + bodyBytes)
    this.#at = writeRecord(this.#bytes, this.#at, { record, bodyBytes, ...place })
    this.#count += 1
  }

  #makeRoom(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }

  /** The batch, uncompressed, with offsets from 0 on and no checksum yet. Its memory is the builder's. */
  finish(): Buffer {
    const sizeBytes = this.#at
    writeBatchHeader(this.#bytes, {
      baseOffset: 0,
      sizeBytes,
      count: this.#count,
      firstMs: this.#firstMs,
      newestMs: this.#newestMs,
    })
    return this.#bytes.subarray(0, sizeBytes)
  }
}

const bytesMin = 512
