import zlib from 'node:zlib'
import type { ColumnMetaData, DecodedArray, SchemaTree } from 'hyparquet'
import { assembleNested } from 'hyparquet/src/assemble.js'
import { parquetHeader, readColumn } from 'hyparquet/src/column.js'
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js'
import { readPlain } from 'hyparquet/src/plain.js'
import { getMaxDefinitionLevel, isFlatColumn, isListLike } from 'hyparquet/src/schema.js'
import type { TableValue } from '../table-file.ts'
import { decompressors } from './codecs.ts'
import { type LeafConversion, leafConversion } from './leaf-values.ts'
import { sizedArray } from './sized-array.ts'

type ColumnDecoder = Parameters<typeof readDataPage>[2]
type PageHeader = ReturnType<typeof parquetHeader>

/** How one top-level column is read: flat, or a list (of lists) of one leaf. */
export type ColumnPlan = {
  readonly name: string
  readonly root: SchemaTree
  /** From the root of the schema down to the leaf, the leaf without its annotation: values come as they are stored. */
  readonly schemaPath: SchemaTree[]
  readonly flat: boolean
  readonly convert: LeafConversion
}

/** Throws an Error whose message says what the column holds that a table cannot. */
export function planColumn(schema: SchemaTree, root: SchemaTree): ColumnPlan {
  const path = [schema, root]
  let leaf = root
  while (leaf.children.length > 0) {
    const inList = isListLike(leaf) || (leaf.element.repetition_type === 'REPEATED' && leaf.children.length === 1)
    if (!inList) throw new Error(`column "${root.element.name}" holds maps or groups of fields`)
    leaf = leaf.children[0]!
    path.push(leaf)
  }
  if (root.element.repetition_type === 'REPEATED') {
    throw new Error(`column "${root.element.name}" is repeated outside a list`)
  }
  const convert = leafConversion(leaf.element)
  if ('unsupported' in convert) throw new Error(`column "${root.element.name}" holds ${convert.unsupported}`)
  const { converted_type: _converted, logical_type: _logical, ...stored } = leaf.element
  path[path.length - 1] = { ...leaf, element: stored }
  return { name: root.element.name, root, schemaPath: path, flat: isFlatColumn(path), convert }
}

/** The values of one column in one row group. `bytes` is its whole chunk, from the dictionary page if it has one. */
export function decodeChunk(plan: ColumnPlan, meta: ColumnMetaData, group: ChunkBytes): TableValue[] {
  const decoder: ColumnDecoder = {
    pathInSchema: meta.path_in_schema,
    type: meta.type,
    element: plan.schemaPath.at(-1)!.element,
    schemaPath: plan.schemaPath,
    codec: meta.codec,
    parsers: DEFAULT_PARSERS,
    compressors: decompressors,
    utf8: false,
  }
  const values = plan.flat ? decodeFlat(plan, decoder, group) : decodeList(plan, decoder, group)
  if (values.length !== group.rows)
    throw new Error(`column "${plan.name}" ends after ${values.length} of ${group.rows} rows`)
  return values
}

export type ChunkBytes = { readonly bytes: ArrayBuffer; readonly rows: number }

/**
 * A loop over pages of our own, on the library's page decoders. The library's loop pushes each value of a nullable
 * column through the assembly of nested ones, which takes three times as long.
 */
function decodeFlat(plan: ColumnPlan, decoder: ColumnDecoder, { bytes, rows }: ChunkBytes): TableValue[] {
  const reader = { view: new DataView(bytes), offset: 0 }
  const nullLevel = getMaxDefinitionLevel(decoder.schemaPath) - 1
  const values = sizedArray<TableValue>(rows)
  let dictionary: ArrayLike<TableValue> | null = null
  let row = 0
  while (row < rows) {
    const header = parquetHeader(reader)
    const compressed = new Uint8Array(bytes, reader.offset, header.compressed_page_size)
    reader.offset += header.compressed_page_size
    if (header.type === 'INDEX_PAGE') continue
    verifyChecksum(header, compressed)
    if (header.type === 'DICTIONARY_PAGE') {
      dictionary = plan.convert(readDictionary(header, compressed, decoder))
      continue
    }
    const { encoding, count, definitionLevels, stored } = readPage(header, compressed, decoder)
    if (row + count > rows) throw new Error(`column "${plan.name}" holds more than the ${rows} rows of its row group`)
    const page: Page = {
      values: encoding.endsWith('_DICTIONARY') ? (stored as ArrayLike<number>) : plan.convert(stored),
      dictionary: encoding.endsWith('_DICTIONARY') ? dictionary : null,
      levels: stored.length === count ? null : (definitionLevels ?? null),
      nullLevel,
    }
    place(page, values, row)
    row += count
  }
  return values
}

