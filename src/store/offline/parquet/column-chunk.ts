import type { ColumnMetaData, DecodedArray, SchemaTree } from 'hyparquet'
import { assembleLists, assembleNested } from 'hyparquet/src/assemble.js'
import { parquetHeader } from 'hyparquet/src/column.js'
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js'
import { getMaxDefinitionLevel, getMaxRepetitionLevel, isFlatColumn, isListLike } from 'hyparquet/src/schema.js'
import type { TableColumnValues, TableValue } from '../table-file.ts'
import { type LeafConversion, leafConversion } from './leaf-values.ts'
import { type Leaf, readDataPage, readDictionary, type StoredPage, valueCount, verifyChecksum } from './page.ts'
import { sizedArray } from './sized-array.ts'

/** How one top-level column is read: flat, or a list (of lists) of one leaf. */
export type ColumnPlan = {
  readonly name: string
  readonly root: SchemaTree
  /** From the root of the schema down to the leaf. */
  readonly schemaPath: SchemaTree[]
  readonly convert: LeafConversion
}

/** Throws an Error whose message says what the column holds that a table cannot. */
export function planColumn(schema: SchemaTree, root: SchemaTree): ColumnPlan {
  const { name } = root.element
  if (root.element.repetition_type === 'REPEATED') throw new Error(`column "${name}" is repeated outside a list`)
  const schemaPath = [schema, root]
  let leaf = root
  while (leaf.children.length > 0) {
    const inList = isListLike(leaf) || (leaf.element.repetition_type === 'REPEATED' && leaf.children.length === 1)
    if (!inList) throw new Error(`column "${name}" holds maps or groups of fields`)
    leaf = leaf.children[0]!
    schemaPath.push(leaf)
  }
  const convert = leafConversion(leaf.element)
  if ('unsupported' in convert) throw new Error(`column "${name}" holds ${convert.unsupported}`)
  return { name, root, schemaPath, convert }
}

/** One column of a row group: its bytes, from the dictionary page if it has one. What is decoded holds none of them. */
export type Chunk = { readonly meta: ColumnMetaData; readonly bytes: Uint8Array; readonly rows: number }

/**
 * The values of one column in one row group: a loop over pages of our own, around the library's decoders of what is
 * in them. The library's loop pushes every value of a nullable column through the assembly of nested ones, which
 * takes three times as long, and makes a Date or a bigint of every 64-bit value.
 */
export function decodeChunk(plan: ColumnPlan, chunk: Chunk): TableColumnValues {
  const values = isFlatColumn(plan.schemaPath) ? decodeFlat(plan, chunk) : decodeLists(plan, chunk)
  if (values.length !== chunk.rows) {
    throw new Error(`column "${plan.name}" has ${values.length} of the ${chunk.rows} rows of its row group`)
  }
  return values
}

/** A page whose values have been converted. */
type Page = {
  readonly repetition: Uint8Array | null
  readonly definition: Uint8Array | null
  /** Values, without the nulls; or positions in the dictionary when there is one. */
  readonly values: ArrayLike<TableValue>
  readonly dictionary: ArrayLike<TableValue> | null
}

/** Pages until `countMax` values have come, by the pages' own count. More of them are refused before they are read. */
function* pagesOf(plan: ColumnPlan, { meta, bytes }: Chunk, countMax: number): Generator<Page> {
  const leaf: Leaf = {
    element: plan.schemaPath.at(-1)!.element,
    codec: meta.codec,
    repetitionMax: getMaxRepetitionLevel(plan.schemaPath),
    definitionMax: getMaxDefinitionLevel(plan.schemaPath),
  }
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 }
  let dictionary: ArrayLike<TableValue> | null = null
  let count = 0
  while (count < countMax) {
    const header = parquetHeader(reader)
    const compressed = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size)
    reader.offset += header.compressed_page_size
    if (header.type === 'INDEX_PAGE') continue
    verifyChecksum(header, compressed)
    if (header.type === 'DICTIONARY_PAGE') {
      dictionary = plan.convert(readDictionary(header, compressed, leaf))
      continue
    }
    count += valueCount(header)
    if (count > countMax) throw new Error(`column "${plan.name}" holds more than ${countMax} values in a row group`)
    yield converted(readDataPage(header, compressed, leaf), plan, dictionary)
  }
}

