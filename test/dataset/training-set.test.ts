// Goal: a training set is what its manifest says, from files of any order and from the log alike.
// Method: small event and spine files, written here, with values that can be checked by hand; then the same events
// through a mill, whose log must give the same rows.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  boolean,
  compile,
  decimal,
  entity,
  featureService,
  featureView,
  int,
  type Manifest,
  millrace,
  openTableReader,
  stream,
  string,
  systemClock,
  timestamp,
  train,
} from '../../src/index.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'

const payments = stream('payments', {
  fields: {
    id: string(),
    customer: int(),
    amount: decimal(2),
    fraud: boolean(),
    note: string().optional(),
    at: timestamp('ms'),
  },
  time: 'at',
  id: 'id',
  lateness: '1d',
})
const customer = entity('customer', { customer: int() })
const spending = featureView('spending', {
  from: payments,
  by: customer,
  where: (payment) => payment.amount.gt(0),
  features: (on) => ({
    count_1h: on.count({ over: '1h' }),
    sum_1d: on.sum('amount', { over: '1d' }),
    fraud_share: on.mean('fraud', { over: 'lifetime' }),
    last_note: on.last('note', { over: 'lifetime' }),
    last_two: on.lastK('amount', { over: '1d', k: 2 }),
    last_frauds: on.lastK('fraud', { over: '1d', k: 2 }),
  }),
})
const service = featureService('spending_v1', [spending])
const plan = compile([service])

const events = [
  'id,customer,amount,fraud,note,at',
  'p3,1,7.50,1,,2026-01-01T12:30:00Z', // Not in order of time, as files are.
  'p1,1,10,0,first,2026-01-01T12:00:00Z',
  'p2,1,20.25,0,,2026-01-01T12:00:00Z',
  'p1,1,99,1,again,2026-01-01T12:00:00Z', // The first row of an id wins.
  'p4,2,5,true,other,1767268800000',
  'p5,1,0,0,filtered,2026-01-01T12:45:00Z',
].join('\n')

const spine = [
  'label,customer,asked_at',
  'a,1,2026-01-01T12:30:00Z',
  'b,2,2026-01-01T13:00:00Z',
  'c,1,2026-01-01T12:00:00Z',
  'd,1,2026-01-01T13:00:00Z',
  'e,3,2026-01-01T13:00:00Z',
].join('\n')

let folder: string
const file = (name: string): string => join(folder, name)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-train-'))
  await writeFile(file('events.csv'), events)
  await writeFile(file('spine.csv'), spine)
})

after(async () => {
  await rm(folder, { recursive: true })
})

async function build(name: string, options: Partial<Parameters<typeof train>[0]> = {}): Promise<Manifest> {
  return await train({
    plan,
    target: 'spending_v1',
    spine: file('spine.csv'),
    at: 'asked_at',
    history: { files: { payments: [file('events.csv')] } },
    output: file(name),
    ...options,
  })
}

async function rowsOf(name: string): Promise<unknown[][]> {
  const reader = await openTableReader(file(name))
  const rows: unknown[][] = []
  for await (const batch of reader.read(reader.columns)) {
    for (let row = 0; row < batch.rows; row++) rows.push(batch.columns.map((column) => column[row]))
  }
  return rows
}

const strictly = [
  ['a', '1', '2026-01-01T12:30:00Z', 2, 30.25, 0, 'first', [20.25, 10], [false, false]],
  ['b', '2', '2026-01-01T13:00:00Z', 1, 5, 1, 'other', [5], [true]],
  ['c', '1', '2026-01-01T12:00:00Z', 0, 0, null, null, [], []],
  ['d', '1', '2026-01-01T13:00:00Z', 3, 37.75, 1 / 3, 'first', [7.5, 20.25], [true, false]],
  ['e', '3', '2026-01-01T13:00:00Z', 0, 0, null, null, [], []],
]

test('uses events before the instant only, in the order of the spine, from files in any order', async () => {
  await build('set.parquet')
  assert.deepEqual(await rowsOf('set.parquet'), strictly)
})

test('uses the events of the instant too when it is asked to', async () => {
  await build('inclusive.parquet', { inclusive: true })
  const counts = (await rowsOf('inclusive.parquet')).map((row) => row[3])
  // (t - 1h, t]: the events of exactly an hour before are out.
  assert.deepEqual(counts, [3, 0, 2, 1, 0])
})

