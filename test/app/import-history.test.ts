// Goal: an import puts every row of the files into the history exactly once, whatever interrupts it, and says what it
// does not like before it writes anything.
// Method: files against an embedded log in memory; the log's history against the same files read for training; every
// append of an import cut off before or after it was done, and the import run again.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ImportedStream, importHistory } from '../../src/app/import-history.ts'
import { systemClock } from '../../src/base/clock.ts'
import { fileHistory, type History, type HistorySummary, logHistory } from '../../src/dataset/history.ts'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { compile } from '../../src/plan/compile.ts'
import type { StreamPlan } from '../../src/plan/plan.ts'
import { boolean, decimal, float, int, string, timestamp } from '../../src/schema/field.ts'
import { openTableReader, openTableWriter } from '../../src/store/offline/open-table.ts'
import type { TableColumn, TableValue } from '../../src/store/offline/table-file.ts'
import { makeMemoryFileSystem } from '../log/embedded/memory-file-system.ts'

const until = Date.UTC(2026, 5)
const from = Date.UTC(2025, 5)
const iso = (ms: number): string => new Date(ms).toISOString()

function planOf(more: object = { history: { until: iso(until), from: iso(from) } }): StreamPlan {
  const payments = stream('payments', {
    fields: {
      id: string(),
      user: int(),
      amount: decimal(2).at('payload.amount'),
      rate: float().optional().at('payload.rate'),
      note: string().nullable(),
      ok: boolean(),
      paid: timestamp('s').optional(),
      at: timestamp('us'),
    },
    time: 'at',
    id: 'id',
    key: 'user',
    lateness: '1m',
    ...more,
  })
  const by = entity('user', { user: int() })
  return compile([featureView('v', { from: payments, by, features: (on) => ({ n: on.count({ over: '1h' }) }) })])
    .streams[0]!
}

const plan = planOf()
const hourMs = 3_600_000

/** Rows of every kind of value; ids `first` to `first + count - 1`. */
function csvRows(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const id = first + index
    const rate = id % 3 === 0 ? '' : String((id - 50) / 3)
    const note = id % 4 === 0 ? '' : `"n, ${id} é"`
    const cents = `${id % 5 === 0 ? '-' : ''}0.${String(id % 100).padStart(2, '0')}`
    return `p${id},${id % 7},${cents},${rate},${note},${id % 2 === 0},${id % 6 === 0 ? '' : 1_750_000_000 + id},${iso(from + id * hourMs)}`
  })
}

const header = 'id,user,amount,rate,note,ok,paid,at'

