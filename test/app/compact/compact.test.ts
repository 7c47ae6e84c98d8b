// Goal: after a compaction the keys of forgotten entities are nowhere in the files of the folder; and nothing else is
// different: no value, no counter, no verdict, no published record of others, also when all is rebuilt from the log.
// Method: one folder with every kind of record that can name an entity, compared before and after, file by file and
// value by value; and compactions that stop before each of their writes.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { compact } from '../../../src/app/compact/compact.ts'
import { compactLog } from '../../../src/app/compact/compact-log.ts'
import { examineFolder } from '../../../src/app/doctor/doctor.ts'
import { openFolderLog } from '../../../src/app/folder-log.ts'
import { explainFromLog } from '../../../src/app/inspect-folder.ts'
import type { Mill } from '../../../src/app/mill.ts'
import { train } from '../../../src/app/train.ts'
import { systemClock } from '../../../src/base/clock.ts'
import {
  decimal,
  entity,
  featureService,
  featureView,
  int,
  millrace,
  stream,
  string,
  timestamp,
} from '../../../src/index.ts'
import type { LogRecord } from '../../../src/log/log.ts'
import { readAll } from '../../conformance/log.ts'
import { contentsOf, copyOf, freshFolder, holds } from './folders.ts'

const customer = entity('customer', { customer: string() })
const terminal = entity('terminal', { terminalId: int() })
const payments = stream('payments', {
  fields: {
    paymentId: string(),
    customer: string().at('payer.ref').optional(),
    payee: string().optional(),
    terminalId: int(),
    amount: decimal(2),
    at: timestamp(),
  },
  time: 'at',
  id: 'paymentId',
  key: 'customer',
  lateness: '10m',
})
const spending = featureView('spending', {
  from: payments,
  by: customer,
  emit: 'event',
  features: (on) => ({ spent: on.sum('amount', { over: 'lifetime' }), payments_1h: on.count({ over: '1h' }) }),
})
const hourly = featureView('hourly', {
  from: payments,
  by: customer,
  emit: { every: '1m' },
  features: (on) => ({ spent_1h: on.sum('amount', { over: '1h' }) }),
})
const received = featureView('received', {
  from: payments,
  by: customer,
  keys: { customer: 'payee' },
  features: (on) => ({ received: on.sum('amount', { over: 'lifetime' }) }),
})
const terminals = featureView('terminals', {
  from: payments,
  by: terminal,
  emit: 'event',
  features: (on) => ({
    taken: on.sum('amount', { over: 'lifetime' }),
    customers: on.distinctCount('customer', { over: '1h' }),
    last_customers: on.lastK('customer', { over: '1h', k: 2 }),
  }),
})
const all = featureService('all', [spending, hourly, received, terminals])

const start = Date.UTC(2024, 5, 1)
const instant = (minute: number): string => new Date(start + minute * 60_000).toISOString()
type Payment = { id: string; who: string; minute: number; payee?: string; amount?: unknown; more?: object }
const raw = ({ id, who, minute, payee, amount = 10, more = {} }: Payment): Buffer =>
  Buffer.from(
    JSON.stringify({
      paymentId: id,
      payer: { ref: who, note: `paid by ${who}` },
      ...(payee === undefined ? {} : { payee }),
      terminalId: 3,
      amount,
      at: instant(minute),
      comment: `${who} says hello`,
      ...more,
    }),
  )

/** Forgotten, and never seen again; forgotten, and back afterwards; never forgotten. */
const [gone, back, other] = ['gone-for-good', 'gone-and-back', 'here-to-stay']

