// Goal: what a model predicted is joined with what came true, within a horizon, and held against its training set.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { drawReport, reportModel } from '../../src/app/model-report.ts'
import { float, millrace, model, openTableReader, train } from '../../src/index.ts'
import { runCli } from '../cli/run-cli.ts'
import { disputed, disputes, payments, scoring } from './model-report-definitions.ts'

const definitions = new URL('model-report-definitions.ts', import.meta.url)
const atMs = Date.UTC(2026, 0, 1, 12)
const dayMs = 86_400_000

const fraud = model('fraud', {
  version: 1,
  input: scoring,
  from: ({ mean }) => ({ score: mean / 100 }),
  output: { score: float() },
})

test('predictions in the log, labels that come late, and the manifest of a training set make a report', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-report-'))
  try {
    // Users 0 to 39 pay 0, 2, 4, … : fraud is what is above 50, but for two.
    const sent = Array.from({ length: 40 }, (_, index) => ({
      id: `p${index}`,
      user: index,
      amount: 2 * index,
      at: atMs + index,
    }))
    const isFraud = (index: number): boolean => (index > 25 && index !== 39) || index === 3
    const mill = await millrace({
      definitions: [scoring, disputed],
      models: [fraud],
      folder: join(folder, 'mill'),
      partitions: 1,
      answerRequests: true,
    })
    await mill.send(payments, sent)
    await mill.caughtUp()
    const requests = sent.map(({ id, user: one }) => ({
      request_id: id,
      model: 'fraud',
      keys: { user: one },
      as_of: atMs + 100,
    }))
    const unknown = { request_id: 'nobody', model: 'fraud', keys: { user: 999 }, as_of: atMs + 100 }
    const records = [...requests, unknown].map((one) => ({
      key: null,
      value: Buffer.from(JSON.stringify(one)),
      timestampMs: atMs,
    }))
    await mill.log.append('inference-requests', 0, records)
    await mill.answering!.caughtUp()
    const known = sent
      .slice(0, -2)
      .map(({ id }, index) => ({ payment: id, fraud: isFraud(index), at: atMs + 3 * dayMs }))
    const early = { payment: 'p5', fraud: true, at: atMs + dayMs }
    const late = { payment: 'p38', fraud: true, at: atMs + 40 * dayMs }
    await mill.send(disputes, [early, ...known, late])
    await mill.caughtUp()
    // The training set had amounts ten times as large.
    const spine = join(folder, 'spine.csv')
    const rows = Array.from({ length: 40 }, (_, index) => `${index},${new Date(atMs + 100).toISOString()}`)
    await writeFile(spine, ['user,at', ...rows].join('\n'))
    const events = join(folder, 'events.csv')
    const past = sent.map((one) => `${one.id},${one.user},${10 * one.amount},${one.at}`)
    await writeFile(events, ['id,user,amount,at', ...past].join('\n'))
    const output = join(folder, 'set.parquet')
    const manifest = await train({
      plan: mill.plan,
      target: 'scoring',
      spine,
      at: 'at',
      history: { files: { payments: [events] } },
      output,
    })
    const { spread } = manifest.features[0]!
    assert.deepEqual(
      spread?.counts.reduce((sum, count) => sum + count, 0),
      40,
    )
    assert.equal((await openTableReader(output)).rowCount, 40)

    const report = async (horizon: string) => {
      const labels = { stream: 'disputes', label: 'fraud', id: 'payment', horizon }
      const training = `${output}.manifest.json`
      return await reportModel({ log: mill.log, plan: mill.plan, model: 'fraud', labels, training })
    }
    const [version] = await report('30d')
    const { watch, ...about } = version!
    assert.deepEqual(about, { model: 'fraud', version: 1, checksum: null })
    assert.deepEqual(watch.outcomes, { served: 40, refused: 1 })
    assert.deepEqual(watch.labels, { joined: 38, positives: 13, late: 1, missing: 1 })
    assert.equal(
      watch.scores.bins.reduce((sum, { count }) => sum + count, 0),
      40,
    )
    // By hand: 12 frauds above all 25 others, and one at place 3, above three of them.
    assert.ok(Math.abs(watch.auc! - (12 * 25 + 3) / (13 * 25)) < 1e-12)
    assert.ok(watch.averagePrecision! > 0.9 && watch.calibration !== null)
    assert.equal(watch.inputs[0]?.name, 'mean')
    assert.ok(watch.inputs[0].psi! > 0.25)
    const [near] = await report('2d')
    assert.deepEqual(
      near!.watch.labels,
      { joined: 1, positives: 1, late: 38, missing: 1 },
      'only what was known by then',
    )
    assert.match(drawReport([version!]), /^<svg .*fraud version 1.*<\/svg>\n$/s)
    await mill.close()

    const args = ['--labels', 'disputes.fraud', '--join', 'payment', '--training', `${output}.manifest.json`]
    const svg = join(folder, 'report.svg')
    const place = ['--folder', join(folder, 'mill'), '--svg', svg]
    const { code, stdout, stderr } = await runCli([
      'model',
      'report',
      fileURLToPath(definitions),
      'fraud',
      ...args,
      ...place,
    ])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /fraud version 1: 40 served, 1 refused\n {2}scores: 40, mean 0\.39/)
    assert.match(stdout, /mean +\d\.\d{4} +2\.4 % +0\.0 % +another population/)
    assert.match(await readFile(svg, 'utf8'), /population stability/)
  } finally {
    await rm(folder, { recursive: true })
  }
})
