import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openCsvReader } from '../../../../src/store/offline/csv/csv-reader.ts'
import { isFault, readAll } from '../../../conformance/table-file.ts'

describe('CSV files of other writers', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-csv-'))
  })
  after(() => rm(folder, { recursive: true }))

  async function readText(text: string | Uint8Array): Promise<unknown> {
    const path = join(folder, 'table.csv')
    await writeFile(path, text)
    const reader = await openCsvReader(path)
    return { header: reader.columns, columns: await readAll(reader) }
  }

  test('an empty field is null and a quoted one is the empty text', async () => {
    assert.deepEqual(await readText('a,b\n,""\n1,\n'), {
      header: ['a', 'b'],
      columns: [
        [null, '1'],
        ['', null],
      ],
    })
  })

  test('a byte order mark is no part of the first name', async () => {
    assert.deepEqual(await readText('\ufeffa,b\n1,2\n'), { header: ['a', 'b'], columns: [['1'], ['2']] })
  })

  test('lines end in LF or CRLF, the last also in nothing', async () => {
    assert.deepEqual(await readText('a,b\r\n1,2\r\n3,4'), {
      header: ['a', 'b'],
      columns: [
        ['1', '3'],
        ['2', '4'],
      ],
    })
    assert.deepEqual(await readText('a,b\n1,2\n\n3,4\n\n'), {
      header: ['a', 'b'],
      columns: [
        ['1', '3'],
        ['2', '4'],
      ],
    })
  })

  test('an empty line of a single column is a null', async () => {
    assert.deepEqual(await readText('a\n1\n\n2\n'), { header: ['a'], columns: [['1', null, '2']] })
  })

  test('quoted fields hold separators, quotes and lines', async () => {
    assert.deepEqual(await readText('a,b\n"x,""y""\r\nz",2\n'), {
      header: ['a', 'b'],
      columns: [['x,"y"\r\nz'], ['2']],
    })
  })

  test('characters of several bytes survive the ends of the pieces a file is read in', async () => {
    const words = Array.from({ length: 90_000 }, (_, i) => `${'x'.repeat(i % 7)}żółw🐢`)
    assert.deepEqual(await readText(`word\n${words.join('\n')}\n`), { header: ['word'], columns: [words] })
  })

  test('a file of a header alone has no rows', async () => {
    assert.deepEqual(await readText('a,b\n'), { header: ['a', 'b'], columns: [[], []] })
  })

  test('a row of another length is refused with its number', async () => {
    await assert.rejects(readText('a,b\n1\n'), isFault('FILE_UNREADABLE', /table\.csv: row 1 .*expect 2, got 1/))
    await assert.rejects(readText('a,b\n1,2\n3,4\n5,6,7\n'), isFault('FILE_UNREADABLE', /row 3 \(line 4\)/))
  })

  test('a quote inside an unquoted field is refused with its row', async () => {
    await assert.rejects(readText('a,b\n1,2\n3,x"y\n'), isFault('FILE_UNREADABLE', /row 2 /))
  })

  test('a quote that is never closed is refused', async () => {
    await assert.rejects(readText('a,b\n1,2\n3,"y\n'), isFault('FILE_UNREADABLE', /row 2 .*Quote Not Closed/))
  })

  test('bytes that are no UTF-8 are refused', async () => {
    await assert.rejects(readText(Buffer.from('a,b\n\xe9,1\n', 'latin1')), isFault('FILE_UNREADABLE', /not valid/))
    await assert.rejects(readText(Buffer.from('\ufeffa,b\n1,2\n', 'utf16le')), isFault('FILE_UNREADABLE', /not valid/))
  })

  test('a header with a name missing or twice is refused', async () => {
    await assert.rejects(readText('a,\n1,2\n'), isFault('FILE_UNREADABLE', /column without a name/))
    await assert.rejects(readText('a,b,a\n1,2,3\n'), isFault('FILE_UNREADABLE', /names column "a" twice/))
  })
})
