// Goal: whatever a model, its server or a request does wrong, each accepted event and each request has one answer with the
// declared outcome, which is counted; those beside it are answered as ever.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import {
  entity,
  featureService,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  model,
  onnx,
  openInference,
  registry,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { writeFile } from 'node:fs/promises'
import type { RemoteOptions } from '../../src/definition/remote-model.ts'
import { declareModel } from '../../src/plan/model-declaration.ts'
import { logistic } from '../model/onnx/make-onnx.ts'
import { type Behaviour, openInferenceServer, send, startModelServer } from '../model/remote/model-server.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const input = featureService('scoring', [
  featureView('spending', {
    from: payments,
    by: entity('user', { user: int() }),
    features: (on) => ({ a: on.count({ over: '1h' }), b: on.mean('amount', { over: '1h' }) }),
  }),
])
const declared = { version: 1, input, output: { score: float() }, score: { on: payments } } as const
const atMs = Date.UTC(2026, 0, 1, 12)
/** Of three users; no float32 holds the amount of the second. */
const events = [4, 1e39, 6].map((amount, index) => ({ id: `p${index}`, user: index, amount, at: atMs + index }))

type Told = { readonly outcome: string; readonly reason?: string; readonly fallback?: { readonly reason: string } }

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-model-faults-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

/** A model of a server that is well when it is opened, and then behaves so. */
async function remote(t: TestContext, name: string, then: Behaviour, options: Partial<RemoteOptions> = {}) {
  const server = await startModelServer(openInferenceServer)
  t.after(() => server.close())
  const from = openInference({ url: server.url, model: 'fraud', timeoutMs: 8_000, retryShare: 0, ...options })
  return { model: model(name, { ...declared, from }), spoil: () => (server.behave = then) }
}

const silence: Behaviour = () => undefined
const hangUp: Behaviour = (request) => request.socket.destroy()
/** One row, whatever was asked for, and of two columns. */
const misshapen: Behaviour = (_request, _body, response) =>
  send(response, { model_name: 'fraud', outputs: [{ name: 'score', datatype: 'FP64', shape: [1, 2], data: [1, 2] }] })

async function read(mill: Mill, topic: string): Promise<Record<string, unknown>[]> {
  const { records } = await mill.log.read(topic, 0, 0, 16 * 1024 * 1024)
  return records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as Record<string, unknown>)
}

const reasonsOf = (told: readonly Told[]) => [
  ...new Set(
    told.map(({ outcome, reason, fallback }) => reason ?? (fallback ? `instead: ${fallback.reason}` : outcome)),
  ),
]

test('every fault of a model is the outcome of its own predictions, of events and over HTTP, and counted', async (t) => {
  const folder = await folderFor(t)
  const file = join(folder, 'logistic.onnx')
  await writeFile(file, logistic([0.5, -0.25], 0))
  const [slow, dead, shapes, backed] = await Promise.all([
    // Where this machine is slow too, the server was not there from the start: late all the same.
    remote(t, 'slow', silence, { timeoutMs: 300 }),
    remote(t, 'dead', hangUp),
    remote(t, 'misshapen', misshapen),
    remote(t, 'backed', hangUp, { fallback: { output: { score: 0.25 } } }),
  ])
  const servers = [slow, dead, shapes, backed]
  let laterMs = 0
  const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + laterMs }
  const models = [
    model('well', { ...declared, from: ({ a }) => ({ score: a }) }),
    model('not_a_number', { ...declared, from: () => ({ score: Number.NaN }) }),
    model('without_output', { ...declared, from: () => ({}) as { score: number } }),
    model('throwing', {
      ...declared,
      from: () => {
        throw new Error('hush')
      },
    }),
    // Takes longer than a prediction in the log may.
    model('overtime', {
      ...declared,
      from: () => {
        laterMs += 11_000
        return { score: 1 }
      },
    }),
    model('tensors', { ...declared, from: onnx(file) }),
    ...servers.map((one) => one.model),
  ]
  /** What may be said in place of an output; of a server that failed before, also that it was not asked. */
  const reasons: Readonly<Record<string, readonly string[]>> = {
    well: ['served'],
    not_a_number: ['OUTPUT_NOT_FINITE'],
    without_output: ['OUTPUT_TYPE'],
    throwing: ['MODEL_THREW'],
    // Over HTTP it is given its time.
    overtime: ['LATE', 'served'],
    tensors: ['served', 'INPUT_UNUSABLE'],
    slow: ['REMOTE_LATE', 'CIRCUIT_OPEN'],
    dead: ['REMOTE_DOWN', 'CIRCUIT_OPEN'],
    misshapen: ['OUTPUT_SHAPE', 'CIRCUIT_OPEN'],
    backed: ['instead: REMOTE_DOWN', 'instead: CIRCUIT_OPEN'],
  }
  const mill = await millrace({ definitions: [input], models, folder: join(folder, 'data'), partitions: 1, clock })
  try {
    for (const { spoil } of servers) spoil()
    const bodies = events.map((event) => Buffer.from(JSON.stringify(event)))
    // Poison between them: it is a dead letter, and nobody scores it.
    await mill.ingest('payments', [bodies[0]!, Buffer.from('{"id":'), bodies[1]!, bodies[2]!])
    await mill.caughtUp()
    await mill.engine.checkpoint()
    const predictions = await read(mill, 'predictions')
    assert.equal((await read(mill, 'model-input')).length, models.length * events.length)
    const { records } = await mill.log.read('dead-letter-queue', 0, 0, 1024 * 1024)
    assert.equal(records.length, 1)
    for (const { name } of models) {
      const own = predictions.filter((one) => one['model'] === name)
      assert.deepEqual(
        own.map((one) => one['request_id']),
        events.map(({ id }) => id),
        name,
      )
      for (const said of reasonsOf(own as Told[])) assert.ok(reasons[name]!.includes(said), `${name}: ${said}`)
    }
    const ofTensors = predictions.filter((one) => one['model'] === 'tensors').map((one) => one['outcome'])
    assert.deepEqual(ofTensors, ['served', 'failed', 'served'])
    const ofOvertime = predictions.filter((one) => one['model'] === 'overtime')
    assert.deepEqual(reasonsOf(ofOvertime as Told[]), ['LATE'])
    await overHttp(mill, reasons)
    const counted = [...mill.answers.all].filter(({ topic }) => topic === 'predictions')
    assert.equal(
      counted.reduce((total, one) => total + one.total, 0),
      models.length * events.length,
    )
    assert.doesNotMatch(JSON.stringify(predictions), /hush/)
  } finally {
    await mill.close()
  }
})

