/**
 * Writes test/store/offline/fixtures/duckdb-*.parquet: one table of every column type that DuckDB can write, under
 * each compression and both page formats. The test that reads them computes what it expects by itself.
 */
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'

const folder = fileURLToPath(new URL('../../test/store/offline/fixtures', import.meta.url))

const query = `
  select
    i::integer as "integer",
    (i * 1000000000000000 - 3)::bigint as "bigint",
    (-i)::tinyint as "tinyint",
    (65535 - i)::usmallint as "usmallint",
    (4294967295 - i)::uinteger as "uinteger",
    (18446744073709551615 - i)::ubigint as "ubigint",
    (i % 3 = 0) as "boolean",
    (i / 8)::double as "double",
    (i / 8)::float as "float",
    (i * 7 / 100)::decimal(4, 2) as "decimal4",
    (i * 7 / 100)::decimal(9, 2) as "decimal9",
    ('-' || i || '.' || lpad((i * 3)::varchar, 3, '0'))::decimal(18, 3) as "decimal18",
    ('1' || i || '.0000000' || lpad((i * 3)::varchar, 3, '0'))::decimal(38, 10) as "decimal38",
    date '1969-12-25' + i::integer as "date",
    make_timestamp(i * 86400000000 - 1000000)::timestamp_s as "timestamp_s",
    make_timestamp(i * 86400000000 - 1000)::timestamp_ms as "timestamp_ms",
    make_timestamp(i * 86400000000 - 1) as "timestamp_us",
    make_timestamp_ns(1522540831123456789 + i) as "timestamp_ns",
    make_timestamp(1522540831123456 + i)::timestamptz as "timestamp_zone",
    ['red', 'green', 'żółw 🐢'][1 + i % 3] as "repeated",
    'text ' || i as "text",
    [i, i + 1] as "integers",
    case when i % 4 = 0 then [] else ['a', null, 'text ' || i] end as "texts",
    [date '1970-01-02'] as "dates",
    [1.05::decimal(9, 2)] as "decimals",
    [[i], [], [i, null]] as "nested",
    ('00000000-0000-0000-0000-' || lpad(i::varchar, 12, '0'))::uuid as "uuid",
    ('{"i":' || i || '}')::json as "json",
    time '12:00:00' as "time",
    interval 1 day as "interval",
    '\\xFF'::blob as "blob",
    {'a': i} as "struct",
    map {'a': i} as "map"
  from range(50) t(i)`

const names = [
  'integer',
  'bigint',
  'boolean',
  'double',
  'decimal9',
  'decimal38',
  'date',
  'timestamp_us',
  'timestamp_ns',
  'repeated',
  'text',
  'integers',
]

const connection = await (await DuckDBInstance.create(':memory:')).connect()
await connection.run(`set timezone = 'UTC'`)
await connection.run(`create table whole as ${query}`)
// Every fifth row is null throughout, and so are the last ten, so that pages end in nulls.
const withNulls = names.map(
  (name) => `case when "integer" % 5 = 0 or "integer" >= 40 then null else "${name}" end as "${name}"`,
)
await connection.run(`create table nulls as select ${withNulls.join(', ')} from whole`)
for (const codec of ['snappy', 'zstd', 'gzip', 'uncompressed', 'lz4_raw', 'brotli']) {
  for (const version of ['v1', 'v2']) {
    if (version === 'v2' && codec !== 'snappy' && codec !== 'zstd') continue
    for (const table of ['whole', 'nulls']) {
      if (codec !== 'zstd' && codec !== 'snappy' && table === 'nulls') continue
      const path = `${folder}/duckdb-${table}-${codec}-${version}.parquet`
      await connection.run(
        `copy ${table} to '${path}' (format parquet, codec '${codec}', parquet_version '${version}')`,
      )
    }
  }
}
