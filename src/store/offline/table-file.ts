/**
 * Tables in files: histories, spines and training sets. One port, adapters by file ending (`parquet/`, `csv/`).
 *
 * Values are what JSON could hold, plus bigint: a timestamp column is read as epoch milliseconds (number), a
 * decimal as a number, a list as an array. CSV holds strings only; whoever reads knows the types it wants.
 */
export type TableValue = string | number | bigint | boolean | null | readonly TableValue[]

/** Values as they are; or numbers, where NaN is null. A NaN that is meant is among values. */
export type TableColumnValues = readonly TableValue[] | Float64Array

/** A run of rows in columns: `columns[c][r]`, in the order of the names asked for. */
export type TableBatch<Values extends TableColumnValues = TableColumnValues> = {
  readonly rows: number
  readonly columns: readonly Values[]
}

export interface TableReader {
  readonly columns: readonly string[]
  /** Columns that the file itself says hold instants: their numbers are epoch milliseconds. Others are just numbers. */
  readonly instants: ReadonlySet<string>
  /** Null when only reading to the end tells. */
  readonly rowCount: number | null
  /** Batches in row order. Throws `FILE_COLUMN_MISSING` and `FILE_UNREADABLE`. */
  read(columns: readonly string[]): AsyncIterable<TableBatch<readonly TableValue[]>>
  /** The same, with columns of numbers as such where the file has them so: a fraction of the work and the memory. */
  readNumbers?(columns: readonly string[]): AsyncIterable<TableBatch>
}

export type TableColumn = {
  readonly name: string
  readonly type:
    | 'string'
    | 'int64'
    | 'double'
    | 'boolean'
    | 'timestamp'
    | 'list<double>'
    | 'list<string>'
    | 'list<boolean>'
  readonly nullable: boolean
}

/** The file appears under its name only when `close` has resolved; before that it is `<path>.partial`. */
export interface TableWriter {
  write(batch: TableBatch): Promise<void>
  close(): Promise<void>
}
