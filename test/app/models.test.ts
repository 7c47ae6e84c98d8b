// Goal: what enters as an event leaves as a prediction, of the vector that the features route gives at the same prefix.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { sha256 } from '../../src/base/hash.ts'
import {
  entity,
  featureService,
  featureView,
  float,
  int,
  type Mill,
  type MillOptions,
  millrace,
  model,
  onnx,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { logistic } from '../model/onnx/make-onnx.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const spendingOver = (over: '1h' | '2h') =>
  featureView('spending', {
    from: payments,
    by: user,
    features: (on) => ({ count: on.count({ over }), mean: on.mean('amount', { over }) }),
  })
const scoring = featureService('scoring', [spendingOver('1h')])
const declared = { version: 3, input: scoring, output: { score: float() } } as const
const byHand = model('by_hand', { ...declared, from: ({ count, mean }) => ({ score: count * mean }) })
type Served = { readonly output: { readonly score: number } }
const atMs = Date.UTC(2026, 0, 1, 12)
const asOf = atMs + 10

async function withMill(models: MillOptions['models'] & {}, use: (mill: Mill) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-models-'))
  try {
    const mill = await millrace({ definitions: [scoring], models, folder, partitions: 1 })
    try {
      await mill.send(payments, [
        { id: 'a', user: 1, amount: 2, at: atMs },
        { id: 'b', user: 1, amount: 4, at: atMs + 1 },
        { id: 'other', user: 3, amount: 1, at: atMs + 2 },
      ])
      await mill.caughtUp()
      await use(mill)
    } finally {
      await mill.close()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function withFile(bytes: Uint8Array, use: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-onnx-'))
  try {
    await writeFile(join(folder, 'm.onnx'), bytes)
    await use(join(folder, 'm.onnx'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('a function scores what was sent, with an event that was not, and refuses whom it knows nothing of', async () => {
  await withMill([byHand], async (mill) => {
    const known = await mill.predict(byHand, { user: 1 }, { asOf })
    assert.deepEqual(known, {
      model: { name: 'by_hand', version: 3, checksum: null },
      asOf,
      outcome: 'served',
      output: { score: 6 },
      inputs: {},
      prefix: { payments: [3] },
    })
    const event = { id: 'c', user: 1, amount: 3, at: atMs + 5 }
    const added = await mill.predict(byHand, { user: 1 }, { asOf, with: { stream: payments, event } })
    assert.ok(added.outcome === 'served' && added.output.score === 9)
    const unknown = await mill.predict(byHand, { user: 2 }, { asOf })
    assert.ok(unknown.outcome === 'refused')
    assert.deepEqual(unknown.inputs, { count: 'NOT_FOUND', mean: 'NOT_FOUND' })
  })
})

test('an ONNX file scores over HTTP, at the prefix and instant of the features, and is counted', async () => {
  const file = logistic([1, -1], 0)
  await withFile(file, async (path) => {
    const scored = model('scored', { ...declared, inputs: ['mean', 'count'], from: onnx(path) })
    const broken = model('broken', { ...declared, from: () => ({ score: Number.NaN }) })
    await withMill([scored, broken], async (mill) => {
      const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
      try {
        const post = async (route: string, body: object) => {
          const response = await fetch(`${server.address}${route}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          })
          return { status: response.status, body: (await response.json()) as Record<string, unknown> }
        }
        const entities = [{ user: 1 }, { user: 2 }, { user: 3 }]
        const { status, body } = await post('/v1/predict', { model: 'scored', entities, asOf })
        const features = await post('/v1/features', { service: 'scoring', entities, asOf })
        assert.equal(status, 200)
        assert.deepEqual(body['prefix'], features.body['prefix'])
        assert.equal(body['asOf'], features.body['asOf'])
        assert.deepEqual(body['model'], { name: 'scored', version: 3, checksum: sha256(file) })
        const [served, refused, other] = body['predictions'] as [Served, unknown, Served]
        // Columns in the declared order: mean 3, count 2.
        assert.ok(Math.abs(served.output.score - 1 / (1 + Math.exp(-1))) < 1e-6)
        assert.equal(other.output.score, 0.5)
        assert.deepEqual(refused, {
          asOf,
          outcome: 'refused',
          reason: 'INPUT_MISSING',
          detail: 'no value to use for mean (NOT_FOUND), count (NOT_FOUND)',
          inputs: { mean: 'NOT_FOUND', count: 'NOT_FOUND' },
        })
        const nan = await post('/v1/predict', { model: 'broken', entities: [{ user: 1 }], asOf })
        assert.deepEqual(nan.body['predictions'], [
          { asOf, outcome: 'failed', reason: 'OUTPUT_NOT_FINITE', detail: 'score is NaN', inputs: {} },
        ])
        const unknown = await post('/v1/predict', { model: 'scord', entities })
        assert.equal(unknown.status, 404)
        assert.match(JSON.stringify(unknown.body), /nearest name is \\"scored\\"/)
        assert.equal((await post('/v1/predict', { model: 'scored', entities, deadlineMs: 0 })).status, 400)
        assert.equal((await post('/v1/predict', { model: 'scored', entities: [{ user: 'x' }] })).status, 400)
        assert.equal((await post('/v1/predict', { model: 'scored', entities, full: true })).status, 400)
        const metrics = await (await fetch(`${server.address}/metrics`)).text()
        for (const [name, outcome, count] of [
          ['scored', 'served', 2],
          ['scored', 'refused', 1],
          ['broken', 'failed', 1],
        ]) {
          assert.ok(
            metrics.includes(
              `millrace_predictions_total{model="${name}",version="3",stage="live",outcome="${outcome}"} ${count}`,
            ),
            metrics,
          )
        }
        assert.match(metrics, /millrace_prediction_seconds_count\{model="scored"\} 1/)
        assert.ok(!metrics.includes('scord'))
      } finally {
        await server.close()
      }
    })
  })
})

test('what a model throws is logged, and told to no client', async () => {
  const throwing = model('throwing', {
    ...declared,
    from: () => {
      throw new Error('secret')
    },
  })
  await withMill([throwing], async (mill) => {
    const logged: unknown[] = []
    const logger = { error: (fields: Readonly<Record<string, unknown>>) => void logged.push(fields['error']) }
    const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock, logger })
    try {
      const response = await fetch(`${server.address}/v1/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'throwing', entities: [{ user: 1 }, { user: 3 }], asOf }),
      })
      const { predictions } = (await response.json()) as { predictions: readonly unknown[] }
      const failed = { asOf, outcome: 'failed', reason: 'MODEL_THREW', detail: 'the function threw', inputs: {} }
      assert.deepEqual(predictions, [failed, failed])
      assert.deepEqual(logged, [new Error('secret')])
    } finally {
      await server.close()
    }
  })
})

test('an answer after the deadline is none, even where a function held up the timer', async () => {
  const slow = model('slow', {
    ...declared,
    from: () => {
      const end = performance.now() + 60
      while (performance.now() < end);
      return { score: 1 }
    },
  })
  await withMill([slow], async (mill) => {
    await assert.rejects(mill.predict(slow, { user: 1 }, { asOf, deadlineMs: 20 }), {
      code: 'PREDICTION_LATE',
      message: /slow gave nothing within 20 ms/,
    })
    const inTime = await mill.predict(slow, { user: 1 }, { asOf, deadlineMs: 60_000 })
    assert.equal(inTime.outcome, 'served')
  })
})

test('more requests than a model may have under way are turned away at once, and only those', async () => {
  await withMill([byHand], async (mill) => {
    const ask = async () => await mill.predict(byHand, { user: 1 }, { asOf })
    const settled = await Promise.allSettled(Array.from({ length: 66 }, ask))
    const refused = settled.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code: string }).code] : []))
    assert.deepEqual(refused, ['MODEL_BUSY', 'MODEL_BUSY'])
    assert.equal((await ask()).outcome, 'served')
  })
})

test('definitions that change a feature under a model stop it, and going back lets it go on', async () => {
  await withMill([byHand], async (mill) => {
    await mill.versions.apply([featureService('scoring', [spendingOver('2h')])], { allowIncompatible: true })
    await mill.caughtUp()
    await assert.rejects(mill.predict(byHand, { user: 1 }, { asOf }), { code: 'MODEL_MISFIT', message: /over 1h|1h/ })
    await mill.versions.rollback()
    await mill.caughtUp()
    assert.equal((await mill.predict(byHand, { user: 1 }, { asOf })).outcome, 'served')
  })
})

test('a model that cannot be loaded keeps the mill from opening, and what was open is closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-models-'))
  try {
    const absent = model('absent', { ...declared, from: onnx(join(folder, 'absent.onnx')) })
    const open = async (models: MillOptions['models'] & {}) =>
      await millrace({ definitions: [scoring], models, folder, partitions: 1 })
    await assert.rejects(open([byHand, absent]), { code: 'MODEL_UNREADABLE', message: /absent\.onnx.*ENOENT/ })
    await writeFile(join(folder, 'absent.onnx'), 'not a model')
    await assert.rejects(open([absent]), { code: 'MODEL_REFUSED' })
    await assert.rejects(open([byHand, byHand]), { code: 'DEFINITION', message: /two models/ })
    // The folder is free: only one process, and one mill of it, may hold it.
    await (await open([byHand])).close()
  } finally {
    await rm(folder, { recursive: true })
  }
})
