import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parsePredictRequest, parseReadRequest } from '../../../src/serve/http/read-request.ts'

const limits = { entitiesMax: 3, featuresMax: 2 }
const parse = (body: string) => parseReadRequest(Buffer.from(body), limits)

function faultOf(body: string | Uint8Array): string {
  try {
    parseReadRequest(typeof body === 'string' ? Buffer.from(body) : body, limits)
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string }
    assert.ok(hint.length > 0)
    return `${code} ${message}`
  }
  return assert.fail('the request was taken')
}

describe('a read request', () => {
  test('has a service and entities, and by default all of the rest', () => {
    assert.deepEqual(parse('{"service":"fraud_v1","entities":[{"customerId":1},{"customerId":2}]}'), {
      target: { service: 'fraud_v1' },
      entities: [{ customerId: 1 }, { customerId: 2 }],
      full: true,
    })
  })

  test('may name features, an instant, an event, and ask for values only', () => {
    const { with: added, ...rest } = parse(
      '{"features":["a:b","a:c"],"entities":[{"k":"x"}],"asOf":1000,"full":false,"with":{"stream":"s","event":{ "n": 1.10 , "huge":1e999}}}',
    )
    assert.deepEqual(rest, { target: { features: ['a:b', 'a:c'] }, entities: [{ k: 'x' }], asOf: 1000, full: false })
    assert.equal(added!.stream, 's')
    assert.equal(Buffer.from(added!.event).toString(), '{ "n": 1.10 , "huge":1e999}')
  })

  test('takes instants as milliseconds, ISO 8601 and latest', () => {
    const asOf = (text: string) => parse(`{"service":"s","entities":[{}],"asOf":${text}}`).asOf
    assert.equal(asOf('0'), 0)
    assert.equal(asOf('"1970-01-01T02:00:01+02:00"'), 1000)
    assert.equal(asOf('"1970-01-02T00:00:00.5Z"'), 86_400_500)
    assert.equal(asOf('"latest"'), 'latest')
  })

  test('keeps a key named __proto__ as a key and finds no member on a prototype', () => {
    const { entities, full } = parse('{"service":"s","entities":[{"__proto__":{"full":false},"a":1}]}')
    assert.deepEqual(Object.keys(entities[0]!), ['__proto__', 'a'])
    assert.equal(full, true)
    assert.equal(({} as { full?: unknown }).full, undefined)
    assert.match(faultOf('{"__proto__":{"service":"s"},"entities":[{}]}'), /the request has a member "__proto__"/)
  })

  const refused: readonly [string, string][] = [
    ['', 'the body is not JSON (Unexpected end of JSON input)'],
    ['[]', 'the body is an array'],
    ['null', 'the body is null'],
    ['{"service":"s","entitties":[{}]}', 'the request has a member "entitties"'],
    ['{"entities":[{}]}', 'it has neither "service" nor "features"'],
    ['{"service":"s","features":["a:b"],"entities":[{}]}', 'it has "service" and "features"'],
    ['{"service":7,"entities":[{}]}', '"service" is number 7'],
    ['{"service":"","entities":[{}]}', '"service" is string ""'],
    ['{"features":[],"entities":[{}]}', '"features" is an empty array'],
    ['{"features":"a:b","entities":[{}]}', '"features" is string "a:b"'],
    ['{"features":["a:b","c"],"entities":[{}]}', '"features" 1 is string "c"'],
    ['{"service":"s"}', '"entities" is missing'],
    ['{"service":"s","entities":[]}', '"entities" is an empty array'],
    ['{"service":"s","entities":{"k":1}}', '"entities" is an object'],
    ['{"service":"s","entities":[{},7]}', '"entities" 1 is number 7'],
    ['{"service":"s","entities":[null]}', '"entities" 0 is null'],
    ['{"service":"s","entities":[{}],"asOf":"yesterday"}', '"asOf" is string "yesterday"'],
    ['{"service":"s","entities":[{}],"asOf":"2018-04-01"}', '"asOf" is string "2018-04-01"'],
    ['{"service":"s","entities":[{}],"asOf":-1}', '"asOf" is number -1'],
    ['{"service":"s","entities":[{}],"asOf":null}', '"asOf" is null'],
    ['{"service":"s","entities":[{}],"full":1}', '"full" is number 1'],
    ['{"service":"s","entities":[{}],"with":[]}', '"with" is an array'],
    ['{"service":"s","entities":[{}],"with":{"event":{}}}', '"with.stream" is missing'],
    ['{"service":"s","entities":[{}],"with":{"stream":"x","event":[1]}}', '"with.event" is an array'],
    ['{"service":"s","entities":[{}],"with":{"stream":"x","event":{},"at":1}}', '"with" has a member "at"'],
  ]
  for (const [body, detail] of refused) {
    test(`is refused because ${detail}`, () => {
      assert.equal(faultOf(body), `REQUEST_MALFORMED the request is refused: ${detail}`)
    })
  }

  test('is refused when it is not UTF-8', () => {
    assert.match(faultOf(Uint8Array.of(0x7b, 0xff, 0x7d)), /the body is not UTF-8/)
  })

  test('is refused with more entities or features than the limits', () => {
    assert.match(faultOf('{"service":"s","entities":[{},{},{},{}]}'), /^REQUEST_TOO_LARGE .*4 entities/)
    assert.match(faultOf('{"features":["a:b","a:b","a:b"],"entities":[{}]}'), /^REQUEST_TOO_LARGE .*3 features/)
  })
})

describe('a request for predictions', () => {
  const parsePredict = (body: string) => parsePredictRequest(Buffer.from(body), limits)

  test('has a model and entities, and what a read may have besides', () => {
    const { with: added, ...rest } = parsePredict(
      '{"model":"m","entities":[{"k":1}],"asOf":1000,"deadlineMs":50,"with":{"stream":"s","event":{"n":1e999}}}',
    )
    assert.deepEqual(rest, { model: 'm', entities: [{ k: 1 }], asOf: 1000, deadlineMs: 50 })
    assert.equal(Buffer.from(added!.event).toString(), '{"n":1e999}')
  })

  const refused: Readonly<Record<string, [string, RegExp]>> = {
    'no model': ['{"entities":[{}]}', /"model" is missing/],
    'a model that is no text': ['{"model":1,"entities":[{}]}', /"model" is number 1/],
    'no entities': ['{"model":"m"}', /"entities" is missing/],
    'too many entities': ['{"model":"m","entities":[{},{},{},{}]}', /4 entities/],
    'a deadline in words': ['{"model":"m","entities":[{}],"deadlineMs":"1s"}', /"deadlineMs" is string "1s"/],
    'a member of a read': ['{"model":"m","entities":[{}],"full":true}', /a member "full"/],
  }
  for (const [what, [body, message]] of Object.entries(refused)) {
    test(`with ${what} is refused`, () => {
      assert.throws(() => parsePredict(body), { message })
    })
  }
})
