import { assert } from '../../base/assert.ts'
import { crc32c } from '../../base/crc32c.ts'
import type { BatchHeader } from '../record-batch.ts'

/**
 * Where the batches of one segment lie, one entry for a block of about `blockBytes`, and the newest timestamp up to the
 * end of each block. Entry `i` covers the batches from `positions[i]` up to `positions[i + 1]`.
 *
 * Timestamps need not rise with offsets; the newest so far does, and that is what a search by time goes by.
 */
export class SparseIndex {
  static readonly version = 1
  readonly baseOffset: number
  #offsets: number[] = []
  #positions: number[] = []
  #newestMs: number[] = []

  constructor(baseOffset: number) {
    this.baseOffset = baseOffset
  }

  get newestMs(): number {
    return this.#newestMs.at(-1) ?? Number.NEGATIVE_INFINITY
  }

  /** The next batch of the segment. */
  add(batch: BatchHeader, position: number): void {
    const last = this.#positions.length - 1
    const newestMs = Math.max(this.newestMs, batch.maxTimestampMs)
    if (last >= 0 && position - this.#positions[last]! < blockBytes) {
      this.#newestMs[last] = newestMs
      return
    }
    this.#offsets.push(batch.baseOffset)
    this.#positions.push(position)
    this.#newestMs.push(newestMs)
  }

  /** The start of the block that holds `offset`. */
  blockOf(offset: number): BlockStart {
    const after = firstWhere(this.#offsets, (value) => value > offset)
    if (after === 0) return { offset: this.baseOffset, position: 0 }
    return { offset: this.#offsets[after - 1]!, position: this.#positions[after - 1]! }
  }

  /** The first offset of the first block with a record at or after `timestampMs`. */
  firstOffsetAround(timestampMs: number): number | null {
    return this.#offsets[firstWhere(this.#newestMs, (value) => value >= timestampMs)] ?? null
  }

  /** The contents of the two files that spare a scan of the segment. */
  encode(segment: SegmentExtent): { readonly offsets: Uint8Array; readonly times: Uint8Array } {
    const count = this.#offsets.length
    const offsets = startTable(segment, count, 8)
    const times = startTable(segment, count, 12)
    for (let entry = 0; entry < count; entry++) {
      const relative = this.#offsets[entry]! - this.baseOffset
      offsets.setUint32(tableHeaderBytes + entry * 8, relative)
      offsets.setUint32(tableHeaderBytes + entry * 8 + 4, this.#positions[entry]!)
      times.setFloat64(tableHeaderBytes + entry * 12, this.#newestMs[entry]!)
      times.setUint32(tableHeaderBytes + entry * 12 + 8, relative)
    }
    return { offsets: seal(offsets), times: seal(times) }
  }

  /** Of the content of an index file; null when it has no room for one. */
  static versionOf(content: Uint8Array): number | null {
    if (content.length < 4) return null
    return new DataView(content.buffer, content.byteOffset, content.length).getUint32(0)
  }

  /** Whether the checksum of an index file holds. */
  static isIntact(content: Uint8Array, ending: 'index' | 'timeindex'): boolean {
    return openTable(content, ending === 'index' ? 8 : 12) !== null
  }

  /** Null when either file is damaged, or belongs to another state of the segment. Neither is trusted then. */
  static decode(
    files: { readonly offsets: Uint8Array; readonly times: Uint8Array },
    segment: { readonly baseOffset: number; readonly sizeBytes: number },
  ): { readonly index: SparseIndex; readonly nextOffset: number } | null {
    const offsets = openTable(files.offsets, 8)
    const times = openTable(files.times, 12)
    if (offsets === null || times === null) return null
    const records = offsets.getUint32(12)
    if (offsets.getUint32(4) !== times.getUint32(4) || records !== times.getUint32(12)) return null
    if (offsets.getUint32(8) !== segment.sizeBytes || times.getUint32(8) !== segment.sizeBytes) return null
    const index = new SparseIndex(segment.baseOffset)
    for (let entry = 0; entry < offsets.getUint32(4); entry++) {
      const relative = offsets.getUint32(tableHeaderBytes + entry * 8)
      if (times.getUint32(tableHeaderBytes + entry * 12 + 8) !== relative) return null
      index.#offsets.push(segment.baseOffset + relative)
      index.#positions.push(offsets.getUint32(tableHeaderBytes + entry * 8 + 4))
      index.#newestMs.push(times.getFloat64(tableHeaderBytes + entry * 12))
    }
    return { index, nextOffset: segment.baseOffset + records }
  }
}

export type BlockStart = { readonly offset: number; readonly position: number }

export type SegmentExtent = { readonly sizeBytes: number; readonly records: number }

const blockBytes = 16 * 1024

// A table: version, number of entries, size of the segment, number of its records, all u32; the entries; CRC-32C.
const tableHeaderBytes = 16

function startTable(segment: SegmentExtent, count: number, entryBytes: number): DataView {
  assert(segment.records <= 0xffff_ffff, 'a segment holds fewer than 2^32 records')
  const table = new DataView(new ArrayBuffer(tableHeaderBytes + count * entryBytes + 4))
  table.setUint32(0, SparseIndex.version)
  table.setUint32(4, count)
  table.setUint32(8, segment.sizeBytes)
  table.setUint32(12, segment.records)
  return table
}

function seal(table: DataView): Uint8Array {
  const bytes = new Uint8Array(table.buffer)
  table.setUint32(bytes.length - 4, crc32c(bytes, 0, bytes.length - 4))
  return bytes
}

function openTable(bytes: Uint8Array, entryBytes: number): DataView | null {
  if (bytes.length < tableHeaderBytes + 4) return null
  const table = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (table.getUint32(0) !== SparseIndex.version) return null
  if (bytes.length !== tableHeaderBytes + table.getUint32(4) * entryBytes + 4) return null
  return table.getUint32(bytes.length - 4) === crc32c(bytes, 0, bytes.length - 4) ? table : null
}

/** The first index whose value passes; the length when none does. Values that pass come after those that do not. */
function firstWhere(values: readonly number[], passes: (value: number) => boolean): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (passes(values[middle]!)) high = middle
    else low = middle + 1
  }
  return low
}
