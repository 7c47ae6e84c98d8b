// Goal: every adapter of the port for tables in files keeps the same promises.
// Method: write tables of every column type, read them back, and compare values with what went in. An adapter that
// cannot keep a promise names it among its known gaps; a gap that has healed fails here, so that the list stays true.
import assert from 'node:assert/strict'
import { access, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { AssertionFailure } from '../../src/base/assert.ts'
import { MillraceError } from '../../src/base/faults.ts'
import type {
  TableBatch,
  TableColumn,
  TableReader,
  TableValue,
  TableWriter,
} from '../../src/store/offline/table-file.ts'
import { lawOptions } from '../base/law-options.ts'

/** `types`: values come back as text. `rowCount`: the number of rows is not known before the end. */
export type KnownGap = 'types' | 'rowCount'

export type TableFileAdapter = {
  readonly name: string
  readonly ending: string
  readonly knownGaps: readonly KnownGap[]
  readonly openReader: (path: string) => Promise<TableReader>
  readonly openWriter: (path: string, columns: readonly TableColumn[]) => Promise<TableWriter>
}

export async function readAll(reader: TableReader, names = reader.columns): Promise<TableValue[][]> {
  const columns = names.map((): TableValue[] => [])
  for await (const batch of reader.read(names)) {
    assert.equal(batch.columns.length, names.length)
    for (const [c, values] of batch.columns.entries()) {
      assert.equal(values.length, batch.rows)
      for (const value of values) {
        assert.notEqual(value, undefined)
        columns[c]!.push(value)
      }
    }
  }
  return columns
}

export function isFault(code: MillraceError['code'], text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof MillraceError, String(error))
    assert.equal(error.code, code)
    assert.match(`${error.message} ${error.hint}`, text)
    return true
  }
}

const columns: readonly TableColumn[] = [
  { name: 'id', type: 'int64', nullable: false },
  { name: 'name', type: 'string', nullable: true },
  { name: 'amount', type: 'double', nullable: true },
  { name: 'fraud', type: 'boolean', nullable: true },
  { name: 'at', type: 'timestamp', nullable: true },
  { name: 'wide', type: 'int64', nullable: true },
  { name: 'weights', type: 'list<double>', nullable: true },
  { name: 'tags', type: 'list<string>', nullable: true },
]

const rows: readonly (readonly TableValue[])[] = [
  [1, 'plain', 1.5, true, 1_522_540_831_000, 7, [1, 2.5], ['a', 'b']],
  [2, '', -0.1, false, 0, -1, [], []],
  [3, null, null, null, null, null, null, null],
  [-4, 'comma, "quotes"\r\nand lines\n', 1e300, true, 4_102_444_799_999, 2n ** 62n, [null, 3], [null, 'x', '']],
  [Number.MAX_SAFE_INTEGER, ' żółw 🐢 ', 5e-324, null, -1, -(2n ** 63n), [-0.5], ['"', ',']],
  [Number.MIN_SAFE_INTEGER, '\ufeffmark', 57.16, false, 1, 2 ** 32, [1e21], ['🐢']],
]

function tableOf(from: readonly (readonly TableValue[])[]): TableBatch {
  return { rows: from.length, columns: columns.map((_, c) => from.map((row) => row[c]!)) }
}

