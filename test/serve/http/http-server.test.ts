// Goal: the HTTP interface keeps what it documents, also for requests that are wrong, too large or too late.
// Method: a service that remembers what it was asked; most requests without a socket, what concerns connections with.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { MillraceError } from '../../../src/base/faults.ts'
import { type HttpAnswer, type HttpServer, makeHttpServer } from '../../../src/serve/http/http-server.ts'
import { FakeHttpService } from './fake-http-service.ts'

type Json = { [name: string]: unknown }

let service: FakeHttpService
let server: HttpServer
let answers: HttpAnswer[]
let errors: Json[]

beforeEach(() => {
  service = new FakeHttpService()
  answers = []
  errors = []
  server = makeHttpServer(service, {
    limits: { bodyBytesMax: 2000, eventsMax: 5, eventBytesMax: 300, readBytesMax: 1000, entitiesMax: 3 },
    observe: (answer) => answers.push(answer),
    logger: { error: (fields) => errors.push({ ...fields }) },
  })
})
afterEach(() => server.close())

async function post(url: string, payload: string | Buffer, headers: Record<string, string> = {}) {
  const response = await server.inject({
    method: 'POST',
    url,
    payload,
    headers: { 'content-type': 'application/json', ...headers },
  })
  return { status: response.statusCode, body: response.json<Json>(), headers: response.headers }
}

async function get(url: string) {
  const response = await server.inject({ method: 'GET', url })
  return { status: response.statusCode, text: response.body, headers: response.headers }
}

function codeOf(body: Json): unknown {
  const { error } = body as { error: { code: string; message: string; hint: string } }
  assert.ok(error.message.length > 0 && error.hint.length > 0)
  assert.ok(!JSON.stringify(body).includes('    at '), 'no stack trace')
  return error.code
}

