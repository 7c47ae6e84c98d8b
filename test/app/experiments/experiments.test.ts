// Goal: a subject is served by its arm, wherever it is asked for, and the report says what came of it.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { plotReport } from '../../../src/app/experiments/report-plot.ts'
import { reportExperiment } from '../../../src/app/experiments/report.ts'
import { startServer } from '../../../src/app/server.ts'
import { systemClock } from '../../../src/base/clock.ts'
import {
  boolean,
  entity,
  experiment,
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
} from '../../../src/index.ts'
import { checkExperiments } from '../../../src/plan/experiment-plan.ts'

const orders = stream('orders', {
  fields: { id: string(), user_id: int(), paid: boolean(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const buying = featureView('buying', {
  from: orders,
  by: entity('user', { user_id: int() }),
  features: (on) => ({ count: on.count({ over: '1h' }) }),
})
const declared = { version: 1, input: buying, output: { price: float() }, missing: 'pass' } as const
const champion = model('champion', { ...declared, from: () => ({ price: 1 }) })
const challenger = model('challenger', { ...declared, from: () => ({ price: 2 }) })
const shy = model('shy', { ...declared, from: () => ({ price: 3 }) })
const broken = model('broken', { ...declared, from: () => ({ price: Number.NaN }) })

const checkout = experiment('checkout', {
  unit: 'user_id',
  arms: { control: champion, treatment: challenger },
  shares: { control: 50, treatment: 50 },
  overrides: { 7: null, 8: 'control' },
  shadows: [shy],
  outcome: { on: orders, unit: 'user_id', converted: 'paid', horizon: '7d', lift: 0.1 },
})
const risky = experiment('risky', {
  unit: 'user_id',
  arms: { control: champion, treatment: broken },
  shares: { control: 0, treatment: 100 },
  canary: { failedMax: 0.1 },
})

async function withMill(use: (mill: Mill, again: () => Promise<Mill>) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-experiments-'))
  const open = (): Promise<Mill> =>
    millrace({ definitions: [buying], experiments: [checkout, risky], folder, partitions: 2, answerRequests: true })
  let mill = await open()
  try {
    await use(mill, async () => {
      await mill.close()
      mill = await open()
      return mill
    })
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
}

type Told = { readonly predictions: readonly { readonly arm: string | null; readonly output?: unknown }[] }

test('by HTTP, by the library and through the log a subject has the arm of its bucket', async () => {
  await withMill(async (mill) => {
    const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
    const users = [1, 2, 3, 42, 123, 7, 8]
    const response = await fetch(`${server.address}/v1/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'checkout', entities: users.map((user_id) => ({ user_id })) }),
    })
    const told = (await response.json()) as Told
    // Buckets 11, 12, 83, 74 and 8 of md5(id) % 100: the treatment has those below its share.
    const arms = ['treatment', 'treatment', 'control', 'control', 'treatment', null, 'control']
    assert.deepEqual(
      told.predictions.map(({ arm }) => arm),
      arms,
    )
    const prices = arms.map((arm) => ({ price: arm === 'treatment' ? 2 : 1 }))
    assert.deepEqual(
      told.predictions.map(({ output }) => output),
      prices,
    )
    await server.close()
    const own = await mill.predictMany({ model: 'checkout', entities: [{ user_id: 3 }] })
    assert.deepEqual(
      [own.experiment, own.predictions[0]!.arm, own.predictions[0]!.model!.name],
      ['checkout', 'control', 'champion'],
    )
    const records = users.map((user_id, index) => ({
      key: null,
      value: Buffer.from(JSON.stringify({ request_id: `r${index}`, model: 'checkout', keys: { user_id } })),
      timestampMs: 1,
    }))
    await mill.log.append('inference-requests', 0, records)
    await mill.answering!.caughtUp()
    const { records: answers } = await mill.log.read('predictions', 0, 0, 1024 * 1024)
    const given = answers.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>)
    assert.deepEqual(
      given.map(({ variant }) => variant),
      arms,
    )
    assert.deepEqual(
      given.map(({ output }) => output),
      prices,
    )
    assert.equal(given[0]!['experiment_id'], 'checkout')
  })
})

test('an arm that fails is stopped, its subjects are served by the control, and it stays stopped', async () => {
  await withMill(async (mill, again) => {
    const entities = Array.from({ length: 60 }, (_, user_id) => ({ user_id: user_id + 100 }))
    const first = await mill.predictMany({ model: 'risky', entities })
    assert.ok(first.predictions.every(({ outcome }) => outcome === 'failed'))
    const second = await mill.predictMany({ model: 'risky', entities })
    assert.ok(second.predictions.every(({ outcome, arm }) => outcome === 'served' && arm === 'treatment'))
    const restarted = await again()
    const third = await restarted.predictMany({ model: 'risky', entities })
    assert.ok(third.predictions.every(({ outcome }) => outcome === 'served'))
    const report = await reportExperiment(risky, { plan: restarted.plan, log: restarted.log, clock: systemClock })
    assert.match(report.stopped[0]!.reason, /^100.0 % of its answers failed$/)
  })
})

test('the report joins outcomes to the first prediction of each subject, in time', async () => {
  await withMill(async (mill, again) => {
    const users = Array.from({ length: 400 }, (_, index) => 1_000 + index)
    const entities = users.map((user_id) => ({ user_id }))
    const before = Date.now()
    const { predictions } = await mill.predictMany({ model: 'checkout', entities })
    await mill.predictMany({ model: 'checkout', entities: entities.slice(0, 10) })
    const treated = users.filter((_, index) => predictions[index]!.arm === 'treatment')
    const controls = users.filter((_, index) => predictions[index]!.arm === 'control')
    const converting = [...treated.slice(0, 90), ...controls.slice(0, 30)]
    const order = (user_id: number, paid: boolean, at: number) => ({ id: `${user_id}-${at}`, user_id, paid, at })
    await mill.send(orders, [
      ...converting.map((user) => order(user, true, Date.now() + 5)),
      // Not paid, and before the prediction.
      ...controls.slice(30, 60).map((user) => order(user, false, Date.now() + 5)),
      ...controls.slice(60, 90).map((user) => order(user, true, before - 60_000)),
    ])
    const closed = await again()
    const report = await reportExperiment(checkout, { plan: closed.plan, log: closed.log, clock: systemClock })
    const [control, treatment] = report.arms
    assert.deepEqual([control!.subjects, control!.converted], [controls.length, 30])
    assert.deepEqual([treatment!.subjects, treatment!.converted], [treated.length, 90])
    assert.equal(control!.predictions + treatment!.predictions, 410)
    assert.equal(control!.shadows + treatment!.shadows, 410)
    assert.ok(treatment!.comparison!.interval.low > 0, 'so large a lift is clear')
    assert.ok(report.sampleRatio.pValue > 0.001)
    assert.equal(report.crossed, 0)
    const plot = plotReport(report)
    assert.match(plot, /^<svg [\s\S]*treatment[\s\S]*<\/svg>\n$/)
  })
})

test('faults of experiments are told all at once', async () => {
  const { plan } = await import('../../../src/index.ts').then(({ compile }) => ({ plan: compile([buying]) }))
  const one = experiment('one', {
    unit: 'user_id',
    arms: { a: champion, b: challenger },
    shares: { a: 60, b: 60.123 },
    layer: { name: 'l', from: 0, to: 60 },
    outcome: { on: orders, unit: 'user', converted: 'id', horizon: 'soon' as '1d' },
  })
  const two = experiment('two', {
    unit: 'user_id',
    arms: { a: champion, b: shy },
    layer: { name: 'l', from: 50, to: 100 },
  })
  assert.throws(
    () => checkExperiments([one, two], plan),
    (error: MillraceError) =>
      [
        'shares.b',
        'add up to 120.12',
        'outcome.unit',
        'outcome.converted',
        'horizon',
        'shares buckets with "one"',
      ].every((part) => error.message.includes(part)),
  )
})
