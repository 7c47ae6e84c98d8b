// Goal: files of other writers are read value for value.
// Method: fixtures written by DuckDB (bench/peers/duckdb-fixtures.ts) under each compression and both page formats,
// with every encoding that it chooses; what they should hold is computed here, from the row's number.
import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openParquetReader } from '../../../../src/store/offline/parquet/parquet-reader.ts'
import type { TableValue } from '../../../../src/store/offline/table-file.ts'
import { isFault, readAll } from '../../../conformance/table-file.ts'

const folder = fileURLToPath(new URL('../fixtures', import.meta.url))
const dayMs = 86_400_000

/** The value of a column in row `i` of 50, as the query of the fixtures says it. */
const expected: Readonly<Record<string, (i: number) => TableValue>> = {
  integer: (i) => i,
  bigint: (i) => exact(BigInt(i) * 1_000_000_000_000_000n - 3n),
  tinyint: (i) => (i === 0 ? 0 : -i),
  usmallint: (i) => 65_535 - i,
  uinteger: (i) => 4_294_967_295 - i,
  ubigint: (i) => 18_446_744_073_709_551_615n - BigInt(i),
  boolean: (i) => i % 3 === 0,
  double: (i) => i / 8,
  float: (i) => i / 8,
  decimal4: (i) => Number(((i * 7) / 100).toFixed(2)),
  decimal9: (i) => Number(((i * 7) / 100).toFixed(2)),
  decimal18: (i) => Number(`-${i}.${String(i * 3).padStart(3, '0')}`) + 0,
  decimal38: (i) => Number(`1${i}.0000000${String(i * 3).padStart(3, '0')}`),
  date: (i) => (i - 7) * dayMs,
  timestamp_s: (i) => i * dayMs - 1_000,
  timestamp_ms: (i) => i * dayMs - 1,
  // One microsecond before midnight lies in the millisecond before it, also before 1970.
  timestamp_us: (i) => i * dayMs - 1,
  timestamp_ns: () => 1_522_540_831_123,
  timestamp_zone: () => 1_522_540_831_123,
  repeated: (i) => ['red', 'green', 'żółw 🐢'][i % 3]!,
  text: (i) => `text ${i}`,
  integers: (i) => [i, i + 1],
  texts: (i) => (i % 4 === 0 ? [] : ['a', null, `text ${i}`]),
  dates: () => [dayMs],
  decimals: () => [1.05],
  nested: (i) => [[i], [], [i, null]],
  uuid: (i) => `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`,
  json: (i) => `{"i":${i}}`,
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

const fixtures = (await readdir(folder)).filter((name) => name.startsWith('duckdb-'))

describe('Parquet files of DuckDB', () => {
  test('the fixtures cover each compression, both formats, with and without nulls', () => {
    assert.equal(fixtures.length, 12)
  })

  for (const fixture of fixtures) {
    test(`${fixture} is read value for value`, async () => {
      const reader = await openParquetReader(join(folder, fixture))
      assert.equal(reader.rowCount, 50)
      const names = reader.columns.filter((name) => Object.hasOwn(expected, name))
      assert.equal(names.length, fixture.includes('nulls') ? 12 : Object.keys(expected).length)
      const columns = await readAll(reader, names)
      for (const [c, name] of names.entries()) {
        const isNull = (i: number): boolean => fixture.includes('nulls') && (i % 5 === 0 || i >= 40)
        const values = Array.from({ length: 50 }, (_, i) => (isNull(i) ? null : expected[name]!(i)))
        assert.deepEqual(columns[c], values, name)
      }
    })
  }

  test('a column that the port cannot carry is listed, and refused by what it holds', async () => {
    const path = join(folder, 'duckdb-whole-snappy-v1.parquet')
    const reader = await openParquetReader(path)
    const refused: readonly (readonly [string, RegExp])[] = [
      ['time', /column "time" holds times of day/],
      ['interval', /column "interval" holds intervals/],
      ['struct', /column "struct" holds maps or groups of fields/],
      ['map', /column "map" holds maps or groups of fields/],
      ['blob', /encoded data was not valid/],
    ]
    for (const [name, text] of refused) {
      assert.ok(reader.columns.includes(name))
      await assert.rejects(readAll(reader, [name]), isFault('FILE_UNREADABLE', text))
    }
  })

  test('a file that has changed since it was opened is refused', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'millrace-parquet-'))
    const path = join(scratch, 'copy.parquet')
    await copyFile(join(folder, 'duckdb-whole-snappy-v1.parquet'), path)
    const reader = await openParquetReader(path)
    await utimes(path, 1, 1)
    await assert.rejects(readAll(reader, ['integer']), isFault('FILE_UNREADABLE', /changed since it was opened/))
    await rm(scratch, { recursive: true })
  })
})