const old: Payment[] = [
  { id: 'a', who: gone, minute: 0 },
  { id: 'b', who: other, minute: 1, payee: gone },
  { id: 'c', who: back, minute: 2 },
  { id: 'd', who: gone, minute: 3, payee: other },
  // Sent again: the same, and another one.
  { id: 'a', who: gone, minute: 0 },
  { id: 'd', who: gone, minute: 3, payee: other, amount: 11 },
  // Refused: readable as JSON, and of another type than declared.
  { id: 'e', who: gone, minute: 4, amount: `much, says ${gone}` },
  { id: 'f', who: other, minute: 4, amount: 'much' },
  { id: 'g', who: gone, minute: 30 },
  { id: 'h', who: back, minute: 31 },
  { id: 'i', who: other, minute: 32 },
  // Late.
  { id: 'j', who: gone, minute: 5 },
  { id: 'k', who: back, minute: 5 },
  { id: 'l', who: other, minute: 5 },
]
const later: Payment[] = [
  { id: 'm', who: back, minute: 33 },
  { id: 'n', who: other, minute: 50 },
  { id: 'o', who: back, minute: 50 },
  // Sent again, after it was forgotten and under another payer: of the old one only its payload is compared.
  { id: 'c', who: back, minute: 2 },
]

const opened: Mill[] = []
after(async () => await Promise.all(opened.map((mill) => mill.close())))

let prepared = ''
let known: Known

before(async () => {
  prepared = freshFolder()
  const mill = await open(prepared)
  await sendAll(mill, old)
  await mill.ingest('payments', [Buffer.from('{"no json of anybody'), Buffer.from('[1]')])
  await mill.caughtUp()
  await mill.forget('customer', { customer: gone })
  await mill.forget('customer', { customer: back })
  await sendAll(mill, later)
  await mill.caughtUp()
  await mill.engine.checkpoint()
  known = await everythingOf(mill, prepared)
  await mill.close()
})