function converted(page: StoredPage, plan: ColumnPlan, dictionary: ArrayLike<TableValue> | null): Page {
  const { repetition, definition, stored, inDictionary } = page
  if (!inDictionary) return { repetition, definition, values: plan.convert(stored), dictionary: null }
  const positions = stored as Int32Array
  const size = dictionary?.length ?? 0
  for (let i = 0; i < positions.length; i++) {
    if (positions[i]! >= size)
      throw new Error(`column "${plan.name}" names entry ${positions[i]} of a dictionary of ${size}`)
  }
  return { repetition, definition, values: positions, dictionary }
}

function decodeFlat(plan: ColumnPlan, chunk: Chunk): TableColumnValues {
  const pages = [...pagesOf(plan, chunk, chunk.rows)]
  const numbers = pages.every(isNumeric) ? placeNumbers(pages, chunk.rows) : null
  if (numbers !== null) return numbers
  const values = sizedArray<TableValue>(chunk.rows)
  let row = 0
  for (const page of pages) {
    place(page, values, row)
    row += page.definition?.length ?? page.values.length
  }
  if (row !== chunk.rows) values.length = row
  return values
}

function isNumeric({ values, dictionary }: Page): boolean {
  const stored = dictionary ?? values
  return stored instanceof Float64Array || stored instanceof Int32Array || stored instanceof Float32Array
}

/** Numbers with NaN for null; null where a NaN is meant, or where rows are missing. */
function placeNumbers(pages: readonly Page[], rows: number): Float64Array | null {
  const into = new Float64Array(rows)
  let row = 0
  for (const { definition, values, dictionary } of pages) {
    const source = (dictionary ?? values) as ArrayLike<number>
    const positions = dictionary === null ? null : (values as ArrayLike<number>)
    const count = definition?.length ?? values.length
    if (positions === null && source instanceof Float64Array && count === source.length) {
      if (holdsNaN(source)) return null
      // Most chunks are one page, whose values nobody else holds: they need no copy.
      if (count === rows && row === 0) return source
      into.set(source.subarray(0, Math.max(0, rows - row)), row)
      row += count
      continue
    }
    let next = 0
    for (let i = 0; i < count; i++) {
      if (definition !== null && definition[i] === 0) {
        into[row + i] = Number.NaN
        continue
      }
      const value = source[positions === null ? next : positions[next]!]!
      next += 1
      if (Number.isNaN(value)) return null
      into[row + i] = value
    }
    row += count
  }
  return row === rows ? into : null
}

function holdsNaN(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true
  return false
}

function place({ definition, values, dictionary }: Page, into: TableValue[], row: number): void {
  if (definition !== null && definition.length > values.length) {
    let next = 0
    for (let i = 0; i < definition.length; i++) {
      if (definition[i] === 0) into[row + i] = null
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

function decodeLists(plan: ColumnPlan, chunk: Chunk): TableValue[] {
  const repetition: number[] = []
  const definition: number[] = []
  const values: TableValue[] = []
  for (const page of pagesOf(plan, chunk, Number(chunk.meta.num_values))) {
    for (const level of page.repetition ?? []) repetition.push(level)
    for (const level of page.definition ?? []) definition.push(level)
    for (let i = 0; i < page.values.length; i++) {
      values.push(page.dictionary === null ? page.values[i]! : page.dictionary[page.values[i] as number]!)
    }
  }
  if (repetition.length === 0) return []
  const rows = assembleLists([], definition, repetition, values as DecodedArray, plan.schemaPath)
  const columns = new Map<string, DecodedArray>([[plan.schemaPath.at(-1)!.path.join('.'), rows]])
  assembleNested(columns, plan.root, DEFAULT_PARSERS)
  const lists = columns.get(plan.name)
  if (lists === undefined) throw new Error(`column "${plan.name}" could not be assembled`)
  return Array.from(lists as ArrayLike<TableValue | undefined>, (list) => list ?? null)
}
