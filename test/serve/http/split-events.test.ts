import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { memberBytes } from '../../../src/serve/http/json-scan.ts'
import { splitEvents } from '../../../src/serve/http/split-events.ts'
import { lawOptions } from '../../base/law-options.ts'

const limits = { eventsMax: 10, eventBytesMax: 1000 }

function split(body: string, framing: 'json' | 'ndjson' = 'json'): string[] {
  return splitEvents(Buffer.from(body), framing, limits).map((event) => Buffer.from(event).toString())
}

function detailOf(body: string, framing: 'json' | 'ndjson' = 'json'): string {
  try {
    split(body, framing)
  } catch (error) {
    const { code, details } = error as { code: string; details: { detail: string } }
    assert.equal(code, 'REQUEST_MALFORMED')
    return details.detail
  }
  return assert.fail('the body was taken')
}

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/)

/** JSON text as nobody's serializer would write it: white space anywhere, numbers and escapes as they come. */
const jsonText: fc.Arbitrary<string> = fc.letrec<{ value: string; object: string }>((tie) => ({
  object: fc
    .array(fc.tuple(space, fc.string(), space, space, tie('value'), space), { maxLength: 4 })
    .map(
      (members) =>
        `{${members.map(([a, key, b, c, value, d]) => `${a}${JSON.stringify(key)}${b}:${c}${value}${d}`).join(',')}}`,
    ),
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(
      '1.10',
      '-0',
      '1e999',
      'true',
      'null',
      '12345678901234567890',
      '"\\u0041\\""',
      '"\\\\"',
      '"]},["',
      '""',
      '{}',
      '[]',
    ),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    tie('object'),
    fc
      .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
      .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
  ),
})).object

describe('splitting a body into events', () => {
  test('gives each element of an array in the bytes it came in', () => {
    const law = fc.property(
      fc.array(fc.tuple(space, jsonText, space), { minLength: 1, maxLength: 10 }),
      space,
      (items, around) => {
        const body = `${around}[${items.map((item) => item.join('')).join(',')}]${around}`
        JSON.parse(body)
        const taken = splitEvents(Buffer.from(body), 'json', { eventsMax: 10, eventBytesMax: body.length * 4 })
        assert.deepEqual(
          taken.map((event) => Buffer.from(event).toString()),
          items.map(([, text]) => text.toWellFormed()),
        )
      },
    )
    fc.assert(law, lawOptions())
  })

  test('takes no array that a parser would refuse and lose an event of it', () => {
    const pieces = fc.array(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '"a"', '1', ' ', 'tru', '{"a":1}'),
      { maxLength: 12 },
    )
    const law = fc.property(pieces, (tokens) => {
      const body = `[${tokens.join('')}]`
      let events: string[]
      try {
        events = split(body)
      } catch {
        return
      }
      // What was cut out, put together again, is the body: nothing between two events but a comma and white space.
      assert.equal(body.replaceAll(/\s/g, ''), `[${events.join(',')}]`.replaceAll(/\s/g, ''))
    })
    fc.assert(law, lawOptions(2000))
  })

  test('takes one object without the white space around it', () => {
    assert.deepEqual(split(' \n{"a": 1.10, "b":"}"}\r\n'), ['{"a": 1.10, "b":"}"}'])
  })

  test('passes on an element that is no object or no JSON: its stream refuses it', () => {
    assert.deepEqual(split('[{"a":1},2,{"a":tru},[3],"x"]'), ['{"a":1}', '2', '{"a":tru}', '[3]', '"x"'])
  })

  test('gives the lines of NDJSON, without the empty ones and without their white space', () => {
    assert.deepEqual(split('{"a":1}\r\n\n  {"b":2} \n\t\n{"c":3}', 'ndjson'), ['{"a":1}', '{"b":2}', '{"c":3}'])
    assert.deepEqual(split('{"a":\n', 'ndjson'), ['{"a":'])
  })

  const malformed: readonly [string, string][] = [
    ['', 'it holds no event'],
    [' \n ', 'it holds no event'],
    ['[]', 'it holds no event'],
    ['[ ] ', 'it holds no event'],
    ['7', 'it begins with "7" at byte 0'],
    ['"text"', 'it begins with """ at byte 0'],
    ['\uFEFF{}', 'it begins with 0xef at byte 0'],
    ['{"a":1', 'its object does not end'],
    ['{"a":"1}', 'its object does not end'],
    ['{"a":1}{"b":2}', 'after the object that ends at byte 7 comes "{" at byte 7'],
    ['{"a":1}\n{"b":2}', 'after the object that ends at byte 7 comes "{" at byte 8'],
    ['[{"a":1}', 'after element 0 of its array comes the end of the body'],
    ['[{"a":1},]', 'where element 1 of its array should be is "]" at byte 9'],
    ['[,{"a":1}]', 'where element 0 of its array should be is "," at byte 1'],
    ['[{"a":1} {"b":2}]', 'after element 0 of its array comes "{" at byte 9'],
    ['[{"a":1}]x', 'after the array that ends at byte 9 comes "x" at byte 9'],
    ['[{"a":1},{"b":[2}]', 'element 1 of its array, at byte 9, does not end'],
    ['[', 'where element 0 of its array should be is the end of the body'],
    ['[{"a":"\\"}]', 'element 0 of its array, at byte 1, does not end'],
  ]
  for (const [body, detail] of malformed) {
    test(`says of ${JSON.stringify(body)} that ${detail}`, () => {
      assert.equal(detailOf(body), detail)
    })
  }

  test('says of empty NDJSON that it holds no event', () => {
    assert.equal(detailOf('\n \r\n', 'ndjson'), 'it holds no event')
  })

  test('takes as many events, and as large ones, as the limits allow, and none of one more', () => {
    const line = '{"a":1}'
    assert.equal(split(Array.from({ length: 10 }, () => line).join('\n'), 'ndjson').length, 10)
    assert.throws(() => split(Array.from({ length: 11 }, () => line).join('\n'), 'ndjson'), {
      code: 'REQUEST_TOO_LARGE',
    })
    assert.throws(() => split(`[${Array.from({ length: 11 }, () => line).join(',')}]`), { code: 'REQUEST_TOO_LARGE' })
    const event = (size: number): string => `{"a":"${'x'.repeat(size - 8)}"}`
    assert.equal(split(event(1000))[0]!.length, 1000)
    for (const body of [event(1001), `[${event(1001)}]`])
      assert.throws(() => split(body), { code: 'REQUEST_TOO_LARGE' })
  })
})

describe('the bytes of a member', () => {
  test('are those that a parser gives the member, for any object', () => {
    const law = fc.property(jsonText, (text) => {
      const object = JSON.parse(text) as Record<string, unknown>
      for (const name of [...Object.keys(object), 'absent']) {
        const bytes = memberBytes(Buffer.from(text), name)
        const own = Object.hasOwn(object, name)
        assert.equal(bytes !== null, own)
        if (bytes !== null) assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()), object[name])
      }
    })
    fc.assert(law, lawOptions())
  })

  test('are the last ones of a name that comes twice, also when it is escaped', () => {
    const member = (text: string): string => Buffer.from(memberBytes(Buffer.from(text), 'a') ?? []).toString()
    assert.equal(member('{"a":1,"b":{"a":2},"\\u0061":1e999}'), '1e999')
    assert.equal(member(' { "b" : "a" , "a" : { "x":[1, 2] } } '), '{ "x":[1, 2] }')
  })
})
