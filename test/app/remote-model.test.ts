// Goal: a remote model answers through the mill; where it does not, its fallback does, and the answer says so.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  entity,
  featureService,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  mlflowScoring,
  model,
  openInference,
  stream,
  timestamp,
} from '../../src/index.ts'
import type { RemoteOptions } from '../../src/definition/remote-model.ts'
import { openInferenceServer, scoreOf, send, startModelServer } from '../model/remote/model-server.ts'

const payments = stream('payments', {
  fields: { user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const spending = featureView('spending', {
  from: payments,
  by: user,
  features: (on) => ({ a: on.count({ over: '1h' }), b: on.mean('amount', { over: '1h' }) }),
})
const input = featureService('scoring', [spending])
const output = { score: float() }
const atMs = Date.UTC(2026, 0, 1, 12)
const asOf = atMs + 10

async function openMill(t: TestContext, url: string, fallback?: RemoteOptions['fallback']): Promise<Mill> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-remote-'))
  const options = { url, timeoutMs: 2_000, retryShare: 0, ...(fallback === undefined ? {} : { fallback }) }
  const models = [model('fraud', { version: 1, input, from: openInference({ ...options, model: 'fraud' }), output })]
  const mill = await millrace({ definitions: [input], models, folder, partitions: 1 })
  t.after(async () => {
    await mill.close()
    await rm(folder, { recursive: true })
  })
  await mill.send(payments, [{ user: 1, amount: 4, at: atMs }])
  await mill.caughtUp()
  return mill
}

async function predictionOf(mill: Mill, deadlineMs = 5_000) {
  const { predictions } = await mill.predictMany({ model: 'fraud', entities: [{ user: 1 }], asOf, deadlineMs })
  return predictions[0]!
}

test('a server scores the vector, and without a fallback its silence is a failure', async (t) => {
  const server = await startModelServer(openInferenceServer)
  t.after(() => server.close())
  const mill = await openMill(t, server.url)
  assert.deepEqual(await predictionOf(mill), { outcome: 'served', output: { score: scoreOf(1, 4) }, inputs: {}, asOf })
  server.behave = (_request, _body, response) => send(response, {}, 503)
  const failed = await predictionOf(mill)
  assert.ok(failed.outcome === 'failed' && failed.reason === 'REMOTE_DOWN')
})

test('declared outputs, a function or another server answer in its place, in time, and the answer says why', async (t) => {
  const other = await startModelServer(openInferenceServer)
  t.after(() => other.close())
  const fallbacks: readonly [NonNullable<RemoteOptions['fallback']>, number][] = [
    [{ output: { score: 0.25 } }, 0.25],
    [({ a, b }: { a: number; b: number }) => ({ score: a + b }), 5],
    [openInference({ url: other.url, model: 'fraud' }), scoreOf(1, 4)],
  ]
  for (const [fallback, score] of fallbacks) {
    const server = await startModelServer(openInferenceServer)
    t.after(() => server.close())
    const mill = await openMill(t, server.url, fallback)
    server.behave = () => undefined
    const late = await predictionOf(mill, 500)
    const why = { reason: 'REMOTE_LATE', detail: 'the server did not answer in time' }
    assert.deepEqual(late, { outcome: 'served', output: { score }, fallback: why, inputs: {}, asOf })
    server.behave = (_request, _body, response) =>
      send(response, { model_name: 'fraud', outputs: [{ name: 'score', datatype: 'FP64', shape: [1], data: [null] }] })
    const lying = await predictionOf(mill)
    assert.ok(lying.outcome === 'served' && lying.fallback?.reason === 'OUTPUT_TYPE')
  }
})

test('a fallback that gives nothing leaves the failure of the server', async (t) => {
  const server = await startModelServer((request) => request.socket.destroy())
  t.after(() => server.close())
  const mill = await openMill(t, server.url, () => ({ score: Number.NaN }))
  const failed = await predictionOf(mill)
  assert.ok(failed.outcome === 'failed' && failed.reason === 'REMOTE_DOWN')
})

test('what cannot work is a fault of the definition, all at once, and shows no secret', async () => {
  const from = openInference({
    url: 'http://me:hush@there',
    model: '',
    timeoutMs: 0,
    retryShare: 2,
    headersFrom: { authorization: 'not a name' },
    fallback: { output: { scor: 1 } },
  })
  const other = mlflowScoring({ url: 'ftp://there' })
  const models = [
    model('a', { version: 1, input, from, output }),
    model('b', { version: 1, input, from: other, output }),
  ]
  const folder = await mkdtemp(join(tmpdir(), 'millrace-remote-'))
  try {
    await assert.rejects(millrace({ definitions: [input], models, folder }), ({ message }: Error) => {
      for (const path of ['url', 'model', 'timeoutMs', 'retryShare', 'headersFrom', 'fallback.output.score']) {
        assert.ok(message.includes(`a.from.${path}`), path)
      }
      assert.ok(message.includes('b.from.url'))
      assert.ok(!message.includes('hush'))
      return true
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})
