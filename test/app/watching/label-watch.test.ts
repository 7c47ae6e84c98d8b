// Goal: labels that come late are joined with the predictions in the log while both go on, and again after a restart.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { reportModel } from '../../../src/app/model-report.ts'
import { startServer } from '../../../src/app/server.ts'
import { reportQuality } from '../../../src/app/watching/report-models.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { float, type Mill, millrace, model } from '../../../src/index.ts'
import { makeMetrics } from '../../../src/monitor/metrics.ts'
import { disputed, disputes, payments, scoring } from '../model-report-definitions.ts'

const atMs = Date.UTC(2026, 0, 1, 12)
const hourMs = 3_600_000
const outcome = { on: disputes, id: 'payment', label: 'fraud', horizon: '1h' } as const
const declared = {
  version: 2,
  input: scoring,
  from: ({ mean }: { mean: number }) => ({ score: mean / 100 }),
  output: { score: float() },
  score: { on: payments },
} as const
const fraud = model('fraud', { ...declared, outcome })

async function joinedLabels(mill: Mill, count: number): Promise<NonNullable<Mill['labels']['quality'][number]>> {
  for (;;) {
    const [one] = mill.labels.quality
    if (one !== undefined && one.labels.joined + one.labels.late >= count) return one
    await systemClock.sleep(5)
  }
}

test('quality follows labels as they come, whichever came first, and is found again by the next process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-labels-'))
  const open = () =>
    millrace({ definitions: [scoring, disputed], models: [fraud], folder: join(folder, 'mill'), partitions: 1 })
  try {
    const mill = await open()
    const dispute = (index: number, isFraud: boolean, at = atMs + 1_000) => ({
      payment: `p${index}`,
      fraud: isFraud,
      at,
    })
    // Of the first payment it is known before it is scored.
    await mill.send(disputes, [dispute(0, false)])
    await mill.send(
      payments,
      Array.from({ length: 6 }, (_, index) => ({ id: `p${index}`, user: index, amount: 10 * index, at: atMs + index })),
    )
    await mill.caughtUp()
    assert.equal((await joinedLabels(mill, 1)).auc, null, 'one kind of label says nothing')
    // Scores 0, 0.1, … 0.5; frauds are 2, 4 and, too late, 5; nobody speaks of 3.
    await mill.send(disputes, [
      dispute(1, true),
      dispute(2, true),
      dispute(4, true),
      dispute(5, true, atMs + 2 * hourMs),
      dispute(1, false, atMs + 2_000),
      dispute(77, true),
    ])
    const found = async (running: Mill): Promise<void> => {
      let quality = await joinedLabels(running, 5)
      while (quality.labels.positives !== 2) {
        await systemClock.sleep(5)
        quality = await joinedLabels(running, 5)
      }
      assert.deepEqual(quality.labels, { joined: 4, positives: 2, late: 1, missing: 1 })
      assert.deepEqual([quality.model, quality.version, quality.share, quality.auc], ['fraud', 2, 1, 1])
    }
    await found(mill)
    const metrics = makeMetrics()
    reportQuality(() => mill.labels.quality, metrics)
    const { body } = await metrics.render()
    for (const line of [
      'millrace_model_auc{model="fraud",version="2"} 1',
      'millrace_model_labels{model="fraud",version="2",state="late"} 1',
      'millrace_model_labels_sample_share{model="fraud",version="2"} 1',
      'millrace_model_calibration_rate{model="fraud",version="2",bin="0.4"} 1',
    ]) {
      assert.ok(body.includes(`${line}\n`), line)
    }
    await mill.close()
    const again = await open()
    await found(again)
    await again.close()
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('predictions of HTTP and the library are in the log where that is asked for, by the ids that labels name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-labels-'))
  const { score: _, ...asked } = declared
  const direct = model('fraud', { ...asked, outcome })
  const mill = await millrace({
    definitions: [scoring, disputed],
    models: [direct],
    folder,
    partitions: 2,
    logPredictions: true,
  })
  try {
    await mill.send(
      payments,
      [1, 2, 3].map((user) => ({ id: `p${user}`, user, amount: 10 * user, at: atMs })),
    )
    await mill.caughtUp()
    const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
    const post = async (body: object) =>
      await fetch(`${server.address}/v1/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'fraud', asOf: atMs + 1, ...body }),
      })
    const entities = [{ user: 1 }, { user: 2 }]
    assert.equal((await post({ entities, ids: ['h1', 'h2'] })).status, 200)
    assert.equal((await post({ entities, ids: ['h1'] })).status, 400)
    assert.equal((await post({ entities, ids: [1, 2] })).status, 400)
    await server.close()
    const given = await mill.predict(direct, { user: 3 }, { asOf: atMs + 1, id: 'library' })
    await mill.predict(direct, { user: 9 }, { asOf: atMs + 1 })
    await mill.send(
      disputes,
      ['h1', 'h2', 'library'].map((payment) => ({ payment, fraud: payment !== 'h1', at: atMs + 1_000 })),
    )
    const quality = await joinedLabels(mill, 3)
    assert.deepEqual([quality.labels.joined, quality.labels.positives, quality.auc], [3, 2, 1])
    const labels = { stream: 'disputes', label: 'fraud', id: 'payment', horizon: '1h' }
    const [version] = await reportModel({ log: mill.log, plan: mill.plan, model: 'fraud', labels, training: null })
    assert.deepEqual(version!.watch.outcomes, { served: 3, refused: 1 })
    assert.equal(version!.watch.vectors, 4)
    assert.equal(version!.watch.auc, 1)
    assert.ok(given.outcome === 'served' && version!.watch.scores.bins.at(-1)!.low <= given.output.score)
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
})

test('an outcome that cannot be found is a fault of the definition', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-labels-'))
  const wrong = [
    model('a', { ...declared, outcome: { ...outcome, label: 'froud' } }),
    model('b', { ...declared, outcome: { ...outcome, label: 'payment' } }),
    model('c', { ...declared, outcome: { on: disputes, label: 'fraud', horizon: '1h' } }),
    model('d', { ...declared, outcome: { ...outcome, horizon: 'soon' as '1h' } }),
  ]
  try {
    const opening = millrace({ definitions: [scoring, disputed], models: wrong, folder, partitions: 1 })
    await assert.rejects(opening, ({ message }: Error) => {
      for (const path of ['a.outcome.label', 'b.outcome.label', 'c.outcome.id', 'd.outcome.horizon']) {
        assert.ok(message.includes(path), `${path} in ${message}`)
      }
      return true
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})
