// Goal: the routes of the registry of models take what they document, and nothing else.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientRequest, request as httpRequest } from 'node:http'
import { afterEach, beforeEach, test } from 'node:test'
import { MillraceError } from '../../../src/base/faults.ts'
import { type HttpAnswer, type HttpServer, makeHttpServer } from '../../../src/serve/http/http-server.ts'
import { FakeHttpService } from './fake-http-service.ts'

let service: FakeHttpService
let server: HttpServer
let answers: HttpAnswer[]

beforeEach(() => {
  service = new FakeHttpService()
  answers = []
  const limits = { pushBytesMax: 1_000 }
  server = makeHttpServer(service, { limits, observe: (answer) => answers.push(answer) })
})
afterEach(() => server.close())

const modelType = 'application/vnd.millrace.model.v1'
type Body = { readonly error?: { readonly code: string; readonly message: string } }

async function call(method: 'GET' | 'POST', url: string, payload?: string | Buffer, type = 'application/json') {
  const body = payload === undefined ? {} : { payload, headers: { 'content-type': type } }
  const response = await server.inject({ method, url, ...body })
  return { status: response.statusCode, body: response.json<Body & Record<string, unknown>>() }
}

test('models are listed, and one of them is shown', async () => {
  assert.deepEqual((await call('GET', '/v1/models')).body, { models: [{ name: 'fraud' }] })
  assert.deepEqual((await call('GET', '/v1/models/fraud')).body, { name: 'fraud' })
  assert.deepEqual(
    answers.map(({ route }) => route),
    ['GET /v1/models', 'GET /v1/models/:model'],
  )
})

test('a push is a line of JSON and the artefact as it is, whatever bytes it has', async () => {
  const artefact = Buffer.from([0, 10, 255, 13, 10, 123])
  const head = Buffer.from('{"description":{"metrics":{"auc":1}},"expected":3,"note":"why"}\n')
  const pushed = await call('POST', '/v1/models/fraud/versions', Buffer.concat([head, artefact]), modelType)
  assert.equal(pushed.status, 200)
  const description = { metrics: { auc: 1 } }
  assert.deepEqual(service.pushed, [{ model: 'fraud', description, artefact, expected: 3, note: 'why' }])
})

test('what is no push is refused, and so is one that is too large', async () => {
  const refused = async (body: string, type = modelType) => {
    const { status, body: answer } = await call('POST', '/v1/models/fraud/versions', body, type)
    return [status, answer.error?.code]
  }
  for (const body of ['', '{}', '{"description":{}}', '[]\nx', '{"descriptions":{}}\nx', '{"expected":-1}\nx']) {
    assert.deepEqual(await refused(body), [400, 'REQUEST_MALFORMED'], body)
  }
  assert.deepEqual(await refused('{}\nx', 'application/json'), [415, 'REQUEST_TYPE_UNSUPPORTED'])
  assert.deepEqual(await refused(`{}\n${'x'.repeat(1_000)}`), [413, 'REQUEST_TOO_LARGE'])
  assert.deepEqual(service.pushed, [])
})

test('there is one push at a time; the next one comes when it is done, or when its body does not come', async () => {
  const address = await server.listen(0, '127.0.0.1')
  const whole = '{"description":{}}\nx'
  const begin = (announced: number, more = {}): { request: ClientRequest; status: Promise<number> } => {
    const headers = { 'content-type': modelType, 'content-length': announced, ...more }
    const request = httpRequest(`${address}/v1/models/fraud/versions`, { method: 'POST', headers, agent: false })
    request.write(whole)
    const status = new Promise<number>((resolve, reject) => {
      request.on('error', reject).on('response', (response) => resolve(response.resume().statusCode!))
    })
    return { request, status }
  }
  const push = async (): Promise<number> => {
    const { request, status } = begin(whole.length)
    request.end()
    return await status
  }
  const open = Promise.withResolvers<void>()
  service.gate = open.promise
  const first = push()
  while (service.pushesBegun === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.equal(await push(), 503)
  open.resolve()
  assert.equal(await first, 200)
  assert.equal(await push(), 200)
  // Its last byte is missing.
  const half = begin(whole.length + 1, { expect: '100-continue' })
  await once(half.request, 'continue')
  assert.equal(await push(), 503)
  half.request.destroy()
  await assert.rejects(half.status)
  while ((await push()) !== 200);
})

test('versions are promoted, rolled back and retired as they were asked to be', async () => {
  for (const body of [
    '{"promote":2}',
    '{"promote":2,"to":"shadow","expected":4,"note":"why"}',
    '{"rollback":true}',
    '{"retire":1}',
    '{"retire":1,"allowLive":true}',
  ]) {
    assert.equal((await call('POST', '/v1/models/fraud', body)).status, 200, body)
  }
  const model = 'fraud'
  assert.deepEqual(service.changed, [
    { model, action: { promote: 2, to: 'live' } },
    { model, action: { promote: 2, to: 'shadow' }, expected: 4, note: 'why' },
    { model, action: { rollback: true } },
    { model, action: { retire: 1, allowLive: false } },
    { model, action: { retire: 1, allowLive: true } },
  ])
})

test('what says nothing, two things, or something else is refused', async () => {
  for (const body of [
    '{}',
    '{"promote":"2"}',
    '{"promote":1.5}',
    '{"promote":2,"to":"retired"}',
    '{"to":"live"}',
    '{"rollback":1}',
    '{"rollback":true,"retire":1}',
    '{"retire":1,"allowLive":1}',
    '{"rollback":true,"allowLive":true}',
    '{"promote":2,"note":1}',
    '{"promote":2,"force":true}',
    '{"__proto__":{"promote":2}}',
  ]) {
    const { status, body: answer } = await call('POST', '/v1/models/fraud', body)
    assert.deepEqual([status, answer.error?.code], [400, 'REQUEST_MALFORMED'], body)
  }
  assert.deepEqual(service.changed, [])
})

test('what the registry throws is answered with its code', async () => {
  const cases: readonly [MillraceError, number][] = [
    [new MillraceError('MODEL_VERSION_UNKNOWN', { model: 'fraud', version: 9, versions: 2 }), 404],
    [new MillraceError('MODEL_CONFLICT', { model: 'fraud', expected: 1, number: 2, list: '' }), 409],
    [new MillraceError('MODEL_CHANGE_REFUSED', { model: 'fraud', what: 'it', detail: '' }), 409],
    [new MillraceError('MODEL_GOLDEN_FAILED', { model: 'fraud', version: 1, detail: '' }), 422],
  ]
  for (const [fault, status] of cases) {
    service.failure = fault
    const answer = await call('POST', '/v1/models/fraud', '{"promote":2}')
    assert.deepEqual([answer.status, answer.body.error?.code], [status, fault.code])
  }
})
