// Goal: a request that comes through the log is scored once; what a model does wrong is an outcome, and stops nothing.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  entity,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  model,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { coordinateHeaders } from '../../src/stream/output-headers.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const spending = featureView('spending', {
  from: payments,
  by: user,
  features: (on) => ({ count: on.count({ over: '1h' }), mean: on.mean('amount', { over: '1h' }) }),
})
const declared = { version: 3, input: spending, output: { score: float() } } as const
const wrong = (row: unknown) => () => row as { score: number }
const models = [
  model('good', { ...declared, from: ({ count, mean }) => ({ score: count * mean }) }),
  model('sure', {
    ...declared,
    output: { label: string(), confidence: float() },
    from: () => ({ label: 'fraud', confidence: 0.75 }),
  }),
  model('not_a_number', { ...declared, from: () => ({ score: Number.NaN }) }),
  model('empty', { ...declared, from: wrong({}) }),
  model('throwing', {
    ...declared,
    from: () => {
      throw new Error('secret')
    },
  }),
]
const atMs = Date.UTC(2026, 0, 1, 12)
const asOf = atMs + 10

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-inference-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function open(folder: string, answerRequests: boolean): Promise<Mill> {
  return await millrace({ definitions: [spending], models, folder, partitions: 1, answerRequests })
}

async function send(mill: Mill): Promise<void> {
  await mill.send(payments, [
    { id: 'a', user: 1, amount: 2, at: atMs },
    { id: 'b', user: 1, amount: 4, at: atMs + 1 },
  ])
  await mill.caughtUp()
}

async function ask(mill: Mill, requests: readonly object[]): Promise<void> {
  const records = requests.map((one) => ({ key: null, value: Buffer.from(JSON.stringify(one)), timestampMs: asOf }))
  await mill.log.append('inference-requests', 0, records)
}

async function all(mill: Mill, topic: string): Promise<Record<string, unknown>[]> {
  const { records } = await mill.log.read(topic, 0, 0, 1024 * 1024)
  return records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>)
}

test('a request is scored, and its vector is kept beside the prediction', async () => {
  await withFolder(async (folder) => {
    const mill = await open(folder, true)
    await send(mill)
    await ask(mill, [{ request_id: 'r1', user_id: 'u', model: 'good', keys: { user: 1 }, as_of: asOf }])
    await mill.answering!.caughtUp()
    const [prediction] = await all(mill, 'predictions')
    const [input] = await all(mill, 'model-input')
    const { timestamp: at, ...rest } = prediction!
    assert.match(String(at), /^20.*Z$/)
    const common = {
      request_id: 'r1',
      user_id: 'u',
      model: 'good',
      model_version: 3,
      checksum: null,
      keys: { user: 1 },
      as_of: '2026-01-01T12:00:00.010Z',
      status: {},
      prefix: { payments: [2] },
      plan: mill.plan.hash.slice(0, 12),
    }
    assert.deepEqual(rest, { ...common, prediction: 6, confidence: null, outcome: 'served', output: { score: 6 } })
    assert.deepEqual(input, { ...common, inputs: { count: 2, mean: 3 } })
    await mill.close()
  })
})

test('whatever a model does, and whatever is asked, each request has one answer, and the next is answered', async () => {
  await withFolder(async (folder) => {
    const mill = await open(folder, true)
    await send(mill)
    const keys = { user: 1 }
    await ask(mill, [
      { request_id: 'r0', model: 'good', keys: { user: 9 } },
      ...['not_a_number', 'empty', 'throwing', 'none'].map((name) => ({ request_id: name, model: name, keys })),
      { request_id: 'r5', model: 'good', keys: { user: {} } },
      { request_id: 'r6', keys },
      { request_id: 'r7', model: 'sure', keys, as_of: asOf },
    ])
    await mill.answering!.caughtUp()
    const told = (await all(mill, 'predictions')).map((one) => [one['request_id'], one['outcome'], one['reason']])
    assert.deepEqual(told, [
      ['r0', 'refused', 'INPUT_MISSING'],
      ['not_a_number', 'refused', 'INPUT_MISSING'],
      ['empty', 'refused', 'INPUT_MISSING'],
      ['throwing', 'refused', 'INPUT_MISSING'],
      ['none', 'refused', 'NAME_UNDECLARED'],
      ['r5', 'refused', 'KEY_MALFORMED'],
      ['r6', 'refused', 'MISSING'],
      ['r7', 'served', undefined],
    ])
    const last = (await all(mill, 'predictions')).at(-1)!
    assert.deepEqual([last['prediction'], last['confidence']], ['fraud', 0.75])
    await ask(
      mill,
      ['not_a_number', 'empty', 'throwing'].map((name) => ({ request_id: name, model: name, keys, as_of: asOf })),
    )
    await mill.answering!.caughtUp()
    const failed = (await all(mill, 'predictions')).slice(8)
    assert.deepEqual(
      failed.map((one) => [one['outcome'], one['reason'], one['prediction']]),
      [
        ['failed', 'OUTPUT_NOT_FINITE', null],
        ['failed', 'OUTPUT_TYPE', null],
        ['failed', 'MODEL_THREW', null],
      ],
    )
    assert.doesNotMatch(JSON.stringify(failed), /secret/)
    assert.deepEqual(Object.fromEntries([...mill.answers.all].map((one) => [one.outcome, one.total])), {
      refused: 7,
      served: 1,
      failed: 3,
    })
    await mill.close()
  })
})

test('a vector that was written before the process died is scored again as it was, and not written again', async () => {
  await withFolder(async (folder) => {
    const first = await open(folder, false)
    await send(first)
    for (const topic of ['inference-requests', 'predictions', 'model-input']) {
      await first.log.createTopic(topic, { partitions: 1 })
    }
    await ask(first, [
      { request_id: 'r1', model: 'good', keys: { user: 1 }, as_of: asOf },
      { request_id: 'r2', model: 'good', keys: { user: 1 }, as_of: asOf },
    ])
    const input = {
      model: 'good',
      model_version: 3,
      checksum: null,
      keys: { user: 1 },
      as_of: '2026-01-01T12:00:00.000Z',
    }
    const values = { inputs: { count: 5, mean: 7 }, status: {}, prefix: { payments: [1] }, plan: 'x' }
    const another = { ...input, ...values, model_version: 2 }
    for (const [offset, value] of [{ ...input, ...values }, another].entries()) {
      const source = { stream: 'inference-requests', topic: 'inference-requests', partition: 0, offset }
      const headers = Object.entries(coordinateHeaders(source)).map(
        ([name, text]) => [name, Buffer.from(text)] as const,
      )
      const record = { key: null, value: Buffer.from(JSON.stringify(value)), timestampMs: 1, headers }
      await first.log.append('model-input', 0, [record])
    }
    await first.close()
    const mill = await open(folder, true)
    await mill.answering!.caughtUp()
    const told = (await all(mill, 'predictions')).map((one) => [one['prediction'], one['prefix']])
    // The second was of another version of the model: its vector is read, and written, anew.
    assert.deepEqual(told, [
      [35, { payments: [1] }],
      [6, { payments: [2] }],
    ])
    assert.deepEqual(
      (await all(mill, 'model-input')).map((one) => one['model_version']),
      [3, 2, 3],
    )
    await mill.close()
  })
})
