import zlib from 'node:zlib'
import type { ColumnMetaData, DecodedArray, SchemaElement } from 'hyparquet'
import type { parquetHeader } from 'hyparquet/src/column.js'
import { decompressPage } from 'hyparquet/src/datapage.js'
import { deltaBinaryUnpack, deltaByteArray, deltaLengthByteArray } from 'hyparquet/src/delta.js'
import { byteStreamSplit } from 'hyparquet/src/encoding.js'
import { readPlain } from 'hyparquet/src/plain.js'
import { decompressors } from './codecs.ts'
import { decodeRuns } from './runs.ts'

export type PageHeader = ReturnType<typeof parquetHeader>

/** The leaf a page belongs to. */
export type Leaf = {
  readonly element: SchemaElement
  readonly codec: ColumnMetaData['codec']
  readonly repetitionMax: number
  readonly definitionMax: number
}

export type StoredPage = {
  /** Null where the schema has no such levels. */
  readonly repetition: Uint8Array | null
  readonly definition: Uint8Array | null
  /** What is not null, as stored; or positions in the dictionary. */
  readonly stored: DecodedArray | Int32Array
  readonly inDictionary: boolean
}

/** Values that the header claims, nulls among them. Looked at before anything of that size is made. */
export function valueCount(header: PageHeader): number {
  const count = header.data_page_header_v2?.num_values ?? header.data_page_header?.num_values
  if (count === undefined || count < 0) throw new Error(`a page of the type ${header.type} has no number of values`)
  return count
}

export function readDictionary(header: PageHeader, compressed: Uint8Array, { element, codec }: Leaf): DecodedArray {
  const page = decompressPage(compressed, header.uncompressed_page_size, codec, decompressors)
  const count = header.dictionary_page_header?.num_values ?? 0
  if (count > page.length * 8) throw new Error(`a dictionary claims ${count} values in ${page.length} bytes`)
  return storedValues(page, { encoding: 'PLAIN', count }, element)
}

export function readDataPage(header: PageHeader, compressed: Uint8Array, leaf: Leaf): StoredPage {
  const count = valueCount(header)
  const { encoding, levels, bytes } = header.data_page_header_v2
    ? layoutV2(header, compressed, leaf)
    : layoutV1(header, compressed, leaf)
  const repetition = readLevels(levels.repetition, leaf.repetitionMax, count)
  const definition = readLevels(levels.definition, leaf.definitionMax, count)
  let present = count
  if (definition !== null) for (const level of definition) if (level < leaf.definitionMax) present -= 1
  const inDictionary = encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY'
  const stored = inDictionary
    ? positions(bytes, present)
    : storedValues(bytes, { encoding, count: present }, leaf.element)
  return { repetition, definition, stored, inDictionary }
}

type Layout = {
  readonly encoding: string
  readonly levels: { readonly repetition: Uint8Array; readonly definition: Uint8Array }
  /** What comes after the levels. */
  readonly bytes: Uint8Array
}

const nothing = new Uint8Array(0)

/** Levels and values compressed together, each kind of levels after its length. */
function layoutV1(header: PageHeader, compressed: Uint8Array, leaf: Leaf): Layout {
  const page = decompressPage(compressed, header.uncompressed_page_size, leaf.codec, decompressors)
  const { encoding, definition_level_encoding, repetition_level_encoding } = header.data_page_header!
  let position = 0
  const section = (max: number, levelEncoding: string): Uint8Array => {
    if (max === 0) return nothing
    if (levelEncoding !== 'RLE') throw new Error(`levels are encoded as ${levelEncoding}`)
    const size = readerOf(page).view.getUint32(position, true)
    const bytes = page.subarray(position + 4, position + 4 + size)
    position += 4 + size
    return bytes
  }
  const repetition = section(leaf.repetitionMax, repetition_level_encoding)
  const definition = section(leaf.definitionMax, definition_level_encoding)
  return { encoding, levels: { repetition, definition }, bytes: page.subarray(position) }
}