export function describeTableFile(adapter: TableFileAdapter): void {
  const { openReader, openWriter } = adapter
  const typed = !adapter.knownGaps.includes('types')
  let folder = ''
  let count = 0
  const freshPath = (): string => join(folder, `table-${count++}${adapter.ending}`)
  const write = async (batches: readonly TableBatch[], declared = columns): Promise<string> => {
    const path = freshPath()
    const writer = await openWriter(path, declared)
    for (const batch of batches) await writer.write(batch)
    await writer.close()
    return path
  }

  describe(`tables in ${adapter.name} files`, () => {
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'millrace-table-'))
    })
    after(() => rm(folder, { recursive: true }))

    test('what was written comes back in the same order, across batches', async () => {
      const path = await write([tableOf(rows.slice(0, 2)), tableOf([]), tableOf(rows.slice(2))])
      const reader = await openReader(path)
      assert.deepEqual(
        reader.columns,
        columns.map(({ name }) => name),
      )
      const expected = tableOf(rows).columns.map((values, c) =>
        typed ? values : Array.from<TableValue, TableValue>(values, asText(columns[c]!)),
      )
      assert.deepEqual(await readAll(reader), expected)
    })

    test('values have the types they were written with, unless that is a known gap', async () => {
      const reader = await openReader(await write([tableOf(rows.slice(0, 1))]))
      const kept = (await readAll(reader)).every((values, c) => typeof values[0] === typeof rows[0]![c])
      assert.equal(kept, typed)
    })

    test('the number of rows is known at once, unless that is a known gap', async () => {
      const reader = await openReader(await write([tableOf(rows)]))
      assert.equal(reader.rowCount, adapter.knownGaps.includes('rowCount') ? null : rows.length)
    })

    test('columns come in the order they are asked for, also twice', async () => {
      const reader = await openReader(await write([tableOf(rows)]))
      const [name, id, again] = await readAll(reader, ['name', 'id', 'name'])
      assert.deepEqual(name, again)
      assert.equal(name![0], 'plain')
      assert.equal(Number(id![0]), 1)
    })

    test('one reader reads as often as it is asked, and stops early', async () => {
      const reader = await openReader(await write([tableOf(rows)]))
      for await (const _ of reader.read(['id'])) break
      assert.equal((await readAll(reader, ['id']))[0]!.length, rows.length)
      assert.equal((await readAll(reader, ['id']))[0]!.length, rows.length)
    })

    test('a table without rows keeps its columns', async () => {
      const reader = await openReader(await write([]))
      assert.equal(reader.columns.length, columns.length)
      assert.deepEqual(await readAll(reader, ['id']), [[]])
    })

    test('many rows come back from several batches of any size', async () => {
      const law = fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9_000 }), { maxLength: 8 }), async (sizes) => {
        let next = 0
        const batches = sizes.map((size) => {
          const ids = Array.from({ length: size }, () => next++)
          return { rows: size, columns: [ids, ids.map((id) => (id % 7 === 0 ? null : id / 4))] }
        })
        const path = await write(batches, [columns[0]!, columns[2]!])
        const [ids, amounts] = await readAll(await openReader(path))
        assert.equal(ids!.length, next)
        for (let id = 0; id < next; id++) {
          assert.equal(Number(ids![id]), id)
          assert.equal(amounts![id] === null ? null : Number(amounts![id]), id % 7 === 0 ? null : id / 4)
        }
      })
      await fc.assert(law, lawOptions(8))
    })

    test('text of any kind comes back', async () => {
      const texts = fc.array(
        fc.oneof(fc.constant(null), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })),
      )
      const law = fc.asyncProperty(texts, async (values) => {
        const declared: readonly TableColumn[] = [columns[0]!, columns[1]!]
        const path = await write([{ rows: values.length, columns: [values.map((_, r) => r), values] }], declared)
        assert.deepEqual((await readAll(await openReader(path)))[1], values)
      })
      await fc.assert(law, lawOptions(40))
    })

    test('the file has its name only when it is closed', async () => {
      const path = freshPath()
      const writer = await openWriter(path, columns)
      await writer.write(tableOf(rows))
      await assert.rejects(access(path))
      await access(`${path}.partial`)
      await writer.close()
      await access(path)
      await assert.rejects(access(`${path}.partial`))
    })

    test('what an earlier attempt left is written over', async () => {
      const path = freshPath()
      await writeFile(`${path}.partial`, 'left by a crash '.repeat(500))
      const writer = await openWriter(path, columns)
      await writer.write(tableOf(rows))
      await writer.close()
      assert.equal((await readAll(await openReader(path), ['id']))[0]!.length, rows.length)
    })

    test('a partial file that vanishes is never published', async () => {
      const path = freshPath()
      const writer = await openWriter(path, columns)
      await rm(`${path}.partial`)
      await assert.rejects(closing(writer), isFault('FILE_WRITE_FAILED', /ENOENT.*Nothing appeared under that name/))
      await assert.rejects(access(path))
      await assert.rejects(writer.close(), AssertionFailure)
    })

    test('a partial file that someone else writes is never published', async () => {
      const path = freshPath()
      const writer = await openWriter(path, columns)
      await writeFile(`${path}.partial`, 'someone else')
      await assert.rejects(closing(writer), isFault('FILE_WRITE_FAILED', /changed by someone else/))
      await assert.rejects(access(path))
    })

    test('a folder that does not exist is a fault', async () => {
      const path = join(folder, 'missing', `table${adapter.ending}`)
      await assert.rejects(openWriter(path, columns), isFault('FILE_WRITE_FAILED', /ENOENT/))
      await assert.rejects(openReader(path), isFault('FILE_UNREADABLE', /ENOENT/))
    })

    test('a missing column is a fault that names those there are', async () => {
      const reader = await openReader(await write([tableOf(rows)]))
      await assert.rejects(
        readAll(reader, ['id', 'amont']),
        isFault('FILE_COLUMN_MISSING', /no column "amont".*id, name, amount/),
      )
    })

    test('a file without content is a fault', async () => {
      const path = freshPath()
      await writeFile(path, '')
      await assert.rejects(openReader(path), isFault('FILE_UNREADABLE', new RegExp(path)))
    })

    test('half of a surrogate pair is refused with its row', async () => {
      const writer = await openWriter(freshPath(), [columns[1]!])
      await writer.write({ rows: 2, columns: [['a', 'b']] })
      await assert.rejects(
        writer.write({ rows: 2, columns: [['fine', '\ud800']] }),
        isFault('FILE_VALUE_REFUSED', /row 4: column "name" is text with half/),
      )
    })

    test('a value that is not of its column is a broken invariant', async () => {
      const wrong: readonly (readonly [TableColumn['type'], TableValue])[] = [
        ['int64', 1.5],
        ['int64', 2 ** 53],
        ['int64', 2n ** 63n],
        ['int64', '1'],
        ['double', 1n],
        ['boolean', 1],
        ['timestamp', 0.5],
        ['string', 1],
        ['list<double>', 1],
        ['list<double>', ['1']],
        ['list<string>', [1]],
        ['double', null],
      ]
      for (const [type, value] of wrong) {
        const writer = await openWriter(freshPath(), [{ name: 'x', type, nullable: false }])
        await assert.rejects(
          writer.write({ rows: 1, columns: [[value]] }),
          AssertionFailure,
          `${type} ${String(value)}`,
        )
      }
      const writer = await openWriter(freshPath(), [columns[0]!])
      await assert.rejects(writer.write({ rows: 2, columns: [[1]] }), AssertionFailure)
    })

    test('a damaged file is a fault or reads, and never anything else', async () => {
      const whole = await readFile(await write([tableOf(rows)]))
      const damage = fc.record({ at: fc.nat(whole.length - 1), bit: fc.nat(7), cut: fc.boolean() })
      const law = fc.asyncProperty(damage, async ({ at, bit, cut }) => {
        const bytes = Buffer.from(cut ? whole.subarray(0, at) : whole)
        if (!cut) bytes[at]! ^= 1 << bit
        const path = freshPath()
        await writeFile(path, bytes)
        await utimes(path, 1, 1)
        try {
          await readAll(await openReader(path))
        } catch (error) {
          assert.ok(error instanceof MillraceError && error.code === 'FILE_UNREADABLE', String(error))
        } finally {
          await rm(path)
        }
      })
      await fc.assert(law, lawOptions(100))
    })
  })
}

async function closing(writer: TableWriter): Promise<void> {
  await writer.write(tableOf(rows))
  await writer.close()
}

/** What a file of text gives back for a value. */
function asText({ type }: TableColumn): (value: TableValue) => string | null {
  return (value) => {
    if (value === null) return null
    if (type === 'timestamp') return new Date(value as number).toISOString()
    return type.startsWith('list<') ? JSON.stringify(value) : String(value)
  }
}