describe('importing a history', () => {
  let folder: string
  const write = async (name: string, rows: readonly string[]): Promise<string> => {
    const path = join(folder, name)
    await writeFile(path, `${[header, ...rows].join('\n')}\n`)
    return path
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-import-'))
  })
  after(async () => {
    await rm(folder, { recursive: true })
  })

  test('every row is the event that it would have been, for every kind of field', async () => {
    const files = [await write('a.csv', csvRows(0, 120)), await write('b.csv', csvRows(100, 60))]
    const log = await newLog()
    const imported = await run(log, files)
    const { stream: name, topic, rows, refused, outside, found } = imported
    assert.deepEqual(
      { name, topic, rows, refused, outside, found },
      { name: 'payments', topic: 'history.payments', rows: 180, refused: 0, outside: 0, found: 0 },
    )
    assert.deepEqual(
      imported.files.map(({ file, rows: own }) => [file, own]),
      [
        [files[0], 120],
        [files[1], 60],
      ],
    )
    const [fromLog, summary] = await acceptedOf(logHistory(plan, log, { clock: systemClock }))
    const tables = await Promise.all(files.map(async (path) => ({ path, table: await openTableReader(path) })))
    const [fromFiles] = await acceptedOf(fileHistory(plan, tables))
    assert.deepEqual(fromLog, fromFiles)
    assert.equal(fromLog.length, 160)
    assert.equal(summary.imported?.complete, true)
    assert.equal(summary.duplicate, 20)
  })

  test('Parquet has types of its own; nothing is lost on the way', async () => {
    const columns: [TableColumn, TableValue[]][] = [
      [{ name: 'id', type: 'string', nullable: false }, ['a', 'b']],
      [{ name: 'user', type: 'int64', nullable: false }, [7n, 8n]],
      [{ name: 'payload.amount', type: 'string', nullable: false }, ['90071992547409.91', '-0.05']],
      [{ name: 'rate', type: 'double', nullable: true }, [0.1, null]],
      [{ name: 'note', type: 'string', nullable: true }, [null, 'x']],
      [{ name: 'ok', type: 'int64', nullable: false }, [1n, 0n]],
      [{ name: 'at', type: 'timestamp', nullable: false }, [from + 1, from + 2]],
    ]
    const path = join(folder, 'typed.parquet')
    const writer = await openTableWriter(
      path,
      columns.map(([column]) => column),
    )
    await writer.write({ rows: 2, columns: columns.map(([, values]) => values) })
    await writer.close()
    const log = await newLog()
    await run(log, [path])
    const [rows] = await acceptedOf(logHistory(plan, log, { clock: systemClock }))
    assert.deepEqual(rows, [
      ['a', 7, 9_007_199_254_740_991, 0.1, null, true, null, from + 1],
      ['b', 8, -5, null, 'x', false, null, from + 2],
    ])
  })

  test('rows around the hand-over point and the start belong to one source, to the millisecond', async () => {
    const at = (id: string, ms: number): string => `${id},1,1,,,true,,${iso(ms)}`
    const rows = [at('first', from), at('before', from - 1), at('last', until - 1), at('after', until)]
    const log = await newLog()
    const { outside } = await run(log, [await write('edges.csv', rows)])
    assert.equal(outside, 2)
    const [accepted, summary] = await acceptedOf(logHistory(plan, log, { clock: systemClock }))
    assert.deepEqual(
      accepted.map(([id]) => id),
      ['first', 'last'],
    )
    assert.equal(summary.late, 2)
  })

  test('a row that would be refused stops the import before anything is written, with its place and reason', async () => {
    const path = await write('bad.csv', [...csvRows(0, 2), 'p3,1,1.234,x,,true,,then', 'p4,,1,,,true,,'])
    const log = await newLog()
    await assert.rejects(run(log, [path]), (error: Error) => {
      assert.match(error.message, /^2 of 4 rows for stream "payments" would be refused\n/)
      assert.match(error.message, / {2}\S*bad\.csv row 3: payload\.amount SCALE: string "1\.234", allowed/)
      assert.match(error.message, / {2}\S*bad\.csv row 3: payload\.rate TYPE: /)
      assert.match(error.message, / {2}\S*bad\.csv row 3: at TIME: /)
      assert.match(error.message, / {2}\S*bad\.csv row 4: user NULL: /)
      return true
    })
    assert.deepEqual(log.topics(), [])
    const { rows, refused } = await run(log, [path], { keepRefused: true })
    assert.deepEqual({ rows, refused }, { rows: 4, refused: 2 })
    const [accepted, summary] = await acceptedOf(logHistory(plan, log, { clock: systemClock }))
    assert.equal(accepted.length, 2)
    assert.deepEqual({ refused: summary.refused, complete: summary.imported?.complete }, { refused: 2, complete: true })
  })

  test('cut off at any append, before it or after it, it goes on to the very same records', async () => {
    const files = [await write('one.csv', csvRows(0, 24)), await write('two.csv', csvRows(18, 16))]
    const whole = await newLog()
    await run(whole, files)
    const expected = await recordsOf(whole)
    const counting = cutAt(await newLog(), { at: Number.POSITIVE_INFINITY, done: false })
    await run(counting.log, files, { batchRows: 6 })
    assert.ok(counting.appends() > 12, `${counting.appends()} appends`)
    for (let at = 0; at < counting.appends(); at++) {
      for (const done of [false, true]) {
        const log = await newLog()
        await assert.rejects(run(cutAt(log, { at, done }).log, files, { batchRows: 6 }), /the power is gone/)
        // Once more, a little later.
        const second = cutAt(log, { at: 2, done: !done })
        const again = await run(second.log, files, { batchRows: 6 }).catch((error: Error) => error.message)
        if (again === 'the power is gone') await run(log, files, { batchRows: 7 })
        assert.deepEqual(await recordsOf(log), expected, `cut at ${at}, ${done ? 'after' : 'before'}`)
      }
    }
  })

  test('imported again it writes nothing; another import is refused', async () => {
    const one = await write('complete.csv', csvRows(0, 20))
    const other = await write('other.csv', csvRows(0, 21))
    const log = await newLog()
    await run(log, [one])
    const expected = await recordsOf(log)
    const again = await run(log, [one])
    assert.deepEqual({ rows: again.rows, found: again.found }, { rows: 20, found: 20 })
    await assert.rejects(run(log, [other]), { code: 'HISTORY_COMPLETE' })
    await assert.rejects(run(log, [one, other]), { code: 'HISTORY_COMPLETE' })
    assert.deepEqual(await recordsOf(log), expected)
    // The way out that the fault names.
    const moved = planOf({ history: { until: iso(until), topic: 'history.payments.2' } })
    const options = { log, clock: systemClock, partitions: 2 }
    assert.equal((await importHistory(moved, [other], options)).topic, 'history.payments.2')
  })

  test('what was begun with other files, in another order, for other fields or by someone else is not gone on with', async () => {
    const one = await write('begun.csv', csvRows(0, 20))
    const two = await write('begun-2.csv', csvRows(20, 20))
    const log = await newLog()
    await assert.rejects(run(cutAt(log, { at: 3, done: true }).log, [one, two], { batchRows: 5 }), /the power/)
    for (const files of [[two, one], [one], [one, two, await write('third.csv', csvRows(0, 1))]]) {
      await assert.rejects(run(log, files), { code: 'HISTORY_TOPIC_TAKEN' })
    }
    await assert.rejects(
      importHistory(planOf({ history: { until: iso(until) }, key: 'id' }), [one, two], {
        log,
        clock: systemClock,
        partitions: 2,
      }),
      { code: 'HISTORY_TOPIC_TAKEN' },
    )
    const strange = await newLog()
    await strange.createTopic('history.payments', { partitions: 2 })
    await strange.append('history.payments', 1, [{ key: null, value: Buffer.from('{}'), timestampMs: 1 }])
    await assert.rejects(run(strange, [one]), { code: 'HISTORY_TOPIC_TAKEN', message: /something else wrote them/ })
  })

  test('a stream without a history, no file, and a file given twice are refused', async () => {
    const one = await write('once.csv', csvRows(0, 2))
    const same = await write('same.csv', csvRows(0, 2))
    const log = await newLog()
    const undeclared = importHistory(planOf({}), [one], { log, clock: systemClock, partitions: 2 })
    await assert.rejects(undeclared, { code: 'HISTORY_UNDECLARED' })
    await assert.rejects(run(log, []), { code: 'REQUEST_MALFORMED' })
    await assert.rejects(run(log, [one, one]), { message: /is given twice/ })
    await assert.rejects(run(log, [one, same]), { message: /hold the same/ })
    await assert.rejects(run(log, [join(folder, 'nowhere.csv')]), { code: 'FILE_UNREADABLE' })
    assert.deepEqual(log.topics(), [])
  })

  test('replays of its own dead letters do not make it lose its place', async () => {
    const files = [await write('replayed.csv', csvRows(0, 30))]
    const whole = await newLog()
    await run(whole, files)
    const log = await newLog()
    await assert.rejects(run(cutAt(log, { at: 4, done: true }).log, files, { batchRows: 5 }), /the power/)
    const standIn = [['millrace.replay-of', Buffer.from('0')]] as const
    for (let partition = 0; partition < 3; partition++) {
      const replays = Array.from({ length: 70 }, () => ({ key: null, value: null, timestampMs: 1, headers: standIn }))
      await log.append('history.payments', partition, replays)
    }
    await run(log, files)
    const rows = async (of: Log) =>
      (await recordsOf(of)).map((records) =>
        records
          .filter(({ headers }) => !headers.some(([name]) => name === 'millrace.replay-of'))
          .map(({ value, headers }) => ({ value, headers })),
      )
    assert.deepEqual(await rows(log), await rows(whole))
  })

  test('files without a row are a complete history', async () => {
    const log = await newLog()
    const { rows } = await run(log, [await write('empty.csv', [])])
    assert.equal(rows, 0)
    const [, summary] = await acceptedOf(logHistory(plan, log, { clock: systemClock }))
    assert.deepEqual({ complete: summary.imported?.complete, records: summary.records }, { complete: true, records: 0 })
    assert.equal(summary.coveredFromMs, from)
  })

  test("the history has as many partitions as the stream's own topic", async () => {
    const roomy = await openEmbeddedLog({ folder: '/data', clock: systemClock, fileSystem: makeMemoryFileSystem() })
    await roomy.createTopic('payments', { partitions: 5 })
    await run(roomy, [await write('many.csv', csvRows(0, 5))])
    assert.equal(roomy.topics().find(({ topic }) => topic === 'history.payments')?.partitions, 5)
  })
})