describe('a compaction', () => {
  test('leaves no key of a forgotten entity in any file, and all else as it was', async () => {
    const folder = copyOf(prepared)
    assert.ok(holds(folder, gone))
    const compacted = await compact({ folder })
    assert.equal(compacted.changed, true)
    assert.equal(existsSync(join(folder, 'store')), false)
    assert.equal(holds(folder, gone), false)
    assert.deepEqual(
      compacted.topics.map(({ topic, unsearchable }) => [topic, unsearchable]).filter(([, count]) => count !== 0),
      [
        ['payments', 2],
        ['dead-letter-queue', 2],
      ],
    )
    for (let rebuilt = 0; rebuilt < 2; rebuilt++) {
      const mill = await open(folder)
      await mill.caughtUp()
      await mill.engine.checkpoint()
      const found = await everythingOf(mill, folder)
      await mill.close()
      assert.deepEqual(found, known)
      const { findings } = await examineFolder({ folder, deep: true })
      assert.deepEqual(
        findings.filter(({ status }) => status === 'fault'),
        [],
      )
      assert.equal(holds(folder, gone), false)
      rmSync(join(folder, 'store'), { recursive: true })
    }
  })

  test('keeps offset, timestamp, id, time and declared fields of a record', async () => {
    const folder = copyOf(prepared)
    const earlier = await recordsIn(folder, 'payments')
    await compact({ folder })
    const found = await recordsIn(folder, 'payments')
    assert.equal(found.length, earlier.length)
    let replaced = 0
    found.forEach((record, index) => {
      const was = earlier[index]!
      assert.equal(record.timestampMs, was.timestampMs)
      if (record.headers.length === 0) return assert.deepEqual(record, was)
      replaced += 1
      assert.equal(record.key, null)
      if (record.value === null) return
      const [value, original] = [record, was].map((one) => JSON.parse(Buffer.from(one.value!).toString()) as Event)
      const { paymentId, terminalId, amount, at } = original!
      assert.deepEqual(
        { ...value, payer: undefined, payee: undefined },
        { paymentId, terminalId, amount, at, payer: undefined, payee: undefined },
      )
      assert.deepEqual(Object.keys(value!.payer), ['ref'])
      const parts = [value!.payer.ref, value!.payee].filter((one) => one?.startsWith('forgotten-'))
      assert.ok(parts.every((one) => /^forgotten-[0-9a-f]{16}$/.test(one!)) && parts.length === 1)
    })
    assert.equal(replaced, 11)
  })

  test('done again does nothing', async () => {
    const folder = copyOf(prepared)
    await compact({ folder })
    const mill = await open(folder)
    await mill.caughtUp()
    await mill.close()
    const files = contentsOf(folder)
    const { changed, topics } = await compact({ folder })
    assert.equal(changed, false)
    assert.ok(topics.every(({ replaced }) => replaced === 0))
    assert.deepEqual(contentsOf(folder), files)
  })

  test('makes of an entity that came back another one than it was before', async () => {
    const folder = copyOf(prepared)
    const customers = async (): Promise<number> => {
      const mill = await open(folder)
      await mill.caughtUp()
      const vector = await mill.get(terminals, { terminalId: 3 }, { asOf: start + 55 * 60_000 })
      await mill.close()
      return vector.customers
    }
    assert.equal(await customers(), 3)
    await compact({ folder })
    assert.equal(await customers(), 4)
  })

  test('of a folder where nothing was forgotten does nothing', async () => {
    const folder = freshFolder()
    const mill = await open(folder)
    await sendAll(mill, old)
    await mill.close()
    const files = contentsOf(folder)
    assert.deepEqual(await compact({ folder }), { folder, forgotten: 0, topics: [], changed: false, notes: [] })
    assert.deepEqual(contentsOf(folder), files)
  })

  test('that stops before any of its writes is finished by the next one', async () => {
    const whole = copyOf(prepared)
    await compact({ folder: whole })
    const expected = await allRecords(whole)
    let stopped = true
    for (let writes = 0; stopped; writes++) {
      const folder = copyOf(prepared)
      stopped = await compactUntil(folder, writes)
      // Somebody starts it in between: the state is built from what is there.
      const mill = await open(folder)
      await mill.caughtUp()
      assert.deepEqual(mill.counts, known.counts)
      await mill.close()
      await compact({ folder })
      assert.equal(holds(folder, gone), false, `after ${writes} writes`)
      assert.deepEqual(await allRecords(folder), expected)
      assert.ok(writes < 100)
    }
  })

  test('is refused while a process runs in the folder, and where no log is', async () => {
    const folder = copyOf(prepared)
    const mill = await open(folder)
    await assert.rejects(compact({ folder }), { code: 'FOLDER_IN_USE' })
    await mill.close()
    await assert.rejects(compact({ folder: freshFolder() }), { code: 'FOLDER_WITHOUT_LOG' })
  })

  test('counts an event that was forgotten after an earlier compaction', async () => {
    const folder = copyOf(prepared)
    await compact({ folder })
    let mill = await open(folder)
    await mill.caughtUp()
    await mill.forget('terminal', { terminalId: 3 })
    await mill.forget('customer', { customer: back })
    const { views, sources } = mill.counts
    await mill.close()
    await compact({ folder })
    assert.equal(holds(folder, back), false)
    mill = await open(folder)
    await mill.caughtUp()
    assert.deepEqual(mill.counts, { views, sources })
    assert.equal(views['terminals']!.applied, 0)
    await mill.close()
    for (const { value } of await recordsIn(folder, 'payments')) {
      if (value !== null && value[0] === 123) assert.equal(Buffer.from(value).includes('"terminalId":3'), false)
    }
  })
})

type Event = {
  readonly paymentId: string
  readonly terminalId: number
  readonly amount: number
  readonly at: string
  readonly payer: { readonly ref: string }
  readonly payee?: string
}

/** What must not change: counters, values, training sets, explanations, and what others published. */
type Known = {
  readonly counts: Mill['counts']
  readonly values: unknown
  readonly set: string
  readonly ties: unknown
  readonly published: unknown
}