test('the log gives the rows that the files gave', async () => {
  const mill = await millrace({ definitions: [service], folder: file('data') })
  try {
    await mill.send(payments, [
      { id: 'p1', customer: 1, amount: 10, fraud: false, note: 'first', at: '2026-01-01T12:00:00Z' },
      { id: 'p2', customer: 1, amount: '20.25', fraud: false, at: '2026-01-01T12:00:00Z' },
      { id: 'p3', customer: 1, amount: 7.5, fraud: true, at: '2026-01-01T12:30:00Z' },
      { id: 'p4', customer: 2, amount: 5, fraud: true, note: 'other', at: 1_767_268_800_000 },
      { id: 'p5', customer: 1, amount: 0, fraud: false, note: 'filtered', at: '2026-01-01T12:45:00Z' },
    ])
    const manifest = await build('from-log.parquet', { history: { log: mill.log } })
    assert.deepEqual(await rowsOf('from-log.parquet'), strictly)
    assert.equal(manifest.history[0]!.arrival, 'as in the log')
    assert.equal(
      manifest.history[0]!.prefix?.reduce((sum, { end }) => sum + end, 0),
      5,
    )
  } finally {
    await mill.close()
  }
})

test('the manifest says what went in and what came out', async () => {
  const manifest = await build('manifest.parquet')
  const written = JSON.parse(await readFile(file('manifest.parquet.manifest.json'), 'utf8')) as Manifest
  assert.deepEqual(written, manifest)
  assert.equal(manifest.plan, plan.hash)
  assert.equal(manifest.bound, 'ts < instant')
  const { records, accepted, duplicate, late, refused, arrival, prefix } = manifest.history[0]!
  assert.deepEqual(
    { records, accepted, duplicate, late, refused },
    { records: 6, accepted: 5, duplicate: 1, late: 0, refused: 0 },
  )
  assert.deepEqual({ arrival, prefix }, { arrival: 'unknown', prefix: null })
  assert.deepEqual(manifest.views, [
    { view: 'spending', applied: 4, filtered: 1, unkeyed: 0, forgotten: 0, warming: 0 },
  ])
  const bytes = await readFile(file('manifest.parquet'))
  assert.equal(manifest.output.sha256, createHash('sha256').update(bytes).digest('hex'))
  assert.equal(manifest.output.rows, 5)
})

test('the same inputs give the same bytes', async () => {
  const first = await build('once.parquet')
  const second = await build('twice.parquet')
  assert.equal(first.output.sha256, second.output.sha256)
})

test('a value that does not fit names file, row and column', async () => {
  await writeFile(file('bad.csv'), `${events}\np6,1,1.005,0,,2026-01-01T12:00:00Z`)
  await assert.rejects(build('bad.parquet', { history: { files: { payments: [file('bad.csv')] } } }), {
    code: 'FILE_VALUE_REFUSED',
    message: /bad\.csv row 7: column "amount" is string "1\.005"/,
  })
})

test('the row of a value that does not fit is counted in its own file', async () => {
  await writeFile(file('good.csv'), events)
  await writeFile(file('worse.csv'), `${events.split('\n')[0]}\np7,1,1.005,0,,2026-01-01T12:00:00Z`)
  const files = { payments: [file('good.csv'), file('worse.csv')] }
  await assert.rejects(build('worse.parquet', { history: { files } }), {
    code: 'FILE_VALUE_REFUSED',
    message: /worse\.csv row 1: column "amount"/,
  })
})

test('a missing column, of the spine or of the events, is named with those that are there', async () => {
  await assert.rejects(build('x.parquet', { at: 'at' }), {
    code: 'FILE_COLUMN_MISSING',
    hint: /label, customer, asked_at/,
  })
  await writeFile(file('narrow.csv'), 'id,customer,at\np1,1,2026-01-01T12:00:00Z')
  await assert.rejects(build('x.parquet', { history: { files: { payments: [file('narrow.csv')] } } }), {
    code: 'FILE_COLUMN_MISSING',
    message: /"amount", which stream "payments" needs/,
  })
})

test('a spine column with the name of a feature is refused', async () => {
  await writeFile(file('clash.csv'), 'customer,asked_at,count_1h\n1,2026-01-01T12:30:00Z,4')
  await assert.rejects(build('x.parquet', { spine: file('clash.csv') }), {
    code: 'REQUEST_MALFORMED',
    message: /count_1h/,
  })
})

test('an unknown target names the nearest one, and a stream without history is named', async () => {
  await assert.rejects(build('x.parquet', { target: 'spending_v2' }), { code: 'NAME_UNDECLARED', hint: /spending_v1/ })
  await assert.rejects(build('x.parquet', { history: { files: {} } }), {
    code: 'REQUEST_MALFORMED',
    message: /payments/,
  })
})

test('a log without the topic of the stream is no history of nothing', async () => {
  const log = await openEmbeddedLog({ folder: file('other-log'), clock: systemClock })
  try {
    await assert.rejects(build('x.parquet', { history: { log } }), { code: 'LOG_TOPIC_UNKNOWN', message: /payments/ })
  } finally {
    await log.close()
  }
})

test('an output that is an input is refused before anything is written', async () => {
  await assert.rejects(build('spine.csv'), { code: 'REQUEST_MALFORMED', message: /also an input/ })
  assert.equal(await readFile(file('spine.csv'), 'utf8'), spine)
})
