// Goal: a cluster's states come back from the snapshot in the folder and what followed, from `feature-state` alone, and
// from the raw log alone, and are each time what one process with a log in its folder has, and what training computes:
// the same bits for every key. Method: card payments; what must not be needed is deleted on the broker.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { compile, entity, featureView, kafka, type Mill, millrace, openTableReader, train } from '../../src/index.ts'
import { boolean, float, int, stream, string, timestamp } from '../../src/index.ts'
import type { Log, RecordInput } from '../../src/log/log.ts'
import { systemClock } from '../../src/base/clock.ts'
import { describeCluster } from '../../src/log/kafka/describe-cluster.ts'
import { simulatePayments } from '../../examples/card-fraud/simulator.ts'
import { readPartition } from '../oracle/matches-log.ts'
import { openLog } from '../../src/app/open-log.ts'
import type { ClusterOptions } from '../../src/index.ts'
import { makeEvent, payments as source } from '../integration/kill-stream.ts'
import { assertPerEvent } from '../oracle/matches-feature-events.ts'
import { emittingViews } from '../stream/emitting.ts'
import { reasonToSkip, useCluster } from './broker.ts'
import { connectForeignClient } from './foreign-client.ts'
import { Worker } from './workers.ts'

const skip = await reasonToSkip()
const { brokers } = skip === false ? await useCluster() : { brokers: '' }
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const payments = stream('payments', {
  fields: {
    id: string(),
    at: timestamp('ms'),
    customer: int(),
    terminal: int(),
    // The published amounts are products that were not rounded to cents.
    amount: float(),
    fraud: boolean(),
  },
  time: 'at',
  id: 'id',
  lateness: '10m',
})

const spending = featureView('spending', {
  from: payments,
  by: entity('customer', { customer: int() }),
  features: (on) => ({
    count_7d: on.count({ over: '7d' }),
    mean_30d: on.mean('amount', { over: '30d' }),
    deviation: on.stddev('amount', { over: 'lifetime' }),
    terminals: on.distinctCount('terminal', { over: '30d' }),
    last: on.last('id', { over: 'lifetime' }),
  }),
})

const risk = featureView('risk', {
  from: payments,
  by: entity('terminal', { terminal: int() }),
  features: (on) => ({
    count_30d: on.count({ over: '30d', offset: '7d' }),
    risk_30d: on.mean('fraud', { over: '30d', offset: '7d' }),
    amount: on.sum('amount', { over: 'lifetime' }),
  }),
})

const views = [spending, risk] as const
const partitions = 3

type Payment = {
  readonly id: string
  readonly at: number
  readonly customer: number
  readonly terminal: number
  readonly amount: number
  readonly fraud: boolean
}

/** One value per key and instant, by view: what is compared. */
type Values = ReadonlyMap<string, readonly unknown[]>

