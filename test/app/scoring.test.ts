// Goal: each accepted event is scored once, with its own effect and of the prefix that ends with it.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import {
  compile,
  entity,
  featureService,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  type MillraceError,
  model,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { compileModels } from '../../src/plan/model-plan.ts'
import { coordinatesIn } from '../../src/stream/output-headers.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), shop: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const visits = stream('visits', { fields: { user: int(), at: timestamp('ms') }, time: 'at', lateness: '1h' })
const user = entity('user', { user: int() })
const shop = entity('shop', { shop: int() })
const spending = featureView('spending', {
  from: payments,
  by: user,
  features: (on) => ({ count: on.count({ over: '1h' }), sum: on.sum('amount', { over: '1h' }) }),
})
const sales = featureView('sales', { from: payments, by: shop, features: (on) => ({ sold: on.count({ over: '2h' }) }) })
const visiting = featureView('visiting', {
  from: visits,
  by: user,
  features: (on) => ({ seen: on.count({ over: '1h' }) }),
})
const scoring = featureService('scoring', [spending, sales, visiting])
const risk = model('risk', {
  version: 1,
  input: scoring,
  output: { score: float() },
  missing: { default: { count: 0, sum: 0, sold: 0, seen: 0 } },
  score: { on: payments },
  from: ({ count, sum, sold, seen }) => ({ score: count * 1_000_000 + sum * 10_000 + sold * 100 + seen }),
})
const atMs = Date.UTC(2026, 0, 1, 12)
type Payment = {
  readonly id: string
  readonly user: number
  readonly shop: number
  readonly amount: number
  readonly at: number
}

/** By hand: everything accepted so far in the order of the log, and the event itself. */
function expected(before: readonly Payment[], event: Payment): number {
  const within = (list: readonly Payment[], hours: number) =>
    list.filter(({ at }) => at <= event.at && at >= event.at + 1 - hours * 3_600_000)
  const own = within(
    before.filter((one) => one.user === event.user),
    1,
  )
  const sold = within(
    before.filter((one) => one.shop === event.shop),
    2,
  )
  return own.length * 1_000_000 + own.reduce((sum, { amount }) => sum + amount, 0) * 10_000 + sold.length * 100
}

async function withMill(partitions: number, use: (mill: Mill) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-scoring-'))
  const mill = await millrace({ definitions: [scoring], models: [risk], folder, partitions, checkpointMs: 50 })
  try {
    await use(mill)
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
}

type Scored = Readonly<Record<string, unknown>> & { readonly prefix: Readonly<Record<string, readonly number[]>> }

async function scored(mill: Mill, partition: number): Promise<Scored[]> {
  const { records } = await mill.log.read('predictions', partition, 0, 16 * 1024 * 1024)
  return records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Scored)
}

test('each accepted event is scored as of just after it, whatever came later in the same batch', async () => {
  await withMill(1, async (mill) => {
    const sent: Payment[] = Array.from({ length: 300 }, (_, index) => ({
      id: `p${index}`,
      user: index % 3,
      shop: index % 5,
      amount: index % 7,
      // Out of order within the lateness.
      at: atMs + index * 60_000 - (index % 4) * 500_000,
    }))
    await mill.send(payments, [...sent, { ...sent[0]!, id: 'late', at: atMs - 86_400_000 }, sent[299]!])
    await mill.caughtUp()
    await mill.engine.checkpoint()
    const predictions = await scored(mill, 0)
    const byHand = sent.map((one, index) => expected(sent.slice(0, index + 1), one))
    assert.deepEqual(
      predictions.map((one) => one['prediction']),
      byHand,
    )
    assert.deepEqual(
      predictions.map((one) => one['request_id']),
      sent.map(({ id }) => id),
    )
    assert.deepEqual(
      predictions.map(({ prefix }) => prefix['payments']),
      sent.map((_, index) => [index + 1]),
    )
    const [first] = predictions
    assert.deepEqual(
      [first!['keys'], first!['source'], first!['status']],
      [{ user: 0, shop: 0 }, { topic: 'payments', partition: 0, offset: 0 }, { seen: 'NOT_FOUND' }],
    )
    const { records } = await mill.log.read('model-input', 0, 0, 16 * 1024 * 1024)
    assert.deepEqual(
      records.map((one) => coordinatesIn(one).offset),
      sent.map((_, index) => index),
    )
  })
})

test('predictions are on the partition of their events, in their order, and counted', async () => {
  await withMill(3, async (mill) => {
    const sent = Array.from({ length: 90 }, (_, index) => ({
      id: `p${index}`,
      user: index,
      shop: 1,
      amount: 1,
      at: atMs + index,
    }))
    for (let from = 0; from < sent.length; from += 10) await mill.send(payments, sent.slice(from, from + 10))
    await mill.caughtUp()
    await mill.engine.checkpoint()
    let total = 0
    for (let partition = 0; partition < 3; partition++) {
      const offsets = (await scored(mill, partition)).map((one) => one['source'])
      assert.deepEqual(
        offsets,
        offsets.map((_, offset) => ({ topic: 'payments', partition, offset })),
      )
      total += offsets.length
    }
    assert.equal(total, 90)
    const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
    const metrics = await (await fetch(`${server.address}/metrics`)).text()
    assert.match(metrics, /^millrace_answers_total\{topic="predictions",outcome="served"\} 90$/m)
    assert.match(metrics, /^millrace_scores_waiting 0$/m)
    await server.close()
  })
})

test('a model that scores a stream without its join keys is a fault of the definition', () => {
  const plan = compile([scoring])
  const wrong = model('wrong', {
    version: 1,
    input: scoring,
    output: { score: float() },
    score: { on: visits },
    from: () => ({ score: 1 }),
  })
  assert.throws(
    () => compileModels([wrong], plan),
    (error: MillraceError) => /wrong\.score\.on.*stream "visits" has no field "shop"/.test(error.message),
  )
})
