// Goal: a server's answers are those of its formula; slow, dead, half answering and lying ones each have their outcome.
// Method: a server in this process that does as it is told. Real ones are in test/model/remote/python.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Clock, systemClock } from '../../../src/base/clock.ts'
import { type OpenInferenceOptions, openInference } from '../../../src/definition/remote-model.ts'
import { openRemoteRunner, type RemoteRunner } from '../../../src/model/remote/remote-runner.ts'
import type { RunResult } from '../../../src/model/runner.ts'
import {
  type Behaviour,
  metadata,
  openInferenceServer,
  planOf,
  scoreOf,
  send,
  startModelServer,
} from './model-server.ts'

type Given = { readonly behave?: Behaviour; readonly clock?: Clock } & Partial<OpenInferenceOptions>

async function open(t: TestContext, { behave = openInferenceServer, clock = systemClock, ...options }: Given = {}) {
  const server = await startModelServer(behave)
  t.after(() => server.close())
  const from = openInference({ url: server.url, model: 'fraud', ...options })
  const runner = await openRemoteRunner(planOf(from), { clock, environment: { TOKEN: 'Bearer secret' } })
  t.after(() => runner.close())
  return { server, runner }
}

const rows = { size: 3, width: 2, values: [1, 2, -1, 0.5, 0, 100] }
const expected = [scoreOf(1, 2), scoreOf(-1, 0.5), scoreOf(0, 100)]

const outputsOf = (results: readonly RunResult[]): unknown[] =>
  results.map((result) => ('outputs' in result ? result.outputs[0] : result.failure.reason))

/** A good server that answers predictions in another way. */
const answering =
  (answer: Behaviour): Behaviour =>
  (request, body, response) =>
    (request.method === 'GET' ? openInferenceServer : answer)(request, body, response)

async function failureOf(runner: RemoteRunner): Promise<{ reason: string; detail: string }> {
  const [first] = await runner.run(rows)
  assert.ok(first !== undefined && 'failure' in first)
  return first.failure
}

test('rows are scored over JSON, exactly, on a connection that is kept', async (t) => {
  const { server, runner } = await open(t)
  for (let count = 0; count < 3; count++) assert.deepEqual(outputsOf(await runner.run(rows)), expected)
  assert.equal(server.connections, 1)
  assert.deepEqual(server.asked, ['/v2/models/fraud', ...Array.from({ length: 3 }, () => '/v2/models/fraud/infer')])
  const { seconds, ...counts } = runner.counts
  assert.deepEqual(counts, { answered: 3, failed: new Map(), repeated: 0 })
  assert.equal(
    Array.from(seconds.counts).reduce((sum, count) => sum + count),
    3,
  )
})

test('tensors as bytes give the same bits, and carry what is missing as NaN', async (t) => {
  const { server, runner } = await open(t, { binary: true, version: '3' })
  assert.deepEqual(outputsOf(await runner.run(rows)), expected)
  assert.equal(server.asked.at(-1), '/v2/models/fraud/versions/3/infer')
  const [missing] = await runner.run({ size: 1, width: 2, values: [null, 1] })
  assert.ok(missing !== undefined && 'outputs' in missing && Number.isNaN(missing.outputs[0]))
})

test('JSON has no NaN: a row with something missing fails by itself', async (t) => {
  const { runner } = await open(t)
  const results = await runner.run({ size: 2, width: 2, values: [null, 1, 1, 2] })
  assert.deepEqual(outputsOf(results), ['INPUT_UNUSABLE', expected[0]])
})

test('many requests at once share a bounded number of connections', async (t) => {
  const { server, runner } = await open(t, { connectionsMax: 2, timeoutMs: 5_000 })
  const all = await Promise.all(Array.from({ length: 50 }, () => runner.run(rows)))
  for (const results of all) assert.deepEqual(outputsOf(results), expected)
  assert.equal(server.connections, 2)
})

test('secrets come from the environment, and one that is not there is a fault', async (t) => {
  const seen: unknown[] = []
  const headersFrom = { Authorization: 'TOKEN' }
  const behave: Behaviour = (request, body, response) => {
    seen.push(request.headers.authorization)
    openInferenceServer(request, body, response)
  }
  const { runner } = await open(t, { headersFrom, behave })
  await runner.run(rows)
  assert.deepEqual(seen, ['Bearer secret', 'Bearer secret'])
  await assert.rejects(open(t, { headersFrom: { authorization: 'OTHER' } }), {
    code: 'MODEL_REFUSED',
    message: /environment variable OTHER, which is not there/,
  })
})