describe('what a cluster knows comes back three ways', { skip }, async () => {
  if (skip !== false) return
  const foreign = await connectForeignClient(brokers)
  const folder = await mkdtemp(join(tmpdir(), 'millrace-restore-'))
  const opened: Mill[] = []
  after(async () => {
    for (const mill of opened) await mill.close()
    await rm(folder, { recursive: true })
  })
  const all = await readPayments()
  const records = all.map((payment, index) => [index % partitions, recordOf(payment)] as const)
  // Each of another kind of rejection; there must be one letter of each in the end, however often it was judged.
  const spoiled = [Buffer.from('no event'), Buffer.from(JSON.stringify({ ...all[0], id: 'soon', at: 4e12 }))]
  for (const value of spoiled) records.splice(100, 0, [0, { key: null, value, timestampMs: all[0]!.at }])
  const instants = instantsOf(all)

  let sent = 0
  const send = async (mill: Mill, from: number, to: number): Promise<void> => {
    for (let partition = 0; partition < partitions; partition++) {
      const own = records.slice(from, to).flatMap(([at, record]) => (at === partition ? [record] : []))
      await mill.log.append(payments.topic, partition, own)
    }
    sent = to
  }
  const open = async (name: string, processed = 4): Promise<Mill> => {
    const log = kafka(brokers, { replication: 1 })
    const place = { folder: join(folder, name), log, cluster: { partitions: processed } }
    const damage = ({ fault }: { fault: Error }): void => assert.fail(fault)
    const mill = await millrace({ ...place, definitions: views, partitions, observer: { damage } })
    opened.push(mill)
    return mill
  }
  const close = async (mill: Mill): Promise<void> => {
    await mill.close()
    opened.splice(opened.indexOf(mill), 1)
  }
  let expected: Values = new Map()

  const check = async (name: string, processed = 4): Promise<void> => {
    const mill = await open(name, processed)
    await mill.caughtUp()
    assertSame(readAll(mill, instants), expected)
    const letters = await lettersOf(mill)
    assert.equal(letters, spoiled.length)
    await close(mill)
  }

  test('one process, a cluster and training say the same', async () => {
    const first = await open('first')
    await send(first, 0, Math.floor(records.length * 0.6))
    await first.caughtUp()
    await close(first)
    const second = await open('second')
    await send(second, sent, Math.floor(records.length * 0.9))
    await second.caughtUp()
    await close(second)

    const embedded = await millrace({ folder: join(folder, 'embedded'), definitions: views, partitions })
    opened.push(embedded)
    await send(embedded, 0, records.length)
    await embedded.caughtUp()
    expected = readAll(embedded, instants)
    assert.ok(expected.size > 100)
    for (const view of views) {
      const trained = await trainAll({ mill: embedded, view: view.name, folder }, instants)
      assertSame(trained, new Map([...expected].filter(([key]) => key.startsWith(`${view.name} `))))
    }
    await close(embedded)
  })

  test('from the snapshot in the folder, what another process did since, and new events', async () => {
    const writer = await open('writer')
    await send(writer, Math.floor(records.length * 0.9), records.length)
    await writer.caughtUp()
    await close(writer)
    await check('first')
  })

  test('from feature-state alone', async () => {
    for (const topic of ['processed-events.customer', 'processed-events.terminal']) {
      for (let partition = 0; partition < 4; partition++) await foreign.deleteRecordsBefore(topic, -1, partition)
    }
    await check('nothing in it')
  })

  test('from the raw log alone, and into another number of partitions', async () => {
    const made = ['customer', 'terminal'].flatMap((name) => [`processed-events.${name}`, `feature-state.${name}`])
    const gone = new Set([...made, 'ingest-state.payments'])
    for (const topic of gone) await foreign.deleteTopic(topic)
    // The broker tells of them for a moment longer.
    const areThere = async (): Promise<boolean> => {
      const { topics } = await describeCluster({ brokers, clock: systemClock })
      return topics.some(({ topic }) => gone.has(topic))
    }
    while (await areThere()) await sleep(20)
    await check('nothing in it either', 3)
  })
})

describe('finished values of a cluster', { skip }, async () => {
  if (skip !== false) return
  const folder = await mkdtemp(join(tmpdir(), 'millrace-emitting-'))
  const workers: Worker[] = []
  const open = (): Promise<Log> => openLog(folder, kafka(brokers, { namespace: 'emits', replication: 1 }), systemClock)
  const log = await open()
  after(async () => {
    for (const worker of workers) worker.signal('SIGKILL')
    await log.close()
    await rm(folder, { recursive: true })
  })

  test('each is there once, as it was behind its event, over processes that are killed', async () => {
    // Of one source partition everything is determined.
    await log.createTopic(source.topic, { partitions: 1 })
    const parts: readonly ClusterOptions[] = [{ ingest: [0], compute: [0, 1] }, { compute: [2] }]
    const start = async (index: number): Promise<void> => {
      const options = { brokers, folder: join(folder, `${index}`), cluster: { partitions: 3, ...parts[index] } }
      workers[index] = await Worker.start({ ...options, emits: true })
    }
    let sent = 0
    const send = async (count: number): Promise<void> => {
      const records = Array.from({ length: count }, () => {
        return { key: null, value: makeEvent(seed, sent++), timestampMs: Date.now() }
      })
      await log.append(source.topic, 0, records)
    }
    await Promise.all([start(0), start(1)])
    for (let round = 0; round < 3; round++) {
      await send(100)
      // Twice between what it has sent out and its checkpoint; once the other one, at any moment.
      const killed = round === 2 ? 0 : 1
      if (killed === 1) await workers[killed]!.ask('die')
      await send(50)
      if (killed === 0) workers[killed]!.signal('SIGKILL')
      await workers[killed]!.ended()
      await send(50)
      await start(killed)
    }
    await workers[0]!.ask('caught up')
    await workers[1]!.ask('caught up')
    // With the topics that the others made.
    const read = await open()
    for (const view of [emittingViews.spendingPerEvent, emittingViews.riskPerEvent]) {
      const { records } = await assertPerEvent({ log: read, view, plan: null })
      assert.ok(records > 200, `there was something to lose: ${records}`)
    }
    await read.close()
  })
})