describe('POST /v1/events/:stream', () => {
  test('hands over one object as it came, and answers with where it lies', async () => {
    const { status, body, headers } = await post('/v1/events/payments', ' {"amount": 1.10,  "note":"ü"}\n')
    assert.equal(status, 202)
    assert.deepEqual(body, { accepted: 1, offsets: [{ partition: 0, offset: 0 }] })
    assert.deepEqual(service.bodies, ['{"amount": 1.10,  "note":"ü"}'])
    assert.equal(headers['content-type'], 'application/json; charset=utf-8')
  })

  test('hands over the elements of an array and the lines of NDJSON as they came', async () => {
    await post('/v1/events/payments', '[{"amount":1.0}, {"amount" :2e0}]')
    for (const type of ['application/x-ndjson', 'application/ndjson; charset=utf-8']) {
      const { status, body } = await post('/v1/events/payments', '{"amount":3}\r\n\n{"amount": 4}', {
        'content-type': type,
      })
      assert.equal(status, 202)
      assert.equal(body['accepted'], 2)
    }
    assert.deepEqual(service.bodies.slice(0, 4), ['{"amount":1.0}', '{"amount" :2e0}', '{"amount":3}', '{"amount": 4}'])
  })

  test('reports every fault of every refused event, and that the others are kept', async () => {
    const { status, body } = await post('/v1/events/payments', '[{"amount":1},{},{"amount":2},{"amount":tru}]')
    assert.equal(status, 422)
    assert.equal(codeOf(body), 'EVENT_REFUSED')
    assert.equal(body['accepted'], 2)
    assert.equal(body['refused'], 2)
    assert.deepEqual(body['faults'], [
      { index: 1, code: 'MISSING', path: 'amount', came: 'nothing', allowed: 'a number' },
      { index: 1, code: 'MISSING', path: 'at', came: 'nothing', allowed: 'an instant' },
      { index: 3, code: 'JSON', path: '', came: 'text that is not JSON', allowed: 'one JSON object' },
    ])
    assert.deepEqual(body['offsets'], [
      { partition: 0, offset: 0, accepted: true },
      { partition: 1, offset: 1, accepted: false },
      { partition: 0, offset: 2, accepted: true },
      { partition: 1, offset: 3, accepted: false },
    ])
    assert.equal(
      (body['error'] as Json)['message'],
      '2 event(s) for stream "payments" are refused; the first is number 1: "amount" MISSING: nothing, allowed a number',
    )
  })

  const wrong: readonly [name: string, body: string, type: string, status: number, code: string][] = [
    ['a malformed array', '[{"amount":1},]', 'application/json', 400, 'REQUEST_MALFORMED'],
    ['no body', '', 'application/json', 400, 'REQUEST_MALFORMED'],
    ['a number', '7', 'application/json', 400, 'REQUEST_MALFORMED'],
    ['NDJSON without a line', '\n', 'application/x-ndjson', 400, 'REQUEST_MALFORMED'],
    ['text/plain', '{"amount":1}', 'text/plain', 415, 'REQUEST_TYPE_UNSUPPORTED'],
    ['a form', 'amount=1', 'application/x-www-form-urlencoded', 415, 'REQUEST_TYPE_UNSUPPORTED'],
    ['a malformed type', '{"amount":1}', ';;', 415, 'REQUEST_TYPE_UNSUPPORTED'],
    ['a type that only begins alike', '{"amount":1}', 'application/jsonp', 415, 'REQUEST_TYPE_UNSUPPORTED'],
    ['more events than allowed', '{}\n{}\n{}\n{}\n{}\n{}', 'application/ndjson', 413, 'REQUEST_TOO_LARGE'],
    ['an event larger than allowed', `{"a":"${'x'.repeat(300)}"}`, 'application/json', 413, 'REQUEST_TOO_LARGE'],
    ['a body larger than allowed', `[${'{"amount":1},'.repeat(200)}{}]`, 'application/json', 413, 'REQUEST_TOO_LARGE'],
  ]
  for (const [name, body, type, status, code] of wrong) {
    test(`answers ${status} to ${name}, and keeps nothing`, async () => {
      const answer = await post('/v1/events/payments', body, { 'content-type': type })
      assert.equal(answer.status, status)
      assert.equal(codeOf(answer.body), code)
      assert.deepEqual(service.bodies, [])
    })
  }

  test('answers 415 to a compressed body', async () => {
    const { status, body } = await post('/v1/events/payments', 'x', { 'content-encoding': 'gzip' })
    assert.equal(status, 415)
    assert.match((body['error'] as Json)['message'] as string, /application\/json, compressed/)
  })

  test('answers 404 to an unknown stream, with the nearest name', async () => {
    const { status, body } = await post('/v1/events/paymnets', '{"amount":1}')
    assert.equal(status, 404)
    assert.equal(codeOf(body), 'NAME_UNDECLARED')
    assert.match((body['error'] as Json)['hint'] as string, /nearest name is "payments"/)
  })

  test('answers 503 with a time to wait while not ready, before it looks at the body', async () => {
    service.readyReasons = ['recovering partition 3']
    const { status, body, headers } = await post('/v1/events/payments', 'nonsense')
    assert.equal(status, 503)
    assert.equal(headers['retry-after'], '1')
    assert.equal(codeOf(body), 'SERVICE_NOT_READY')
    assert.match((body['error'] as Json)['message'] as string, /recovering partition 3/)
    assert.deepEqual(errors, [])
  })
})

