import { parquetSchema, type RowGroup, type SchemaTree } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import { assert } from '../../../base/assert.ts'
import { checkBatch } from '../check-batch.ts'
import { PartialFile } from '../partial-file.ts'
import type { TableBatch, TableColumn, TableWriter } from '../table-file.ts'
import { AnyColumn } from './any-column.ts'
import type { ParquetCodec } from './codecs.ts'
import { type ColumnCollector, EightByteColumn } from './eight-byte-column.ts'
import { parquetSchemaOf } from './parquet-schema.ts'

export type ParquetWriterOptions = {
  /** Default `UNCOMPRESSED`: zstd makes tables of numbers a quarter as large, and takes two to three times as long to write. */
  readonly codec?: ParquetCodec
  /** Default 100,000. Memory is about that of one row group. */
  readonly rowsPerGroup?: number
}

/** `PAR1`, the first and the last four bytes of a file. */
const mark = 0x31_52_41_50

/** Writes row groups as they fill. Throws `FILE_WRITE_FAILED`; `FILE_VALUE_REFUSED` for text that has no UTF-8. */
export async function openParquetWriter(
  path: string,
  columns: readonly TableColumn[],
  options: ParquetWriterOptions = {},
): Promise<TableWriter> {
  assert(columns.length > 0, 'a Parquet file has a column')
  assert(new Set(columns.map(({ name }) => name)).size === columns.length, 'no two columns share a name')
  return new ParquetTableWriter({ path, columns, file: await PartialFile.create(path), options })
}

type Parts = {
  readonly path: string
  readonly columns: readonly TableColumn[]
  readonly file: PartialFile
  readonly options: ParquetWriterOptions
}

class ParquetTableWriter implements TableWriter {
  readonly #path: string
  readonly #columns: readonly TableColumn[]
  readonly #file: PartialFile
  readonly #rowsPerGroup: number
  readonly #collectors: readonly ColumnCollector[]
  readonly #bytes = new ByteWriter()
  readonly #groups: RowGroup[] = []
  #rowsWritten = 0
  #rowsCollected = 0

  constructor({ path, columns, file, options: { codec = 'UNCOMPRESSED', rowsPerGroup = 100_000 } }: Parts) {
    this.#path = path
    this.#columns = columns
    this.#file = file
    this.#rowsPerGroup = rowsPerGroup
    const schema = schemaTree(columns)
    this.#collectors = columns.map((_, c) => {
      const leafPath = pathToLeaf(schema, schema.children[c]!)
      const leaf = leafPath.at(-1)!.element
      const eightBytes = leafPath.length === 2 && (leaf.type === 'DOUBLE' || leaf.type === 'INT64')
      return eightBytes ? new EightByteColumn(leaf, { rowsMax: rowsPerGroup, codec }) : new AnyColumn(leafPath, codec)
    })
    this.#bytes.appendUint32(mark)
  }

  async write(batch: TableBatch): Promise<void> {
    checkBatch(this.#columns, batch, { path: this.#path, rowsBefore: this.#rowsWritten + this.#rowsCollected })
    let start = 0
    while (start < batch.rows) {
      const end = Math.min(batch.rows, start + this.#rowsPerGroup - this.#rowsCollected)
      for (const [c, collector] of this.#collectors.entries()) collector.append(batch.columns[c]!, start, end)
      this.#rowsCollected += end - start
      start = end
      if (this.#rowsCollected === this.#rowsPerGroup) await this.#writeGroup()
    }
  }

  async close(): Promise<void> {
    if (this.#rowsCollected > 0) await this.#writeGroup()
    const schema = parquetSchemaOf(this.#columns)
    const counts = { num_rows: BigInt(this.#rowsWritten), metadata_length: 0 }
    writeMetadata(this.#bytes, { version: 2, created_by: 'millrace', schema, row_groups: this.#groups, ...counts })
    this.#bytes.appendUint32(mark)
    await this.#append()
    await this.#file.publish()
  }

  async #writeGroup(): Promise<void> {
    const start = this.#bytes.offset
    const columns = this.#collectors.map((collector) => collector.writeChunk(this.#bytes))
    let bytesUncompressed = 0n
    for (const { meta_data } of columns) bytesUncompressed += meta_data?.total_uncompressed_size ?? 0n
    this.#groups.push({
      columns,
      num_rows: BigInt(this.#rowsCollected),
      total_byte_size: bytesUncompressed,
      total_compressed_size: BigInt(this.#bytes.offset - start),
      file_offset: BigInt(start),
    })
    this.#rowsWritten += this.#rowsCollected
    this.#rowsCollected = 0
    await this.#append()
  }

  async #append(): Promise<void> {
    await this.#file.append(this.#bytes.getBytes())
    this.#bytes.index = 0
  }
}

function schemaTree(columns: readonly TableColumn[]): SchemaTree {
  return parquetSchema({ schema: parquetSchemaOf(columns) })
}

function pathToLeaf(schema: SchemaTree, column: SchemaTree): SchemaTree[] {
  const path = [schema, column]
  while (path.at(-1)!.children.length > 0) path.push(path.at(-1)!.children[0]!)
  return path
}