function recordOf(payment: Payment): RecordInput {
  return { key: null, value: Buffer.from(JSON.stringify(payment)), timestampMs: payment.at }
}

/** Some customers and some terminals of the published data, with all their payments; without it, simulated ones. */
async function readPayments(): Promise<Payment[]> {
  const file = fileURLToPath(new URL('../../../shared/data/card-transactions.parquet', import.meta.url))
  if (!existsSync(file)) {
    const simulated = simulatePayments({
      seed: 7,
      startMs: Date.UTC(2024, 0, 1),
      customers: 30,
      terminals: 60,
      days: 45,
    })
    return [...simulated].map(({ paymentId, customerId, terminalId, at, amount, fraud }) => {
      return { id: paymentId, at, customer: customerId, terminal: terminalId, amount, fraud }
    })
  }
  const names = ['transaction_id', 'ts', 'customer_id', 'terminal_id', 'amount', 'fraud']
  const found: Payment[] = []
  for await (const { columns } of (await openTableReader(file)).read(names)) {
    const [ids, ats, customers, terminals, amounts, frauds] = columns
    for (let row = 0; row < ids!.length; row++) {
      const [customer, terminal] = [Number(customers![row]), Number(terminals![row])]
      if (customer % 800 !== 0 && terminal % 800 !== 0) continue
      const payment = { id: String(ids![row]), at: Number(ats![row]), amount: Number(amounts![row]) }
      found.push({ ...payment, customer, terminal, fraud: Number(frauds![row]) === 1 })
    }
  }
  return found.sort((one, other) => one.at - other.at)
}

/** For each view and key: right behind its newest event, and behind everything. */
function instantsOf(all: readonly Payment[]): ReadonlyMap<string, ReadonlyMap<number, readonly number[]>> {
  const end = all.at(-1)!.at + 1
  return new Map(
    views.map((view) => {
      const [key] = Object.keys(view.entity.keys) as ['customer' | 'terminal']
      const newest = new Map(all.map((payment) => [payment[key], payment.at + 1] as const))
      return [view.name, new Map([...newest].map(([value, at]) => [value, [at, end]] as const))] as const
    }),
  )
}

function readAll(mill: Mill, instants: ReturnType<typeof instantsOf>): Values {
  const values = new Map<string, readonly unknown[]>()
  for (const view of views) {
    const [name] = Object.keys(view.entity.keys)
    for (const [key, of] of instants.get(view.name)!) {
      for (const at of of)
        values.set(`${view.name} ${key} ${at}`, mill.read(view.name, { [name!]: key }, { asOf: at }).values)
    }
  }
  return values
}

/** The same by the training path. */
async function trainAll(
  of: { readonly mill: Mill; readonly view: string; readonly folder: string },
  instants: ReturnType<typeof instantsOf>,
): Promise<Values> {
  const view = views.find(({ name }) => name === of.view)!
  const [key] = Object.keys(view.entity.keys)
  const rows = [...instants.get(view.name)!].flatMap(([value, ats]) => ats.map((at) => [value, at]))
  const [spine, output] = [join(of.folder, `${of.view}.csv`), join(of.folder, `${of.view}.parquet`)]
  await writeFile(spine, `${key},instant\n${rows.map(([value, at]) => `${value},${at}\n`).join('')}`)
  await train({ plan: compile(views), target: view.name, spine, at: 'instant', history: { log: of.mill.log }, output })
  const features = Object.keys(view.features)
  const values = new Map<string, readonly unknown[]>()
  for await (const { columns } of (await openTableReader(output)).read([key!, 'instant', ...features])) {
    const [keys, ats, ...found] = columns
    for (let row = 0; row < keys!.length; row++) {
      values.set(
        `${view.name} ${Number(keys![row])} ${Number(ats![row])}`,
        found.map((column) => column[row]),
      )
    }
  }
  return values
}

/** Tells 0 from -0, and every bit of a number. */
function assertSame(found: Values, expected: Values): void {
  assert.equal(found.size, expected.size)
  for (const [key, values] of expected) assert.deepEqual(found.get(key), values, key)
}

async function lettersOf({ log }: Mill): Promise<number> {
  let count = 0
  for (let partition = 0; partition < partitions; partition++) {
    count += (await readPartition(log, 'dead-letter-queue', partition)).length
  }
  return count
}
