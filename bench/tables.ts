import { join } from 'node:path'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { parquetWriteFile } from 'hyparquet-writer'
import { openParquetReader } from '../src/store/offline/parquet/parquet-reader.ts'
import { openParquetWriter } from '../src/store/offline/parquet/parquet-writer.ts'
import type { TableBatch, TableColumn } from '../src/store/offline/table-file.ts'
import { type BenchContext, type BenchRow, compare, elapsedMs, repeat } from './harness.ts'

export const name = 'tables'
export const describe =
  'Parquet of 1,754,155 rows x 13 columns of numbers, against hyparquet and hyparquet-writer as they come'
export const peers = ['hyparquet', 'hyparquet-writer', 'hyparquet-compressors']

const rows = 1_754_155
const batchRows = 50_000

/** The shape of a training set: an id, an instant, six counts and five means, one of them with nulls. */
const columns: readonly TableColumn[] = [
  { name: 'id', type: 'int64', nullable: false },
  { name: 'at', type: 'timestamp', nullable: false },
  ...[1, 2, 3, 4, 5, 6].map((n): TableColumn => ({ name: `count_${n}`, type: 'int64', nullable: false })),
  ...[1, 2, 3, 4, 5].map((n): TableColumn => ({ name: `mean_${n}`, type: 'double', nullable: n === 5 })),
]

export async function run(context: BenchContext): Promise<readonly BenchRow[]> {
  const data = columns.map((column, c) => Array.from({ length: rows }, (_, i) => valueOf(column, c, i)))
  const batches: TableBatch[] = []
  for (let start = 0; start < rows; start += batchRows) {
    const end = Math.min(rows, start + batchRows)
    batches.push({ rows: end - start, columns: data.map((values) => values.slice(start, end)) })
  }
  const path = join(context.folder, 'ours.parquet')
  const writing = await compare(context, {
    contender: { what: 'write, millrace (zstd)', measure: () => elapsedMs(() => write(path, batches, 'ZSTD')) },
    peer: { what: 'write, hyparquet-writer (snappy)', measure: () => elapsedMs(() => writePlainly(context, data)) },
    unit: 'ms',
    better: 'lower',
  })
  const uncompressed = await repeat(
    context,
    {
      what: 'write, millrace (uncompressed)',
      measure: () => elapsedMs(() => write(`${path}.raw`, batches, 'UNCOMPRESSED')),
    },
    'ms',
  )
  const reading = await compare(context, {
    contender: { what: 'read six columns, millrace', measure: () => elapsedMs(() => read(path)) },
    peer: { what: 'read six columns, hyparquet', measure: () => elapsedMs(() => readPlainly(path)) },
    unit: 'ms',
    better: 'lower',
  })
  return [...writing, uncompressed, ...reading]
}

function valueOf({ type, nullable }: TableColumn, c: number, i: number): number | null {
  // A multiplicative hash: the same numbers in every run, and no pattern that compression would find.
  const random = Math.imul(i + 1, 2_654_435_761 + 2 * c) >>> 0
  if (type === 'timestamp') return 1_522_540_800_000 + i * 9_000
  if (type === 'int64') return c === 0 ? i : random % 60
  return nullable && i % 100 === 0 ? null : (random % 20_000) / ((c % 3) * 100 + 100)
}

async function write(path: string, batches: readonly TableBatch[], codec: 'ZSTD' | 'UNCOMPRESSED'): Promise<void> {
  const writer = await openParquetWriter(path, columns, { codec })
  for (const batch of batches) await writer.write(batch)
  await writer.close()
}

function writePlainly({ folder }: BenchContext, data: readonly (readonly (number | null)[])[]): void {
  parquetWriteFile({
    filename: join(folder, 'theirs.parquet'),
    columnData: columns.map(({ name: title, type, nullable }, c) => ({
      name: title,
      type: type === 'double' ? 'DOUBLE' : 'INT64',
      nullable,
      data: type === 'double' ? [...data[c]!] : BigInt64Array.from(data[c]!, (value) => BigInt(value ?? 0)),
    })),
  })
}

const six = ['id', 'at', 'count_1', 'count_2', 'mean_1', 'mean_5']

async function read(path: string): Promise<void> {
  let count = 0
  for await (const batch of (await openParquetReader(path)).read(six)) count += batch.rows
  if (count !== rows) throw new Error(`${count} rows were read`)
}

async function readPlainly(path: string): Promise<void> {
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  if (parquetSchema(metadata).children.length !== columns.length) throw new Error('a column is missing')
  const objects = await parquetReadObjects({ file, metadata, columns: [...six], compressors })
  if (objects.length !== rows) throw new Error(`${objects.length} rows were read`)
}