function readDictionary(header: PageHeader, compressed: Uint8Array, decoder: ColumnDecoder): DecodedArray {
  const page = decompressPage(compressed, header.uncompressed_page_size, decoder.codec, decoder.compressors)
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 }
  const count = header.dictionary_page_header?.num_values ?? 0
  return readPlain(reader, decoder.type, count, decoder.element.type_length)
}

type StoredPage = {
  readonly encoding: string
  readonly count: number
  readonly definitionLevels: ArrayLike<number> | undefined
  readonly stored: DecodedArray
}

function readPage(header: PageHeader, compressed: Uint8Array, decoder: ColumnDecoder): StoredPage {
  if (header.data_page_header_v2 !== undefined) {
    const { encoding, num_values: count } = header.data_page_header_v2
    const { definitionLevels, dataPage: stored } = readDataPageV2(compressed, header, decoder)
    return { encoding, count, definitionLevels, stored }
  }
  if (header.data_page_header === undefined) throw new Error(`a page has the type ${header.type} and no header`)
  const { encoding, num_values: count } = header.data_page_header
  const page = decompressPage(compressed, header.uncompressed_page_size, decoder.codec, decoder.compressors)
  const { definitionLevels, dataPage: stored } = readDataPage(page, header.data_page_header, decoder)
  return { encoding, count, definitionLevels, stored }
}

type Page = {
  /** Values, or positions in the dictionary when there is one. Without the nulls. */
  readonly values: ArrayLike<TableValue>
  readonly dictionary: ArrayLike<TableValue> | null
  /** Null when no value of the page is null. */
  readonly levels: ArrayLike<number> | null
  readonly nullLevel: number
}

function place({ values, dictionary, levels, nullLevel }: Page, into: TableValue[], row: number): void {
  if (levels !== null) {
    let next = 0
    for (let i = 0; i < levels.length; i++) {
      if (levels[i]! <= nullLevel) into[row + i] = null
      else if (dictionary === null) into[row + i] = values[next++]!
      else into[row + i] = dictionary[values[next++] as number]!
    }
  } else if (dictionary === null) {
    for (let i = 0; i < values.length; i++) into[row + i] = values[i]!
  } else {
    const positions = values as ArrayLike<number>
    for (let i = 0; i < positions.length; i++) into[row + i] = dictionary[positions[i]!]!
  }
}

/** Pages carry a CRC-32 when their writer chose so. */
function verifyChecksum(header: PageHeader, compressed: Uint8Array): void {
  if (header.crc === undefined) return
  if ((zlib.crc32(compressed) | 0) !== (header.crc | 0)) throw new Error('a page does not match its checksum')
}

function decodeList(plan: ColumnPlan, decoder: ColumnDecoder, { bytes, rows }: ChunkBytes): TableValue[] {
  const reader = { view: new DataView(bytes), offset: 0 }
  const select = { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows }
  const { data } = readColumn(reader, select, decoder)
  const columns = new Map<string, DecodedArray>([[decoder.pathInSchema.join('.'), data.flatMap((page) => [...page])]])
  assembleNested(columns, plan.root, DEFAULT_PARSERS)
  const lists = columns.get(plan.name)
  if (lists === undefined) throw new Error(`column "${plan.name}" could not be assembled`)
  return Array.from(lists as ArrayLike<unknown>, (list) => convertNested(list, plan))
}

function convertNested(value: unknown, plan: ColumnPlan): TableValue {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return value.map((item) => convertNested(item, plan))
  return plan.convert(
    typeof value === 'bigint' && plan.schemaPath.at(-1)!.element.type === 'INT64' ? BigInt64Array.of(value) : [value],
  )[0]!
}