/** Levels uncompressed in front, their lengths in the header. */
function layoutV2(header: PageHeader, compressed: Uint8Array, leaf: Leaf): Layout {
  const { encoding, is_compressed, repetition_levels_byte_length, definition_levels_byte_length } =
    header.data_page_header_v2!
  const levelsEnd = repetition_levels_byte_length + definition_levels_byte_length
  const stored = compressed.subarray(levelsEnd)
  const size = header.uncompressed_page_size - levelsEnd
  const codec = is_compressed === false ? 'UNCOMPRESSED' : leaf.codec
  return {
    encoding,
    levels: {
      repetition: compressed.subarray(0, repetition_levels_byte_length),
      definition: compressed.subarray(repetition_levels_byte_length, levelsEnd),
    },
    bytes: size === 0 ? nothing : decompressPage(stored, size, codec, decompressors),
  }
}

function readLevels(bytes: Uint8Array, max: number, count: number): Uint8Array | null {
  if (max === 0) return null
  const levels = new Uint8Array(count)
  decodeRuns(bytes, { start: 0, end: bytes.length, bitWidth: 32 - Math.clz32(max) }, levels)
  return levels
}

function positions(bytes: Uint8Array, count: number): Int32Array {
  const into = new Int32Array(count)
  if (count > 0) decodeRuns(bytes, { start: 1, end: bytes.length, bitWidth: bytes[0] ?? 0 }, into)
  return into
}

type Encoded = { readonly encoding: string; readonly count: number }

function storedValues(bytes: Uint8Array, { encoding, count }: Encoded, element: SchemaElement): DecodedArray {
  if (count === 0) return []
  const reader = readerOf(bytes)
  const type = storedType(element)
  switch (encoding) {
    case 'PLAIN':
      if (type === 'DOUBLE') return new Float64Array(ownBytes(bytes, count * 8))
      if (type === 'INT64') return new BigInt64Array(ownBytes(bytes, count * 8))
      return readPlain(reader, type, count, element.type_length)
    case 'RLE': {
      const bits = new Uint8Array(count)
      decodeRuns(bytes, { start: 4, end: bytes.length, bitWidth: 1 }, bits)
      return Array.from(bits, (bit) => bit === 1)
    }
    case 'DELTA_BINARY_PACKED': {
      // Through 64 bits: DuckDB starts unsigned columns beyond the 32 bits that the library reads for INT32.
      const values = new BigInt64Array(count)
      if (type === 'INT32' && element.converted_type !== 'UINT_32') {
        const small = new Int32Array(count)
        deltaBinaryUnpack(reader, count, small)
        return small
      }
      deltaBinaryUnpack(reader, count, values)
      return type === 'INT32' ? Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value))) : values
    }
    case 'DELTA_LENGTH_BYTE_ARRAY':
    case 'DELTA_BYTE_ARRAY': {
      const values: Uint8Array[] = []
      values.length = count
      if (encoding === 'DELTA_BYTE_ARRAY') deltaByteArray(reader, count, values)
      else deltaLengthByteArray(reader, count, values)
      return values
    }
    case 'BYTE_STREAM_SPLIT':
      return byteStreamSplit(reader, count, type, element.type_length)
    default:
      throw new Error(`values are encoded as ${encoding}`)
  }
}

/** A copy, aligned, that outlives the chunk it was read from. */
function ownBytes(bytes: Uint8Array, size: number): ArrayBuffer {
  if (bytes.length < size) throw new Error(`a page has ${bytes.length} of the ${size} bytes of its values`)
  // Not by slice, which of a Buffer, as codecs of Node give it, is no copy.
  const own = new Uint8Array(size)
  own.set(bytes.subarray(0, size))
  return own.buffer
}

function storedType(element: SchemaElement): NonNullable<SchemaElement['type']> {
  if (element.type === undefined) throw new Error(`"${element.name}" has no stored type`)
  return element.type
}

function readerOf(bytes: Uint8Array): { view: DataView; offset: number } {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }
}

/** Pages carry a CRC-32 when their writer chose so. */
export function verifyChecksum(header: PageHeader, compressed: Uint8Array): void {
  if (header.crc === undefined) return
  if ((zlib.crc32(compressed) | 0) !== (header.crc | 0)) throw new Error('a page does not match its checksum')
}