const misfits: readonly [string, object, RegExp][] = [
  ['another model', { ...metadata, name: 'other' }, /name is "other", and fraud was asked/],
  ['no inputs', { ...metadata, inputs: [] }, /names no inputs/],
  ['another width', { ...metadata, inputs: [{ ...metadata.inputs[0]!, shape: [-1, 3] }] }, /shape \[any, 3\]/],
  ['a text', { ...metadata, inputs: [{ ...metadata.inputs[0]!, datatype: 'BYTES' }] }, /input "x" is BYTES/],
  ['another output', { ...metadata, outputs: [{ ...metadata.outputs[0]!, name: 'p' }] }, /no output "score"/],
  ['an output of text', { ...metadata, outputs: [{ ...metadata.outputs[0]!, datatype: 'BYTES' }] }, /is BYTES/],
]
for (const [what, told, detail] of misfits) {
  test(`a server that says it has ${what} is refused when it is loaded`, async (t) => {
    const opening = open(t, { behave: (_request, _body, response) => send(response, told) })
    if (what === 'another model') {
      // What is not understood may be anything on its way: the check is made up for, and nothing is asked before.
      const { runner, server } = await opening
      const { reason, detail: came } = await failureOf(runner)
      assert.equal(reason, 'REMOTE_MALFORMED')
      assert.match(came, detail)
      assert.ok(!server.asked.some((path) => path.endsWith('infer')))
      return
    }
    await assert.rejects(opening, { code: 'MODEL_REFUSED', message: detail })
  })
}

const good = { model_name: 'fraud', model_version: '3' }
const score = { name: 'score', shape: [3], datatype: 'FP64', data: [0.1, 0.2, 0.3] }
const lies: readonly [string, unknown, string][] = [
  ['fewer rows', { ...good, outputs: [{ ...score, shape: [2], data: [0.1, 0.2] }] }, 'OUTPUT_SHAPE'],
  ['fewer values than its shape', { ...good, outputs: [{ ...score, data: [0.1] }] }, 'REMOTE_MALFORMED'],
  ['another output', { ...good, outputs: [{ ...score, name: 'other' }] }, 'OUTPUT_SHAPE'],
  ['no outputs', good, 'REMOTE_MALFORMED'],
  ['a list', [1, 2, 3], 'REMOTE_MALFORMED'],
  ['another model', { ...good, model_name: 'other', outputs: [score] }, 'REMOTE_MALFORMED'],
  ['another version', { ...good, model_version: '4', outputs: [score] }, 'REMOTE_MALFORMED'],
  ['an unknown type', { ...good, outputs: [{ ...score, datatype: 'FP8' }] }, 'REMOTE_MALFORMED'],
  ['a negative shape', { ...good, outputs: [{ ...score, shape: [-3] }] }, 'REMOTE_MALFORMED'],
]
for (const [what, answer, reason] of lies) {
  test(`an answer of ${what} is a failure of its rows`, async (t) => {
    const behave = answering((_request, _body, response) => send(response, answer))
    const { runner } = await open(t, { version: '3', behave })
    assert.deepEqual(outputsOf(await runner.run(rows)), [reason, reason, reason])
  })
}

test('text in place of a number, and no JSON at all, are not taken', async (t) => {
  const { runner, server } = await open(t, {
    behave: answering((_request, _body, response) =>
      send(response, { ...good, outputs: [{ ...score, data: ['1', 2, 3] }] }),
    ),
  })
  assert.deepEqual(outputsOf(await runner.run(rows)), ['1', 2, 3], 'the predictor checks types')
  server.behave = answering((_request, _body, response) => response.end('<html>'))
  assert.equal((await failureOf(runner)).reason, 'REMOTE_MALFORMED')
})

