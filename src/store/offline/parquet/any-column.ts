import type { ColumnChunk, DecodedArray, SchemaTree } from 'hyparquet'
import type { ByteWriter } from 'hyparquet-writer'
import { writeColumn } from 'hyparquet-writer/src/column.js'
import { encodeNestedValues } from 'hyparquet-writer/src/dremel.js'
import type { TableColumnValues, TableValue } from '../table-file.ts'
import { compressorsToWrite, type ParquetCodec } from './codecs.ts'
import type { ColumnCollector } from './eight-byte-column.ts'

/** Uncompressed bytes of a page, about. */
const pageBytes = 1_048_576

/** Columns of text, booleans and lists, encoded by the library: with a dictionary where one halves the size. */
export class AnyColumn implements ColumnCollector {
  readonly #path: SchemaTree[]
  readonly #codec: ParquetCodec
  #values: TableValue[] = []

  /** `path` leads from the root of the schema to the leaf. */
  constructor(path: SchemaTree[], codec: ParquetCodec) {
    this.#path = path
    this.#codec = codec
  }

  append(values: TableColumnValues, start: number, end: number): void {
    for (let r = start; r < end; r++) this.#values.push(values[r]!)
  }

  writeChunk(writer: ByteWriter): ColumnChunk {
    const schemaPath = this.#path.map((node) => node.element)
    const column: Parameters<typeof writeColumn>[0]['column'] = {
      columnName: this.#path.at(-1)!.path.join('.'),
      element: schemaPath.at(-1)!,
      schemaPath,
      codec: this.#codec,
      compressors: compressorsToWrite,
      stats: true,
      pageSize: pageBytes,
      columnIndex: false,
      offsetIndex: false,
    }
    const pageData = encodeNestedValues(this.#path, this.#values as DecodedArray)
    this.#values = []
    return writeColumn({ writer, column, pageData }).chunk
  }
}
