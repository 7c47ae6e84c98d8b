import { type FileHandle, open, stat } from 'node:fs/promises'
import {
  type ColumnMetaData,
  type FileMetaData,
  type RowGroup,
  type SchemaTree,
  parquetMetadataAsync,
  parquetSchema,
} from 'hyparquet'
import { MillraceError, messageOf } from '../../../base/faults.ts'
import type { TableBatch, TableColumnValues, TableReader, TableValue } from '../table-file.ts'
import { sizedArray } from './sized-array.ts'
import { type ColumnPlan, decodeChunk, planColumn } from './column-chunk.ts'
import { isInstant } from './leaf-values.ts'

/**
 * Reads the footer and keeps no file open; each `read` opens the file for itself and refuses one that has changed.
 *
 * A batch is a row group: memory is that of the columns asked for in the largest group of the file. A column of an
 * unsupported type is listed, and refused when it is asked for.
 */
export async function openParquetReader(path: string): Promise<TableReader> {
  const file = await reading(path, () => readFooter(path))
  return {
    columns: file.columns,
    instants: new Set(
      file.schema.children.filter(({ element }) => isInstant(element)).map(({ element }) => element.name),
    ),
    rowCount: Number(file.metadata.num_rows),
    read: (names) => asValues(readGroups(file, names)),
    readNumbers: (names) => readGroups(file, names),
  }
}

type ParquetFile = {
  readonly path: string
  readonly metadata: FileMetaData
  readonly schema: SchemaTree
  readonly columns: readonly string[]
  /** Tells a file from another one put in its place. */
  readonly version: string
}

async function readFooter(path: string): Promise<ParquetFile> {
  const file = await open(path)
  try {
    const { size, mtimeMs } = await file.stat()
    if (size < 12) throw new Error(`its ${size} bytes are too few for a Parquet file`)
    const source = { byteLength: size, slice: (start: number, end = size) => readBytes(file, start, end) }
    const metadata = await parquetMetadataAsync(source, { geoparquet: false })
    const schema = parquetSchema(metadata)
    const columns = schema.children.map((child) => child.element.name)
    return { path, metadata, schema, columns, version: `${size} ${mtimeMs}` }
  } finally {
    await file.close()
  }
}

async function* readGroups(source: ParquetFile, names: readonly string[]): AsyncGenerator<TableBatch> {
  const { path, metadata } = source
  const plans = await reading(path, () => planColumns(source, names))
  const file = await reading(path, () => openUnchanged(source))
  const buffer = new ReadBuffer(file)
  try {
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows)
      if (rows === 0) continue
      const decoded = new Map<ColumnPlan, TableColumnValues>()
      for (const plan of new Set(plans)) decoded.set(plan, await reading(path, () => readColumn(buffer, group, plan)))
      yield { rows, columns: plans.map((plan) => decoded.get(plan)!) }
    }
  } finally {
    await file.close()
  }
}

async function* asValues(batches: AsyncIterable<TableBatch>): AsyncGenerator<TableBatch<readonly TableValue[]>> {
  for await (const { rows, columns } of batches) yield { rows, columns: columns.map(valuesOf) }
}

function valuesOf(values: TableColumnValues): readonly TableValue[] {
  if (!(values instanceof Float64Array)) return values
  const plain = sizedArray<TableValue>(values.length)
  for (let i = 0; i < values.length; i++) plain[i] = Number.isNaN(values[i]) ? null : values[i]!
  return plain
}

async function planColumns({ path, schema, columns }: ParquetFile, names: readonly string[]): Promise<ColumnPlan[]> {
  const plans = new Map<string, ColumnPlan>()
  for (const name of new Set(names)) {
    const root = schema.children.find((child) => child.element.name === name)
    if (root === undefined) {
      const details = { file: path, column: name, what: 'this read', columns: columns.join(', ') }
      throw new MillraceError('FILE_COLUMN_MISSING', details)
    }
    plans.set(name, planColumn(schema, root))
  }
  return names.map((name) => plans.get(name)!)
}

async function openUnchanged({ path, version }: ParquetFile): Promise<FileHandle> {
  const { size, mtimeMs } = await stat(path)
  if (`${size} ${mtimeMs}` !== version) throw new Error('it has changed since it was opened')
  return open(path)
}

async function readColumn(buffer: ReadBuffer, group: RowGroup, plan: ColumnPlan): Promise<TableColumnValues> {
  const chunk = group.columns.find((column) => column.meta_data?.path_in_schema[0] === plan.name)
  if (chunk?.meta_data === undefined) throw new Error(`column "${plan.name}" is missing from a row group`)
  if (chunk.file_path !== undefined) throw new Error(`column "${plan.name}" lies in another file, ${chunk.file_path}`)
  const start = chunkStart(chunk.meta_data)
  const bytes = await buffer.read(start, start + Number(chunk.meta_data.total_compressed_size))
  return decodeChunk(plan, { meta: chunk.meta_data, bytes, rows: Number(group.num_rows) })
}

function chunkStart({ dictionary_page_offset, data_page_offset }: ColumnMetaData): number {
  // Some writers put 0 where there is no dictionary; no page lies at 0, where the file's mark is.
  return Number(dictionary_page_offset || data_page_offset)
}

/** One buffer for chunk after chunk: what is read is valid until the next is. */
class ReadBuffer {
  readonly #file: FileHandle
  #bytes = new Uint8Array(0)

  constructor(file: FileHandle) {
    this.#file = file
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    if (this.#bytes.length < end - start) this.#bytes = new Uint8Array(end - start)
    const bytes = this.#bytes.subarray(0, end - start)
    await readInto(this.#file, bytes, start)
    return bytes
  }
}

async function readBytes(file: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(end - start)
  await readInto(file, bytes, start)
  return bytes.buffer
}

async function readInto(file: FileHandle, bytes: Uint8Array, start: number): Promise<void> {
  const end = start + bytes.length
  for (let filled = 0; filled < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled)
    if (bytesRead === 0) throw new Error(`it ends at byte ${start + filled}, before the ${end} that its footer names`)
    filled += bytesRead
  }
}

/** Whatever the file or the library stumbles over is one fault, with the file's name and the cause. */
async function reading<Value>(path: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError('FILE_UNREADABLE', { file: path, detail: messageOf(error) }, { cause: error })
  }
}