async function everythingOf(mill: Mill, folder: string): Promise<Known> {
  const values: unknown[] = []
  for (const who of [gone, back, other]) {
    for (const view of [spending, hourly, received]) {
      values.push(await mill.get(view, { customer: who }, { asOf: start + 55 * 60_000 }))
    }
  }
  const { last_customers: last, ...rest } = await mill.get(
    terminals,
    { terminalId: 3 },
    { asOf: start + 32.5 * 60_000 },
  )
  values.push(
    rest,
    last!.map((one) => (one === other ? other : '?')),
  )
  const spine = join(folder, '..', 'spine.csv')
  const rows = [gone, back, other].flatMap((who) => [10, 32].map((minute) => `${who},3,${instant(minute)}`))
  writeFileSync(spine, `customer,terminalId,at\n${rows.join('\n')}\n`)
  const output = join(folder, '..', 'set.csv')
  const { views } = await train({ plan: mill.plan, target: 'all', spine, at: 'at', history: { log: mill.log }, output })
  const explained = await explainFromLog({
    plan: mill.plan,
    log: mill.log,
    view: 'spending',
    feature: 'spent',
    keys: { customer: back },
    asOf: start + 3_600_000,
  })
  const set = readFileSync(output, 'utf8')
  return {
    counts: mill.counts,
    values,
    // Without the last customers, who are pseudonyms afterwards.
    set: JSON.stringify([set.split('\n').map((line) => line.split(',').slice(0, -2)), views]),
    ties: explained.aggregates[0]!.events.map(({ tie, source }) => [tie, source]),
    published: await publishedIn(mill),
  }
}

/** Values that are of nobody forgotten, with pseudonyms and forgotten customers alike. */
async function publishedIn(mill: Mill): Promise<unknown> {
  const found: unknown[] = []
  for (const view of ['spending', 'hourly', 'terminals']) {
    const records = await readAll(mill.log, `feature-events.${view}`)
    for (const { value } of records) {
      if (value === null) continue
      const text = Buffer.from(value)
        .toString()
        .replaceAll(/"forgotten-[0-9a-f]{16}"|"gone-for-good"|"gone-and-back"/g, '"?"')
      if (view === 'terminals' || text.includes(other)) found.push(JSON.parse(text))
    }
  }
  return found
}

/** One that a failing test leaves open would keep the process alive. */
async function open(folder: string): Promise<Mill> {
  const mill = await millrace({ definitions: [all], folder, partitions: 1, checkpointMs: 600_000 })
  opened.push(mill)
  return mill
}

async function sendAll(mill: Mill, list: readonly Payment[]): Promise<void> {
  for (const payment of list) await mill.ingest('payments', [raw(payment)])
}

/** Whether it stopped: before the removal of the state, or before a write. */
async function compactUntil(folder: string, writesMax: number): Promise<boolean> {
  const log = await openFolderLog(folder, systemClock)
  let writes = 0
  const count = (): void => {
    if (writes++ === writesMax) throw new Error('stopped')
  }
  try {
    const stopping = new Proxy(log, {
      get(target, name) {
        if (name === 'replace') count()
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    await compactLog({
      log: stopping,
      folder,
      plan: null,
      clock: systemClock,
      mayLoseState: true,
      removeState: async () => {
        count()
        rmSync(join(folder, 'store'), { recursive: true })
        await Promise.resolve()
      },
      onProgress: () => undefined,
    })
    return false
  } catch (error) {
    assert.equal((error as Error).message, 'stopped')
    return true
  } finally {
    await log.close()
  }
}

async function recordsIn(folder: string, topic: string): Promise<readonly LogRecord[]> {
  const log = await openFolderLog(folder, systemClock)
  try {
    return await readAll(log, topic)
  } finally {
    await log.close()
  }
}

async function allRecords(folder: string): Promise<unknown> {
  const topics = ['payments', 'late-events', 'dead-letter-queue', 'feature-events.spending', 'feature-events.hourly']
  const found: unknown[] = []
  for (const topic of topics) found.push(await recordsIn(folder, topic))
  return found
}
