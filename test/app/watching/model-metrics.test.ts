// Goal: what goes through a model is in the metrics whoever asked for it, and a server that fails can be seen to.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startServer } from '../../../src/app/server.ts'
import { systemClock } from '../../../src/base/clock.ts'
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
  openInference,
  stream,
  string,
  timestamp,
} from '../../../src/index.ts'
import { describeDistribution, count, stabilityIndex } from '../../../src/model/quality/drift.ts'
import { openInferenceServer, send, startModelServer } from '../../model/remote/model-server.ts'

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
  features: (on) => ({ a: on.count({ over: '1h' }), b: on.mean('amount', { over: '1h' }) }),
})
const scoring = featureService('scoring', [spending])
const atMs = Date.UTC(2026, 0, 1, 12)
const asOf = atMs + 100

type Sample = { readonly name: string; readonly labels: Record<string, string>; readonly value: number }

async function metricsOf(mill: Mill): Promise<(name: string, labels?: Record<string, string>) => number | undefined> {
  const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
  try {
    const samples = parseMetrics(await (await fetch(`${server.address}/metrics`)).text())
    return (name, labels = {}) =>
      samples.find(
        (one) => one.name === name && Object.entries(labels).every(([label, value]) => one.labels[label] === value),
      )?.value
  } finally {
    await server.close()
  }
}

function parseMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (found === null) return []
    const labels = [...(found[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!] as const)
    return [{ name: found[1]!, labels: Object.fromEntries(labels), value: Number(found[3]) }]
  })
}

async function openMill(t: TestContext, models: (folder: string) => MillOptions['models'] & {}): Promise<Mill> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-watching-'))
  const training = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
  const features = [{ name: 'a', spread: describeDistribution(training) }]
  await writeFile(join(folder, 'set.manifest.json'), JSON.stringify({ features }))
  const mill = await millrace({ definitions: [scoring], models: models(folder), folder, partitions: 1 })
  t.after(async () => {
    await mill.close()
    await rm(folder, { recursive: true })
  })
  return mill
}

test('scores, reasons and inputs are counted of the library, HTTP and the stream alike', async (t) => {
  const mill = await openMill(t, (folder) => [
    model('fraud', {
      version: 3,
      input: scoring,
      from: ({ a, b }) => ({ score: b > 90 ? Number.NaN : a / 10 }),
      output: { score: float() },
      score: { on: payments },
      training: join(folder, 'set.manifest.json'),
    }),
  ])
  // By the stream: user 1 at its first, second and third payment, and one that the model has nothing for.
  await mill.send(
    payments,
    [1, 1, 1, 2].map((who, index) => ({
      id: `p${index}`,
      user: who,
      amount: who === 2 ? 99 : index,
      at: atMs + index,
    })),
  )
  await mill.caughtUp()
  while (mill.scoresWaiting > 0) await systemClock.sleep(1)
  await mill.predictMany({ model: 'fraud', entities: [{ user: 1 }, { user: 9 }], asOf })
  const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
  await fetch(`${server.address}/v1/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'fraud', entities: [{ user: 1 }, { user: 9 }], asOf }),
  })
  await server.close()

  const metric = await metricsOf(mill)
  const version = { model: 'fraud', version: '3' }
  assert.equal(metric('millrace_model_score_count', version), 5)
  assert.ok(Math.abs(metric('millrace_model_score_sum', version)! - (0.1 + 0.2 + 3 * 0.3)) < 1e-12)
  assert.equal(metric('millrace_model_score_bucket', { ...version, le: '0.2' }), 2)
  assert.equal(metric('millrace_model_score_bucket', { ...version, le: '0.3' }), 5)
  assert.equal(metric('millrace_model_unanswered_total', { ...version, reason: 'INPUT_MISSING' }), 2)
  assert.equal(
    metric('millrace_model_unanswered_total', { ...version, outcome: 'failed', reason: 'OUTPUT_NOT_FINITE' }),
    1,
  )
  assert.equal(metric('millrace_model_input_vectors', version), 8)
  assert.equal(metric('millrace_model_inputs_total', { ...version, input: 'b', status: 'PRESENT' }), 6)
  assert.equal(metric('millrace_model_inputs_total', { ...version, input: 'b', status: 'NOT_FOUND' }), 2)
  assert.equal(metric('millrace_model_input_nulls', { ...version, input: 'b' }), 0.25)
  const before = describeDistribution([1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
  const vectors = mill.loadedModels[0]!.watch.watch().inputs.find(({ name }) => name === 'a')!
  const seen = count(before.edges, vectors.nulls === 0 ? [1, 2, 3, 1, 3, 3, 0, 0] : [1, 2, 3, 1, 3, 3, null, null])
  assert.equal(metric('millrace_model_input_psi', { ...version, input: 'a' }), stabilityIndex(before, seen))
  assert.equal(metric('millrace_model_input_psi', { ...version, input: 'b' }), undefined, 'not in the training set')
})

test('a server that fails is seen to: its circuit, its requests by what came of them, their time and repeats', async (t) => {
  const server = await startModelServer(openInferenceServer)
  t.after(() => server.close())
  const mill = await openMill(t, () => [
    model('remote', {
      version: 1,
      input: scoring,
      from: openInference({
        url: server.url,
        model: 'fraud',
        timeoutMs: 10_000,
        pauseMs: 60_000,
        retryShare: 0.1,
        fallback: { output: { score: 0.5 } },
      }),
      output: { score: float() },
    }),
  ])
  await mill.send(payments, [{ id: 'a', user: 1, amount: 4, at: atMs }])
  await mill.caughtUp()
  const ask = async (): Promise<void> => {
    await mill.predictMany({ model: 'remote', entities: [{ user: 1 }], asOf, deadlineMs: 30_000 })
  }
  const labels = { model: 'remote', version: '1', server: `${new URL(server.url).host}/fraud` }
  await ask()
  const well = await metricsOf(mill)
  assert.equal(well('millrace_remote_circuit', { ...labels, state: 'closed' }), 1)
  assert.equal(well('millrace_remote_circuit', { ...labels, state: 'open' }), 0)
  assert.equal(well('millrace_remote_requests_total', { ...labels, outcome: 'answered' }), 1)
  assert.equal(well('millrace_model_score_count', { model: 'remote' }), 1)

  server.behave = (_request, _body, response) => send(response, {}, 503)
  for (let times = 0; times < 6; times++) await ask()
  const ill = await metricsOf(mill)
  assert.equal(ill('millrace_remote_circuit', { ...labels, state: 'open' }), 1)
  assert.equal(ill('millrace_remote_circuit', { ...labels, state: 'closed' }), 0)
  const down = ill('millrace_remote_requests_total', { ...labels, outcome: 'REMOTE_DOWN' })!
  const open = ill('millrace_remote_requests_total', { ...labels, outcome: 'CIRCUIT_OPEN' })!
  assert.ok(down >= 1 && open >= 1)
  assert.equal(down + open, 6)
  assert.equal(ill('millrace_remote_seconds_count', labels), 1 + down, 'of what was sent')
  assert.ok(ill('millrace_remote_repeats_total', labels)! >= 1)
  assert.ok(ill('millrace_remote_retries_left', labels)! < 10)
  const fallbacks = { model: 'remote', outcome: 'fallback' }
  assert.equal(ill('millrace_model_unanswered_total', { ...fallbacks, reason: 'REMOTE_DOWN' }), down)
  assert.equal(ill('millrace_model_score_count', { model: 'remote' }), 1, 'what a fallback gives is no score of it')
})
