// Goal: what this package writes, others read, with statistics that they may skip row groups by.
// Method: DuckDB (there for the benchmarks) reads files of several row groups; it checks the footer more strictly than
// our own reader does, and filters by the statistics.
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet'
import { openParquetReader } from '../../../../src/store/offline/parquet/parquet-reader.ts'
import { openParquetWriter } from '../../../../src/store/offline/parquet/parquet-writer.ts'
import type { TableColumn, TableValue } from '../../../../src/store/offline/table-file.ts'
import { lawOptions } from '../../../base/law-options.ts'
import { isFault, readAll } from '../../../conformance/table-file.ts'

const columns: readonly TableColumn[] = [
  { name: 'id', type: 'int64', nullable: false },
  { name: 'amount', type: 'double', nullable: true },
  { name: 'instant', type: 'timestamp', nullable: true },
  { name: 'wide', type: 'int64', nullable: true },
  { name: 'fraud', type: 'boolean', nullable: true },
  { name: 'name', type: 'string', nullable: true },
  { name: 'weights', type: 'list<double>', nullable: true },
  { name: 'tags', type: 'list<string>', nullable: false },
]

const rowsOfAll = 2_500

const value: readonly ((i: number) => TableValue)[] = [
  (i) => i,
  (i) => (i % 5 === 0 ? null : i / 8 - 10),
  (i) => (i % 11 === 0 ? null : 1_522_540_831_000 + i),
  (i) => (i % 2 === 1 ? null : BigInt(i) * 2n ** 50n - 2n ** 62n),
  (i) => (i % 7 === 0 ? null : i % 2 === 0),
  (i) => (i % 3 === 0 ? null : `n${i % 10}`),
  (i) => (i % 4 === 0 ? null : i % 4 === 1 ? [] : [i, null]),
  (i) => (i % 4 === 1 ? [] : [`a${i}`, null]),
]

describe('Parquet files for other readers', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-parquet-'))
  })
  after(() => rm(folder, { recursive: true }))

  async function written(codec: 'ZSTD' | 'UNCOMPRESSED'): Promise<string> {
    const path = join(folder, `${codec}.parquet`)
    const writer = await openParquetWriter(path, columns, { codec, rowsPerGroup: 1_000 })
    const rows = Array.from({ length: rowsOfAll }, (_, i) => i)
    await writer.write({ rows: rowsOfAll, columns: value.map((of) => rows.map(of)) })
    await writer.close()
    return path
  }

  for (const codec of ['ZSTD', 'UNCOMPRESSED'] as const) {
    test(`DuckDB reads every value (${codec})`, async () => {
      const connection = await (await DuckDBInstance.create(':memory:')).connect()
      const selected = columns.map(({ name }) => (name === 'instant' ? `epoch_ms(instant) as instant` : name))
      const path = await written(codec)
      const rows = (
        await connection.runAndReadAll(`select ${selected.join(', ')} from '${path}' order by id`)
      ).getRowsJS()
      assert.equal(rows.length, rowsOfAll)
      for (const [i, row] of rows.entries()) {
        const numbers = row.map((cell) =>
          typeof cell === 'bigint' && Number.isSafeInteger(Number(cell)) ? Number(cell) : cell,
        )
        assert.deepEqual(
          numbers,
          value.map((of) => of(i)),
        )
      }
    })

    test(`DuckDB finds what it filters for by statistics (${codec})`, async () => {
      const connection = await (await DuckDBInstance.create(':memory:')).connect()
      const path = await written(codec)
      const count = async (where: string): Promise<number> => {
        const result = await connection.runAndReadAll(`select count(*) from '${path}' where ${where}`)
        return Number(result.getRows()[0]![0])
      }
      const expected = (c: number, holds: (cell: TableValue) => boolean): number =>
        Array.from({ length: rowsOfAll }, (_, i) => value[c]!(i)).filter((cell) => cell !== null && holds(cell)).length
      assert.equal(await count('id = 2400'), 1)
      assert.equal(
        await count('amount > 300'),
        expected(1, (cell) => (cell as number) > 300),
      )
      assert.equal(await count('amount = 0'), 0)
      assert.equal(
        await count('amount <= -9.875'),
        expected(1, (cell) => (cell as number) <= -9.875),
      )
      assert.equal(
        await count("instant < timestamptz '2018-04-01 00:00:31.100Z'"),
        expected(2, (cell) => (cell as number) < 1_522_540_831_100),
      )
      assert.equal(await count(`wide >= ${2n ** 50n * 2_000n - 2n ** 62n}`), 250)
      assert.equal(
        await count("name = 'n7'"),
        expected(5, (cell) => cell === 'n7'),
      )
    })
  }

  test('a row group has a hundred thousand rows', async () => {
    const path = join(folder, 'groups.parquet')
    const writer = await openParquetWriter(path, [columns[0]!])
    const ids = Array.from({ length: 70_000 }, (_, i) => i)
    for (let batch = 0; batch < 3; batch++) await writer.write({ rows: ids.length, columns: [ids] })
    await writer.close()
    const sizes: number[] = []
    for await (const { rows } of (await openParquetReader(path)).read(['id'])) sizes.push(rows)
    assert.deepEqual(sizes, [100_000, 100_000, 10_000])
  })

  test('zero has a sign in neither bound, and NaN is in none', async () => {
    const path = join(folder, 'zero.parquet')
    const writer = await openParquetWriter(path, [columns[1]!])
    await writer.write({ rows: 3, columns: [[0, Number.NaN, -0]] })
    await writer.close()
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    const bounds = await connection.runAndReadAll(
      `select stats_min_value, stats_max_value from parquet_metadata('${path}')`,
    )
    assert.deepEqual(bounds.getRows(), [['-0.0', '0.0']])
  })

  test('bounds of integers hold on both sides of 32 bits', async () => {
    const law = fc.asyncProperty(
      fc.array(fc.bigInt({ min: -(2n ** 34n), max: 2n ** 34n }), { minLength: 1 }),
      async (values) => {
        const path = join(folder, 'bounds.parquet')
        const writer = await openParquetWriter(path, [columns[0]!])
        await writer.write({ rows: values.length, columns: [values] })
        await writer.close()
        const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path))
        const { min_value, max_value } = metadata.row_groups[0]!.columns[0]!.meta_data!.statistics!
        const sorted = values.toSorted((a, b) => (a < b ? -1 : 1))
        assert.deepEqual([min_value, max_value], [sorted[0], sorted.at(-1)])
      },
    )
    await fc.assert(law, lawOptions(60))
  })

  test('a flipped bit in a column of numbers is found by its checksum', async () => {
    const path = await written('UNCOMPRESSED')
    const bytes = await readFile(path)
    const file = await open(path, 'r+')
    await file.write(Buffer.of(bytes[500]! ^ 1), 0, 1, 500)
    await file.close()
    await assert.rejects(
      readAll(await openParquetReader(path), ['id']),
      isFault('FILE_UNREADABLE', /does not match its checksum/),
    )
  })
})