describe('POST /v1/features', () => {
  const body = '{"service":"fraud_v1","entities":[{"customerId":1},{"customerId":2}]}'

  test('answers values in the order of the names, with status, age and prefix', async () => {
    const { status, body: answer } = await post('/v1/features', body)
    assert.equal(status, 200)
    assert.deepEqual(answer, {
      service: 'fraud_v1',
      asOf: 1000,
      features: ['customer_spending:payments_1d', 'customer_spending:amount_mean_30d'],
      rows: [1, 2].map(() => ({ asOf: 1000, values: [3, null], status: ['PRESENT', 'NULL_VALUE'], ageMs: [5, 5] })),
      prefix: { payments: [7, 8] },
    })
    assert.deepEqual(service.reads, [
      { target: { service: 'fraud_v1' }, entities: [{ customerId: 1 }, { customerId: 2 }], full: true },
    ])
  })

  test('answers values only when that is asked for', async () => {
    const { body: answer } = await post('/v1/features', '{"service":"s","entities":[{}],"full":false}')
    assert.deepEqual(answer['rows'], [{ asOf: 1000, values: [3, null] }])
  })

  test('says what came and what is allowed of a malformed request', async () => {
    const { status, body: answer } = await post('/v1/features', '{"service":"s","entities":[7]}')
    assert.equal(status, 400)
    assert.equal(codeOf(answer), 'REQUEST_MALFORMED')
    assert.equal((answer['error'] as Json)['message'], 'the request is refused: "entities" 0 is number 7')
  })

  test('takes no NDJSON, no larger body and no more entities than the limits', async () => {
    const ndjson = await post('/v1/features', body, { 'content-type': 'application/x-ndjson' })
    assert.deepEqual([ndjson.status, codeOf(ndjson.body)], [415, 'REQUEST_TYPE_UNSUPPORTED'])
    const large = await post('/v1/features', `${body}${' '.repeat(1000)}`)
    assert.deepEqual([large.status, codeOf(large.body)], [413, 'REQUEST_TOO_LARGE'])
    assert.match((large.body['error'] as Json)['message'] as string, /at most 1000/)
    const many = await post('/v1/features', '{"service":"s","entities":[{},{},{},{}]}')
    assert.deepEqual([many.status, codeOf(many.body)], [413, 'REQUEST_TOO_LARGE'])
  })

  const faults: readonly [MillraceError, number][] = [
    [
      new MillraceError('KEY_MALFORMED', {
        name: 'customerId',
        entity: 'customer',
        came: 'missing',
        allowed: 'an int',
      }),
      400,
    ],
    [new MillraceError('AS_OF_TOO_OLD', { view: 'v', horizon: '1h', newest: 'x', asOf: 'y' }), 400],
    [new MillraceError('NAME_UNDECLARED', { kind: 'service', name: 'x', declared: 'y', nearest: 'y' }), 404],
    [new MillraceError('ENGINE_STOPPED', { detail: 'a cause' }), 503],
    [new MillraceError('STORE_WRITE_FAILED', { folder: 'f', detail: 'd' }), 503],
    [new MillraceError('STATE_FOREIGN', { folder: 'f', what: 'w', stored: 's', current: 'c' }), 500],
  ]
  for (const [fault, status] of faults) {
    test(`answers ${status} to ${fault.code}`, async () => {
      service.failure = fault
      const { status: came, body: answer } = await post('/v1/features', body)
      assert.deepEqual([came, codeOf(answer)], [status, fault.code])
      assert.equal(errors.length, status >= 500 ? 1 : 0)
    })
  }

  test('tells nothing of an unexpected error but a request id, which the log has too', async () => {
    service.failure = new Error('secret path /var/lib/x')
    const { status, body: answer, headers } = await post('/v1/features', body, { 'x-request-id': 'from-client:1' })
    assert.deepEqual([status, codeOf(answer)], [500, 'INTERNAL'])
    assert.ok(!JSON.stringify(answer).includes('secret'))
    assert.equal((answer['error'] as Json)['requestId'], 'from-client:1')
    assert.equal(headers['x-request-id'], 'from-client:1')
    assert.equal(errors[0]!['requestId'], 'from-client:1')
    assert.equal(errors[0]!['error'], service.failure)
  })
})