async function overHttp(mill: Mill, reasons: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
  const post = async (body: string) => {
    const headers = { 'content-type': 'application/json' }
    return await fetch(`${server.address}/v1/predict`, { method: 'POST', headers, body })
  }
  try {
    const entities = events.map(({ user }) => ({ user }))
    for (const [name, allowed] of Object.entries(reasons)) {
      const answer = await post(JSON.stringify({ model: name, entities, asOf: atMs + 10, deadlineMs: 60_000 }))
      assert.equal(answer.status, 200, name)
      const { predictions } = (await answer.json()) as { predictions: Told[] }
      assert.equal(predictions.length, events.length)
      for (const said of reasonsOf(predictions)) assert.ok(allowed.includes(said), `${name}: ${said}`)
    }
    for (const poison of ['{"model":', '{"model":"well","entities":[{"user":{}}]}', '{"model":"none","entities":[]}']) {
      const { status } = await post(poison)
      assert.ok(status >= 400 && status < 500, `${poison}: ${status}`)
    }
    const metrics = await (await fetch(`${server.address}/metrics`)).text()
    // Three events, and three entities over HTTP.
    assert.match(metrics, /^millrace_predictions_total\{[^}]*model="not_a_number"[^}]*outcome="failed"[^}]*\} 6$/m)
    assert.match(metrics, /^millrace_predictions_total\{[^}]*model="well"[^}]*outcome="served"[^}]*\} 6$/m)
  } finally {
    await server.close()
  }
}

test('versions that change while requests of the log are answered: each has one answer, all of the version it names', async (t) => {
  const live = model('live', { input, from: registry(), output: { score: float() } })
  const options = { definitions: [input], models: [live], partitions: 1, answerRequests: true }
  const mill = await millrace({ ...options, folder: await folderFor(t) })
  try {
    await mill.send(payments, events)
    await mill.caughtUp()
    const biases = [1, -1]
    for (const bias of biases) {
      const description = {
        declaration: declareModel(live),
        metrics: {},
        tags: {},
        training: null,
        golden: null,
        source: null,
      }
      await mill.modelVersions.push({ model: 'live', description, artefact: logistic([0, 0], bias) })
    }
    await mill.modelVersions.promote('live', 1)
    const [rounds, each] = [12, 20]
    const ask = async (round: number): Promise<void> => {
      const requests = Array.from({ length: each }, (_, index) => ({
        request_id: `r${round * each + index}`,
        model: 'live',
        keys: { user: (index % 2) * 2 },
        as_of: atMs + 10,
      }))
      const records = requests.map((one) => ({ key: null, value: Buffer.from(JSON.stringify(one)), timestampMs: atMs }))
      await mill.log.append('inference-requests', 0, records)
    }
    for (let round = 0; round < rounds; round++) {
      const asked = ask(round)
      await mill.modelVersions.promote('live', 2 - (round % 2))
      await asked
    }
    await mill.answering!.caughtUp()
    const predictions = await read(mill, 'predictions')
    assert.deepEqual(
      predictions.map((one) => one['request_id']),
      Array.from({ length: rounds * each }, (_, index) => `r${index}`),
    )
    for (const one of predictions) {
      const expected = 1 / (1 + Math.exp(-biases[(one['model_version'] as number) - 1]!))
      assert.ok(Math.abs((one['prediction'] as number) - expected) < 1e-6, JSON.stringify(one))
    }
  } finally {
    await mill.close()
  }
})