test('a server that refuses is not asked twice, and its words stay with the keeper', async (t) => {
  const behave = answering((_request, _body, response) => send(response, { error: 'secret path /srv' }, 400))
  const { runner, server } = await open(t, { behave })
  const failure = await failureOf(runner)
  assert.deepEqual([failure.reason, failure.detail], ['REMOTE_REFUSED', 'the server answered with status 400'])
  assert.equal(server.asked.length, 2)
  for (let count = 0; count < 30; count++) await runner.run(rows)
  assert.equal(runner.circuit, 'closed', 'it is there, and it answers')
})

test('a slow server is given up in time, also before a nearer deadline', async (t) => {
  const { runner } = await open(t, { behave: answering(() => undefined), timeoutMs: 200 })
  const startedAt = performance.now()
  assert.equal((await failureOf(runner)).reason, 'REMOTE_LATE')
  const tookMs = performance.now() - startedAt
  assert.ok(tookMs >= 190 && tookMs < 1_000, String(tookMs))
  const again = performance.now()
  assert.deepEqual(outputsOf(await runner.run(rows, 50)), ['REMOTE_LATE', 'REMOTE_LATE', 'REMOTE_LATE'])
  assert.ok(performance.now() - again < 180)
})

test('half an answer and then silence is late; half an answer and then nothing more is sent again', async (t) => {
  const { runner, server } = await open(t, {
    timeoutMs: 1_500,
    behave: answering((_request, _body, response) => {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write('{"model_name":')
    }),
  })
  assert.equal((await failureOf(runner)).reason, 'REMOTE_LATE')
  let broken = 0
  server.behave = answering((request, body, response) => {
    broken += 1
    if (broken > 1) {
      openInferenceServer(request, body, response)
      return
    }
    response.writeHead(200, { 'content-length': 1_000 })
    response.write('{"model_name":', () => response.destroy())
  })
  assert.deepEqual(outputsOf(await runner.run(rows)), expected)
  assert.equal(runner.counts.repeated, 1)
})

test('an answer without end is cut off', async (t) => {
  const { runner } = await open(t, {
    answerBytesMax: 100_000,
    behave: answering((_request, _body, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(' '.repeat(10_000)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    }),
  })
  assert.deepEqual(await failureOf(runner).then(({ reason, detail }) => [reason, detail]), [
    'REMOTE_MALFORMED',
    'the answer is too long',
  ])
})

test('a redirect is not followed: it would take the secrets along', async (t) => {
  const behave = answering((_request, _body, response) => {
    response.writeHead(302, { location: 'http://127.0.0.1:1/' })
    response.end()
  })
  const { runner } = await open(t, { behave })
  assert.equal((await failureOf(runner)).detail, 'the server answered with status 302')
})

test('a dead server costs the budget of repetitions once, then nothing is sent, until it is back and checked', async (t) => {
  let nowMs = 0
  const clock: Clock = { ...systemClock, elapsed: () => nowMs }
  const { runner, server } = await open(t, { clock, pauseMs: 1_000, timeoutMs: 60_000 })
  server.behave = (request) => request.socket.destroy()
  let reasons: unknown[] = []
  for (let count = 0; count < 20; count++) reasons = [...reasons, (await failureOf(runner)).reason]
  assert.deepEqual(reasons, [...Array<string>(5).fill('REMOTE_DOWN'), ...Array<string>(15).fill('CIRCUIT_OPEN')])
  assert.equal(runner.counts.repeated, 10)
  assert.equal(server.asked.length, 1 + 5 + 10)

  nowMs = 1_000
  assert.equal(runner.circuit, 'half open')
  server.behave = (_request, _body, response) => send(response, { ...metadata, outputs: [] })
  assert.match((await failureOf(runner)).detail, /does not fit: the server names no outputs/)
  assert.equal((await failureOf(runner)).reason, 'REMOTE_REFUSED', 'nothing is asked of a model that does not fit')

  server.behave = openInferenceServer
  assert.deepEqual(outputsOf(await runner.run(rows)), expected)
  assert.equal(runner.circuit, 'closed')
})

test('a server that is not there when this process starts is asked and checked once it is', async (t) => {
  const { runner, server } = await open(t, { behave: (request) => request.socket.destroy() })
  server.behave = openInferenceServer
  assert.deepEqual(outputsOf(await runner.run(rows)), expected)
  assert.deepEqual(server.asked.slice(-2), ['/v2/models/fraud', '/v2/models/fraud/infer'])
})