describe('every route', () => {
  test('health, readiness and metrics answer by themselves', async () => {
    assert.deepEqual([(await get('/health')).status, (await get('/ready')).status], [200, 200])
    const metrics = await get('/metrics')
    assert.deepEqual(
      [metrics.text, metrics.headers['content-type']],
      ['up 1\n', 'text/plain; version=0.0.4; charset=utf-8'],
    )
    service.healthReasons = ['the engine has stopped']
    service.readyReasons = ['starting']
    const [health, ready] = [await get('/health'), await get('/ready')]
    assert.deepEqual([health.status, ready.status], [503, 503])
    assert.match(health.text, /the engine has stopped/)
    assert.match(ready.text, /starting/)
  })

  test('an unknown route is answered with those that there are', async () => {
    for (const [method, url] of [
      ['GET', '/v1/events/payments'],
      ['POST', '/nothing?x=1'],
      ['DELETE', '/v1/features'],
    ] as const) {
      const response = await server.inject({ method, url })
      assert.equal(response.statusCode, 404)
      assert.equal(codeOf(response.json()), 'ROUTE_UNKNOWN')
    }
  })

  test('a path that is not encoded UTF-8 is answered in the same shape', async () => {
    const { status, body } = await post('/v1/events/%ff%fe', '{}')
    assert.deepEqual([status, codeOf(body)], [400, 'REQUEST_MALFORMED'])
  })

  test('gives ids of its own where the client sends none or a strange one', async () => {
    const ids = [await get('/health'), await get('/health')].map(({ headers }) => headers['x-request-id'])
    assert.equal(new Set(ids).size, 2)
    const strange = await post('/v1/features', '{}', { 'x-request-id': 'a b\u00e9' })
    assert.match(strange.headers['x-request-id'] as string, /^r\d+$/)
  })

  test('tells the route and status of every answer, never the path', async () => {
    await post('/v1/events/payments', '{"amount":1}')
    await post('/v1/features', '{}')
    await get('/secret/4711')
    assert.deepEqual(
      answers.map(({ route, status }) => `${route} ${status}`),
      ['POST /v1/events/:stream 202', 'POST /v1/features 400', 'unknown 404'],
    )
    assert.ok(answers.every(({ seconds }) => seconds >= 0 && seconds < 10))
  })
})

describe('on real sockets', { timeout: 20_000 }, () => {
  test('listens, answers, and is gone after close', async () => {
    const address = await server.listen(0, '127.0.0.1')
    assert.equal(server.address, address)
    const response = await fetch(`${address}/v1/events/payments`, {
      method: 'POST',
      body: '{"amount":1}',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(response.status, 202)
    assert.equal(service.bodies.length, 1)
    await response.body?.cancel()
    await server.close()
    await assert.rejects(fetch(`${address}/health`))
  })

  test('close answers what is under way, refuses what comes after it on open connections, and ends them', async () => {
    const address = await server.listen(0, '127.0.0.1')
    const opened = Promise.withResolvers<void>()
    service.gate = opened.promise
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const slow = send(address, agent, 'POST', '/v1/events/payments', '{"amount":1}')
    const other = connect(Number(new URL(address).port), '127.0.0.1')
    await once(other, 'connect')
    // Half a request before close and half after it: it was under way, but had not been taken yet.
    other.write('GET /ready HTTP/1.1\r\n')
    await send(address, new Agent(), 'GET', '/health', '')
    let closed = false
    const closing = server.close().then(() => {
      closed = true
    })
    other.write('host: x\r\n\r\n')
    const [late] = (await once(other, 'data')) as [Buffer]
    assert.match(late.toString(), /^HTTP\/1\.1 503 /)
    assert.match(late.toString(), /connection: close/i)
    assert.match(late.toString(), /SERVICE_NOT_READY/)
    assert.equal(closed, false)
    opened.resolve()
    const answer = await slow
    assert.equal(answer.status, 202)
    assert.equal(answer.connection, 'close')
    await closing
    assert.equal(service.bodies.length, 1)
    agent.destroy()
  })

  test('a body without a size is cut off at the limit', async () => {
    const address = await server.listen(0, '127.0.0.1')
    const request = httpRequest(`${address}/v1/events/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    })
    request.write(`[${'{"amount":1},'.repeat(200)}`)
    request.on('error', () => {
      // The server may close the connection before the rest is written.
    })
    const [response] = (await once(request, 'response')) as [{ statusCode: number }]
    assert.equal(response.statusCode, 413)
    request.destroy()
    assert.deepEqual(service.bodies, [])
  })

  test('bytes that are no HTTP are answered in the same shape', async () => {
    const address = await server.listen(0, '127.0.0.1')
    const socket = connect(Number(new URL(address).port), '127.0.0.1')
    socket.write('this is no request\r\n\r\n')
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/)
    assert.equal(codeOf(JSON.parse(text.slice(text.indexOf('\r\n\r\n'))) as Json), 'REQUEST_MALFORMED')
  })
})

type Sent = { readonly status: number; readonly connection: string | undefined }

async function send(...[address, agent, method, path, body]: [string, Agent, string, string, string]): Promise<Sent> {
  const headers = body === '' ? {} : { 'content-type': 'application/json' }
  const request = httpRequest(`${address}${path}`, { agent, method, headers })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return { status: response.statusCode!, connection: response.headers.connection }
}
