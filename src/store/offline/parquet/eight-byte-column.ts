import zlib from 'node:zlib'
import type { ColumnChunk, SchemaElement } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writePageHeader } from 'hyparquet-writer/src/datapage.js'
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js'
import { assert } from '../../../base/assert.ts'
import type { TableColumnValues, TableValue } from '../table-file.ts'
import { compressorsToWrite, type ParquetCodec } from './codecs.ts'
import { wordsOf } from './int64.ts'

/** Collects one column of a row group, then writes it as a chunk and is empty again. */
export interface ColumnCollector {
  /** Takes the values [start, end). They have been checked, and with those before they fit in the row group. */
  append(values: TableColumnValues, start: number, end: number): void
  writeChunk(writer: ByteWriter): ColumnChunk
}

export type EightByteOptions = { readonly rowsMax: number; readonly codec: ParquetCodec }

/**
 * Columns of doubles and of 64-bit integers, the bulk of every training set, encoded here: straight into one buffer,
 * one plain page per chunk. The library's encoder visits every value six times, and integers as bigints.
 */
export class EightByteColumn implements ColumnCollector {
  readonly #element: SchemaElement
  readonly #codec: ParquetCodec
  /** One buffer under three views. Holds the values that are not null. */
  readonly #doubles: Float64Array
  readonly #integers: BigInt64Array
  readonly #words: Int32Array
  /** 1 for a value, 0 for a null. Null when the column is not nullable. */
  readonly #levels: Uint8Array | null
  #rows = 0
  #count = 0

  constructor(element: SchemaElement, { rowsMax, codec }: EightByteOptions) {
    this.#element = element
    this.#codec = codec
    this.#doubles = new Float64Array(rowsMax)
    this.#integers = new BigInt64Array(this.#doubles.buffer)
    this.#words = wordsOf(this.#integers)
    this.#levels = element.repetition_type === 'OPTIONAL' ? new Uint8Array(rowsMax) : null
  }

  append(values: TableColumnValues, start: number, end: number): void {
    if (values instanceof Float64Array) {
      this.#appendNumbers(values, start, end)
      return
    }
    if (this.#levels !== null) {
      for (let r = start; r < end; r++) this.#levels[this.#rows + r - start] = values[r] === null ? 0 : 1
    }
    this.#rows += end - start
    if (this.#element.type === 'DOUBLE') this.#appendDoubles(values, start, end)
    else this.#appendIntegers(values, start, end)
  }

  /** NaN is null. */
  #appendNumbers(values: Float64Array, start: number, end: number): void {
    const isDouble = this.#element.type === 'DOUBLE'
    const doubles = this.#doubles
    const words = this.#words
    const levels = this.#levels
    let rows = this.#rows
    let count = this.#count
    for (let r = start; r < end; r++) {
      const value = values[r]!
      const isPresent = !Number.isNaN(value)
      if (levels !== null) levels[rows] = isPresent ? 1 : 0
      rows += 1
      if (!isPresent) continue
      if (isDouble) doubles[count] = value
      else {
        words[2 * count] = value
        words[2 * count + 1] = Math.floor(value / 4_294_967_296)
      }
      count += 1
    }
    this.#rows = rows
    this.#count = count
  }

  #appendDoubles(values: readonly TableValue[], start: number, end: number): void {
    let count = this.#count
    for (let r = start; r < end; r++) if (values[r] !== null) this.#doubles[count++] = values[r] as number
    this.#count = count
  }

  #appendIntegers(values: readonly TableValue[], start: number, end: number): void {
    const words = this.#words
    let count = this.#count
    for (let r = start; r < end; r++) {
      const value = values[r] as number | bigint | null
      if (value === null) continue
      if (typeof value === 'bigint') {
        this.#integers[count++] = value
        continue
      }
      // Storing in an Int32Array keeps the low 32 bits, also of a number beyond them and of a negative one.
      words[2 * count] = value
      words[2 * count + 1] = Math.floor(value / 4_294_967_296)
      count += 1
    }
    this.#count = count
  }

  writeChunk(writer: ByteWriter): ColumnChunk {
    const { name, type } = this.#element
    assert(type !== undefined, 'a leaf has a stored type')
    const start = writer.offset
    const levels = this.#encodedLevels()
    const plainBytes = this.#count * 8
    const plain = new Uint8Array(this.#doubles.buffer, 0, plainBytes)
    const stored = this.#codec === 'UNCOMPRESSED' ? plain : compressorsToWrite[this.#codec](plain)
    writePageHeader(writer, {
      type: 'DATA_PAGE_V2',
      uncompressed_page_size: levels.length + plainBytes,
      compressed_page_size: levels.length + stored.length,
      crc: zlib.crc32(stored, zlib.crc32(levels)) | 0,
      data_page_header_v2: {
        num_values: this.#rows,
        num_nulls: this.#rows - this.#count,
        num_rows: this.#rows,
        encoding: 'PLAIN',
        definition_levels_byte_length: levels.length,
        repetition_levels_byte_length: 0,
        is_compressed: this.#codec !== 'UNCOMPRESSED',
      },
    })
    const headerSize = writer.offset - start
    writer.appendBytes(levels)
    writer.appendBytes(stored)
    const chunk: ColumnChunk = {
      file_offset: BigInt(start),
      meta_data: {
        type,
        encodings: this.#levels === null ? ['PLAIN'] : ['PLAIN', 'RLE'],
        path_in_schema: [name],
        codec: this.#codec,
        num_values: BigInt(this.#rows),
        total_uncompressed_size: BigInt(headerSize + levels.length + plainBytes),
        total_compressed_size: BigInt(writer.offset - start),
        data_page_offset: BigInt(start),
        statistics: { ...this.#bounds(), null_count: BigInt(this.#rows - this.#count) },
      },
    }
    this.#rows = 0
    this.#count = 0
    return chunk
  }

  #encodedLevels(): Uint8Array {
    const encoded = new ByteWriter()
    if (this.#levels !== null) writeRleBitPackedHybrid(encoded, this.#levels.subarray(0, this.#rows), 1)
    return encoded.getBytes()
  }

  /** Least and greatest value. Of doubles without NaN, with zero as -0 and +0, as the format asks. */
  #bounds(): { min_value?: number | bigint; max_value?: number | bigint } {
    return this.#element.type === 'DOUBLE'
      ? doubleBounds(this.#doubles, this.#count)
      : integerBounds(this.#integers, this.#count)
  }
}

function doubleBounds(doubles: Float64Array, count: number): { min_value?: number; max_value?: number } {
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < count; i++) {
    const value = doubles[i]!
    if (value < least) least = value
    if (value > greatest) greatest = value
  }
  if (least > greatest) return {}
  return { min_value: least === 0 ? -0 : least, max_value: greatest === 0 ? 0 : greatest }
}

function integerBounds(integers: BigInt64Array, count: number): { min_value?: bigint; max_value?: bigint } {
  if (count === 0) return {}
  const words = wordsOf(integers)
  let least = 0
  let greatest = 0
  for (let i = 1; i < count; i++) {
    if (lessThan(words, i, least)) least = i
    else if (lessThan(words, greatest, i)) greatest = i
  }
  return { min_value: integers[least]!, max_value: integers[greatest]! }
}

function lessThan(words: Int32Array, i: number, j: number): boolean {
  const high = words[2 * i + 1]!
  const otherHigh = words[2 * j + 1]!
  return high === otherHigh ? words[2 * i]! >>> 0 < words[2 * j]! >>> 0 : high < otherHigh
}
