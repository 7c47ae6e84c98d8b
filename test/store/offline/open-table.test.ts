import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { openTableReader, openTableWriter } from '../../../src/store/offline/open-table.ts'
import type { TableColumn } from '../../../src/store/offline/table-file.ts'
import { isFault, readAll } from '../../conformance/table-file.ts'

const columns: readonly TableColumn[] = [{ name: 'id', type: 'int64', nullable: false }]

describe('tables by the ending of their file', () => {
  test('each ending has its format, in letters of either case', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-open-'))
    for (const [name, start] of [
      ['a.parquet', 'PAR1'],
      ['b.CSV', 'id\r\n'],
    ] as const) {
      const path = join(folder, name)
      const writer = await openTableWriter(path, columns)
      await writer.write({ rows: 1, columns: [[7]] })
      await writer.close()
      assert.equal((await readFile(path, 'latin1')).slice(0, 4), start)
      assert.equal(Number((await readAll(await openTableReader(path)))[0]![0]), 7)
    }
    await rm(folder, { recursive: true })
  })

  test('any other ending is refused with those there are', async () => {
    for (const path of ['table.txt', 'parquet', 'table.constructor']) {
      await assert.rejects(openTableReader(path), isFault('FILE_UNREADABLE', /ending.*not one of \.parquet, \.csv/))
      await assert.rejects(openTableWriter(path, columns), isFault('FILE_UNREADABLE', /not one of/))
    }
  })
})
