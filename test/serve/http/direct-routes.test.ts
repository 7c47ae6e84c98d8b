// Goal: the requests that go past the framework are answered as the framework answers them, and no other goes past it.
// Method: the same requests by both ways, each to a service of its own; over a socket the direct routes come first,
// without one (`inject`) there is only the framework.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { MillraceError } from '../../../src/base/faults.ts'
import { type HttpAnswer, type HttpServer, makeHttpServer } from '../../../src/serve/http/http-server.ts'
import { FakeHttpService } from './fake-http-service.ts'

type Request = {
  readonly method?: string
  readonly url: string
  readonly body?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly failure?: unknown
  readonly notReady?: boolean
}
type Response = { status: number; headers: Record<string, unknown>; body: string }

const limits = { bodyBytesMax: 2000, eventsMax: 5, eventBytesMax: 300, readBytesMax: 1000, entitiesMax: 3 }
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function makeSide(): { service: FakeHttpService; server: HttpServer; answers: HttpAnswer[] } {
  const service = new FakeHttpService()
  const answers: HttpAnswer[] = []
  return { service, answers, server: makeHttpServer(service, { limits, observe: (answer) => answers.push(answer) }) }
}

const [direct, framework] = [makeSide(), makeSide()]
let address: string
before(async () => {
  address = await direct.server.listen(0, '127.0.0.1')
})
after(async () => {
  agent.destroy()
  await direct.server.close()
  await framework.server.close()
})

async function send({ method = 'POST', url, body = '', headers = {} }: Request): Promise<Response> {
  const request = httpRequest(`${address}${url}`, {
    method,
    agent,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
  })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces).toString() }
}

async function inject({ method = 'POST', url, body = '', headers = {} }: Request): Promise<Response> {
  const response = await framework.server.inject({
    method: method as 'POST',
    url,
    payload: body,
    headers: { 'content-type': 'application/json', ...headers },
  })
  return { status: response.statusCode, headers: response.headers, body: response.body }
}

const headersCompared = ['content-type', 'content-length', 'x-request-id', 'retry-after']

/** Sends one request by both ways, checks that all is alike, and says whether it went past the framework. */
async function compare(request: Request): Promise<boolean> {
  for (const { service } of [direct, framework]) {
    service.failure = request.failure ?? null
    service.readyReasons = request.notReady === true ? ['starting'] : []
  }
  const asked = { ...request, headers: { 'x-request-id': 'same', ...request.headers } }
  const [one, other] = [await send(asked), await inject(asked)]
  assert.deepEqual(
    { status: one.status, body: one.body, headers: headersCompared.map((name) => String(one.headers[name])) },
    { status: other.status, body: other.body, headers: headersCompared.map((name) => String(other.headers[name])) },
  )
  assert.deepEqual(direct.service.bodies, framework.service.bodies)
  assert.deepEqual(direct.service.reads, framework.service.reads)
  const [told, alsoTold] = [direct.answers.at(-1)!, framework.answers.at(-1)!]
  assert.deepEqual([told.route, told.status], [alsoTold.route, alsoTold.status])
  assert.ok(told.seconds >= 0 && told.seconds < 10)
  assert.equal(alsoTold.isDirect, false)
  return told.isDirect
}

const read = '{"service":"fraud_v1","entities":[{"customerId":1},{"customerId":2}]}'
const features = '/v1/features'
const predict = '/v1/predict'
const asked = '{"model":"fraud","entities":[{"customerId":1}]}'
const events = '/v1/events/payments'
const fault = new MillraceError('KEY_MALFORMED', { name: 'c', entity: 'customer', came: 'missing', allowed: 'an int' })
const ndjson = 'application/x-ndjson'

