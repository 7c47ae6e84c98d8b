// Goal: the routes of the registry take what they document, and nothing else.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { MillraceError } from '../../../src/base/faults.ts'
import { type HttpAnswer, type HttpServer, makeHttpServer } from '../../../src/serve/http/http-server.ts'
import { FakeHttpService, fakeVersion } from './fake-http-service.ts'

let service: FakeHttpService
let server: HttpServer
let answers: HttpAnswer[]

beforeEach(() => {
  service = new FakeHttpService()
  answers = []
  const limits = { applyBytesMax: 1_000 }
  server = makeHttpServer(service, { limits, observe: (answer) => answers.push(answer) })
})
afterEach(() => server.close())

type Body = { readonly error?: { readonly code: string; readonly message: string } }

async function call(method: 'GET' | 'POST', url: string, payload?: string, type = 'application/json') {
  const body = payload === undefined ? {} : { payload, headers: { 'content-type': type } }
  const response = await server.inject({ method, url, ...body })
  return { status: response.statusCode, body: response.json<Body & Record<string, unknown>>() }
}

test('the state and single versions are read', async () => {
  const state = await call('GET', '/v1/registry')
  assert.deepEqual([state.status, state.body['applied'], state.body['building']], [200, fakeVersion, null])
  const version = await call('GET', '/v1/registry/7')
  assert.deepEqual([version.status, version.body['number'], version.body['definitions']], [200, 7, {}])
  for (const path of ['x', '-1', '1.5', '1e3', '12345678901']) {
    const refused = await call('GET', `/v1/registry/${path}`)
    assert.deepEqual([refused.status, refused.body.error?.code], [400, 'REQUEST_MALFORMED'], path)
  }
  assert.deepEqual(
    answers.slice(0, 2).map(({ route }) => route),
    ['GET /v1/registry', 'GET /v1/registry/:number'],
  )
})

test('definitions and rollbacks are handed over as they came', async () => {
  const definitions = { version: 1, __proto__: null, anything: [1, { deep: true }] }
  const applied = await call('POST', '/v1/registry', JSON.stringify({ definitions, expected: 3, note: 'why' }))
  assert.deepEqual(applied, {
    status: 200,
    body: { version: fakeVersion, changed: true, difference: ['new view spending'], stopped: [] },
  })
  await call('POST', '/v1/registry', JSON.stringify({ rollback: 2, expected: 3, allowIncompatible: true }))
  assert.deepEqual(service.applied, [
    {
      change: { definitions: { version: 1, anything: [1, { deep: true }] } },
      expected: 3,
      note: 'why',
      allowIncompatible: false,
    },
    { change: { rollback: 2 }, expected: 3, allowIncompatible: true },
  ])
  assert.equal(answers[0]!.route, 'POST /v1/registry')
})

const malformed: readonly string[] = [
  '',
  '{',
  'null',
  '[]',
  '{}',
  '{"expected":1}',
  '{"definitions":{}}',
  '{"definitions":{},"rollback":1,"expected":1}',
  '{"definitions":{},"expected":"1"}',
  '{"definitions":{},"expected":-1}',
  '{"definitions":{},"expected":1.5}',
  '{"definitions":{},"expected":null}',
  '{"rollback":"1","expected":1}',
  '{"rollback":null,"expected":1}',
  '{"definitions":{},"expected":1,"note":1}',
  '{"definitions":{},"expected":1,"allowIncompatible":"yes"}',
  '{"definitions":{},"expected":1,"force":true}',
  '{"definitions":{},"expected":1,"__proto__":{"allowIncompatible":true}}',
  '{"__proto__":{"definitions":{},"expected":1}}',
]

for (const payload of malformed) {
  test(`refused before anyone is asked: ${payload}`, async () => {
    const { status, body } = await call('POST', '/v1/registry', payload)
    assert.deepEqual([status, body.error?.code], [400, 'REQUEST_MALFORMED'])
    assert.deepEqual(service.applied, [])
  })
}

test('a body that is too large, or that a web page of anyone could send, is refused', async () => {
  const large = await call('POST', '/v1/registry', JSON.stringify({ definitions: 'x'.repeat(1_000), expected: 1 }))
  assert.deepEqual([large.status, large.body.error?.code], [413, 'REQUEST_TOO_LARGE'])
  const plain = await call('POST', '/v1/registry', '{"rollback":1,"expected":2}', 'text/plain')
  assert.deepEqual([plain.status, plain.body.error?.code], [415, 'REQUEST_TYPE_UNSUPPORTED'])
  assert.deepEqual(service.applied, [])
})

const faults: readonly (readonly [number, MillraceError])[] = [
  [409, new MillraceError('REGISTRY_CONFLICT', { expected: 1, number: 2, at: 'now', difference: '  new view x' })],
  [422, new MillraceError('REGISTRY_INCOMPATIBLE', { count: 1, list: '  removed service x' })],
  [422, new MillraceError('DEFINITION', { count: 1, list: '  x' })],
  [400, new MillraceError('DEFINITIONS_MALFORMED', { path: 'views', came: 'nothing', allowed: 'an array' })],
  [404, new MillraceError('REGISTRY_NUMBER_UNKNOWN', { number: 9, versions: '1 to 2' })],
]

for (const [status, fault] of faults) {
  test(`${fault.code} is answered with ${status}`, async () => {
    service.failure = fault
    const answer = await call('POST', '/v1/registry', '{"rollback":1,"expected":2}')
    assert.deepEqual(
      [answer.status, answer.body.error?.code, answer.body.error?.message],
      [status, fault.code, fault.message],
    )
  })
}

test('nothing is applied by a process that is not ready', async () => {
  service.readyReasons = ['shutting down']
  const { status } = await call('POST', '/v1/registry', '{"rollback":1,"expected":2}')
  assert.equal(status, 503)
  assert.deepEqual(service.applied, [])
})
