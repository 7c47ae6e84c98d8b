import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeHttpServer } from '../../../src/serve/http/http-server.ts'
import { parseFixRequest, parseReplayRequest } from '../../../src/serve/http/replay-request.ts'
import { FakeHttpService } from './fake-http-service.ts'

const limits = { placesMax: 3, replayMax: 10 }
const replay = (body: string) => parseReplayRequest(Buffer.from(body), limits)
const fix = (body: string) => parseFixRequest(Buffer.from(body))

test('places, and whether they are of late events', () => {
  assert.deepEqual(replay('{"places":["2@17","0@0"]}'), {
    kind: 'refused',
    target: {
      places: [
        { partition: 2, offset: 17 },
        { partition: 0, offset: 0 },
      ],
    },
  })
  assert.equal(replay('{"places":["2@17"],"late":true}').kind, 'late')
})

test('all, narrowed, from a place on, at most so many', () => {
  const all = { from: { partition: 0, offset: 0 }, countMax: 10 }
  assert.deepEqual(replay('{"all":true}'), { kind: 'refused', target: { all } })
  assert.deepEqual(replay('{"all":true,"stream":"payments","reason":"TYPE","from":"1@5","limit":2,"late":false}'), {
    kind: 'refused',
    target: { all: { stream: 'payments', reason: 'TYPE', from: { partition: 1, offset: 5 }, countMax: 2 } },
  })
})

test('the mended event in the bytes in which it came, the values with all their digits', () => {
  const whole = fix('{"place":"2@17","event": {"a":1e999, "b" : 0.10}}')
  assert.ok('event' in whole.mended)
  assert.equal(Buffer.from(whole.mended.event).toString(), '{"a":1e999, "b" : 0.10}')
  const values = fix('{"place":"2@17","set":{"a.b":12345678901234567890.10,"__proto__":{"x":1}},"late":true}')
  assert.ok('set' in values.mended)
  assert.equal(JSON.stringify(values.mended.set), '{"a.b":12345678901234567890.10,"__proto__":{"x":1}}')
  assert.equal(values.kind, 'late')
})

for (const [body, message] of [
  ['', /not JSON/],
  ['[]', /an array/],
  ['{}', /neither "places" nor "all"/],
  ['{"places":["1@1"],"all":true}', /"places" and "all"/],
  ['{"places":[]}', /an empty array/],
  ['{"places":"1@1"}', /string "1@1"/],
  ['{"places":[{"partition":1}]}', /"places" 0 is an object/],
  ['{"places":["1@1","-1@2"]}', /"places" 1 is string "-1@2"/],
  ['{"places":["1@1"],"limit":1}', /"places" and "limit"/],
  ['{"all":false}', /"all" is boolean false/],
  ['{"all":true,"limit":0}', /"limit" is number 0/],
  ['{"all":true,"limit":11}', /"limit" is number 11/],
  ['{"all":true,"limit":1.5}', /"limit" is number 1.5/],
  ['{"all":true,"stream":""}', /"stream" is string ""/],
  ['{"all":true,"reason":7}', /"reason" is number 7/],
  ['{"all":true,"from":3}', /"from" is number 3/],
  ['{"all":true,"late":"no"}', /"late" is string "no"/],
  ['{"all":true,"force":true}', /member "force"/],
] as const) {
  test(`a replay that is refused: ${body}`, () => {
    assert.throws(() => replay(body), { code: 'REQUEST_MALFORMED', message })
  })
}

const deep = `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`

for (const [body, message] of [
  ['{"set":{"a":1}}', /"place" is missing/],
  ['{"place":"1","set":{"a":1}}', /"place" is string "1"/],
  ['{"place":"1@1"}', /neither "set" nor "event"/],
  ['{"place":"1@1","set":{"a":1},"event":{}}', /"set" and "event"/],
  ['{"place":"1@1","set":{}}', /an empty object/],
  ['{"place":"1@1","set":[1]}', /"set" is an array/],
  ['{"place":"1@1","set":{"a..b":1}}', /an empty step/],
  ['{"place":"1@1","set":{"":1}}', /an empty step/],
  [`{"place":"1@1","set":{"a":${deep}}}`, /nested deeper/],
  ['{"place":"1@1","event":{},"late":1}', /"late" is number 1/],
] as const) {
  test(`a fix that is refused: ${body.slice(0, 60)}`, () => {
    assert.throws(() => fix(body), { code: 'REQUEST_MALFORMED', message })
  })
}

test('more places than one request may have are too many', () => {
  assert.throws(() => replay('{"places":["0@1","0@2","0@3","0@4"]}'), { code: 'REQUEST_TOO_LARGE' })
})

test('the routes take JSON only, within their limit, and answer what the service says', async () => {
  const service = new FakeHttpService()
  const server = makeHttpServer(service)
  const post = async (path: string, payload: string | Buffer, type = 'application/json') =>
    await server.inject({ method: 'POST', url: `/v1/dead-letters/${path}`, payload, headers: { 'content-type': type } })
  const answer = await post('replay', '{"places":["2@17"]}')
  assert.deepEqual([answer.statusCode, answer.json()], [200, { results: [], next: null }])
  const fixed = await post('fix', '{"place":"2@17","event":{}}')
  assert.deepEqual([fixed.statusCode, (fixed.json() as { outcome: string }).outcome], [200, 'missing'])
  assert.equal(service.replays.length, 2)
  assert.equal((await post('fix', '{"place":"2@17","event":{}}', 'text/plain')).statusCode, 415)
  assert.equal((await post('replay', '{"all":1}')).statusCode, 400)
  assert.equal((await post('fix', Buffer.alloc(1024 * 1024 + 64 * 1024 + 1, 0x20))).statusCode, 413)
  service.readyReasons = ['not yet']
  assert.equal((await post('replay', '{"places":["2@17"]}')).statusCode, 503)
  assert.equal(service.replays.length, 2)
  await server.close()
})