const past: readonly [name: string, request: Request][] = [
  ['a read', { url: features, body: read }],
  ['a read of values', { url: features, body: read.replace('}]}', '}],"full":false}') }],
  [
    'a read with the charset',
    { url: features, body: read, headers: { 'content-type': 'application/json; charset=utf-8' } },
  ],
  ['a read in bytes', { url: features, body: read, headers: { accept: 'application/vnd.millrace.vectors.v1' } }],
  [
    'a read in bytes or JSON',
    { url: features, body: read, headers: { accept: 'a/b;q=1, Application/vnd.millrace.vectors.v1;q=0.5' } },
  ],
  ['a fault for bytes', { url: features, body: '{}', headers: { accept: 'application/vnd.millrace.vectors.v1' } }],
  ['a malformed read', { url: features, body: '{"service":7}' }],
  ['a read that is no JSON', { url: features, body: Buffer.from([0xff, 0xfe]) }],
  ['an empty read', { url: features }],
  ['too many entities', { url: features, body: '{"service":"s","entities":[{},{},{},{}]}' }],
  ['a fault of the client', { url: features, body: read, failure: fault }],
  ['a fault outside', { url: features, body: read, failure: new MillraceError('ENGINE_STOPPED', { detail: 'd' }) }],
  ['a fault of our own', { url: features, body: read, failure: new Error('secret') }],
  ['a request id that is not taken', { url: features, body: read, headers: { 'x-request-id': 'a b' } }],
  ['a prediction', { url: predict, body: asked }],
  ['a malformed prediction', { url: predict, body: '{"model":7}' }],
  ['a fault of a prediction', { url: predict, body: asked, failure: fault }],
  ['a prediction that breaks', { url: predict, body: asked, failure: new Error('secret') }],
  ['one event', { url: events, body: '{"amount":1,"note":"ü"}' }],
  ['events of an array', { url: events, body: '[{"amount":1},{"amount":2}]' }],
  ['events in lines', { url: events, body: '{"amount":1}\n{"amount":2}\n', headers: { 'content-type': ndjson } }],
  ['refused events', { url: events, body: '[{"amount":1},{"ü":1}]' }],
  ['too many events', { url: events, body: '{}\n{}\n{}\n{}\n{}\n{}', headers: { 'content-type': ndjson } }],
  ['a stream that is unknown', { url: '/v1/events/paymnets', body: '{"amount":1}' }],
  ['a fault while events are taken', { url: events, body: '{"amount":1}', failure: new Error('secret') }],
]
const notPast: readonly [name: string, request: Request][] = [
  ['another route', { url: '/v1/forget', body: '{"entity":"customer","keys":{"customerId":1}}' }],
  ['another path', { url: '/v1/features/', body: read }],
  ['a query', { url: '/v1/features?x=1', body: read }],
  ['an encoded stream', { url: '/v1/events/pay%6dents', body: '{"amount":1}' }],
  ['a strange stream', { url: '/v1/events/a%2Fb', body: '{"amount":1}' }],
  ['predictions in lines', { url: predict, body: asked, headers: { 'content-type': ndjson } }],
  ['another type', { url: features, body: read, headers: { 'content-type': 'text/plain' } }],
  ['events in lines for a read', { url: features, body: read, headers: { 'content-type': ndjson } }],
  ['a compressed body', { url: events, body: 'x', headers: { 'content-encoding': 'gzip' } }],
  ['a read that is too large', { url: features, body: `${read}${' '.repeat(1000)}` }],
  ['events that are too large', { url: events, body: `[${'{"amount":1},'.repeat(200)}{}]` }],
  ['a service that is not ready', { url: features, body: read, notReady: true }],
]

describe('answered past the framework, and alike', () => {
  for (const [name, request] of past) test(name, async () => assert.equal(await compare(request), true))
})

describe('left to the framework', () => {
  for (const [name, request] of notPast) test(name, async () => assert.equal(await compare(request), false))

  test('a body without a size', async () => {
    const request = httpRequest(`${address}${features}`, {
      method: 'POST',
      agent,
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    })
    for (const { service } of [direct, framework]) service.readyReasons = []
    request.write(read.slice(0, 10))
    request.end(read.slice(10))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    await once(response, 'end')
    assert.equal(response.statusCode, 200)
    assert.equal(direct.answers.at(-1)!.isDirect, false)
  })
})

test('a body in pieces is put together, and requests sent without waiting are answered in order', async () => {
  direct.service.failure = null
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  const head = (body: string): string =>
    `POST /v1/features HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  socket.write(head(read) + read.slice(0, 20))
  await send({ method: 'GET', url: '/health' })
  socket.write(`${read.slice(20)}${head(read)}${read}${head('{}')}{}`)
  let text = ''
  for await (const piece of socket) {
    text += String(piece)
    if (text.includes('REQUEST_MALFORMED')) break
  }
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 400'])
})

test('a client that goes away in the middle of its body is not answered, and leaves nothing', async () => {
  const answered = direct.answers.length
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  socket.write(
    'POST /v1/events/payments HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"a',
  )
  await send({ method: 'GET', url: '/health' })
  const taken = direct.service.bodies.length
  socket.destroy()
  await once(socket, 'close')
  await send({ method: 'GET', url: '/health' })
  assert.equal(direct.service.bodies.length, taken)
  assert.equal(direct.answers.length, answered + 2)
})