async function newLog(): Promise<Log> {
  return await openEmbeddedLog({ folder: '/data', clock: systemClock, fileSystem: makeMemoryFileSystem() })
}

async function run(
  log: Log,
  files: readonly string[],
  options: { batchRows?: number; keepRefused?: boolean } = {},
): Promise<ImportedStream> {
  return await importHistory(plan, files, { log, clock: systemClock, partitions: 3, ...options })
}

/** Every record of the history, but for the time at which it was written. */
async function recordsOf(log: Log): Promise<Omit<LogRecord, 'timestampMs'>[][]> {
  const { topic } = plan.history!
  const { partitions } = log.topics().find((one) => one.topic === topic)!
  const found: Omit<LogRecord, 'timestampMs'>[][] = []
  for (let partition = 0; partition < partitions; partition++) {
    const own: LogRecord[] = []
    while (own.length < log.end(topic, partition)) {
      own.push(...(await log.read(topic, partition, own.length, 1_000_000)).records)
    }
    found.push(own.map(({ offset, key, value, headers }) => ({ offset, key, value, headers })))
  }
  return found
}

/** A log whose append number `at` is the last one that is made: it fails, done or not. Others under way are done. */
function cutAt(log: Log, { at, done }: { at: number; done: boolean }): { log: Log; appends: () => number } {
  let count = 0
  const append: Log['append'] = async (...args) => {
    const here = count++
    if (here === at && done) await log.append(...args)
    if (here >= at) throw new Error('the power is gone')
    return await log.append(...args)
  }
  const wrapped: Log = {
    id: log.id,
    createTopic: (topic, options) => log.createTopic(topic, options),
    topics: () => log.topics(),
    append,
    read: (...args) => log.read(...args),
    start: (topic, partition) => log.start(topic, partition),
    end: (topic, partition) => log.end(topic, partition),
    refresh: (topic) => log.refresh(topic),
    offsetAt: (...args) => log.offsetAt(...args),
    waitFor: (...args) => log.waitFor(...args),
    close: () => log.close(),
  }
  return { log: wrapped, appends: () => count }
}

/** The accepted rows, by id. */
async function acceptedOf(history: History): Promise<[rows: (readonly unknown[])[], summary: HistorySummary]> {
  const rows: (readonly unknown[])[] = []
  const summary = await history.read(
    ({ row }) => void rows.push([...row]),
    () => undefined,
  )
  return [rows.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)), summary]
}
