// Goal: the projector takes only events that the decoder accepts, and gives the same row, bit for bit; what it leaves
// to the decoder is rare.
// Method: the decoder, which is JSON.parse and the field readers, on the same bytes: the poison corpus, and events made
// at random, well formed, nearly so, and with bytes changed. `SEED=…` replays a run.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventDepthMax, makeEventDecoder } from '../../../src/schema/decode.ts'
import { boolean, decimal, type Fields, float, int, string, timestamp } from '../../../src/schema/field.ts'
import { makeProjectingDecoder, Projector } from '../../../src/schema/projector/projector.ts'
import { poison } from '../../poison/corpus.ts'
import { payments } from '../../poison/definitions.ts'
import { event, fieldSets, mutated } from './arbitrary-events.ts'

const runs = { numRuns: 6_000, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) }

/** Both decoders of some fields, and the projector of one of them. */
function bothOf(fields: Fields) {
  const projector = Projector.of(fields)!
  const decode = makeEventDecoder(fields)
  const project = makeProjectingDecoder(fields, projector)
  const agree = (raw: Uint8Array): void => assert.deepStrictEqual(project(raw), decode(raw))
  return { projector, agree, agreeOn: (text: string): void => agree(Buffer.from(text)) }
}

test('the poison corpus gets the same verdicts, reasons and rows', () => {
  const { agree, projector } = bothOf(payments.fields)
  for (const { body } of poison) agree(body)
  assert.ok(projector.counts.projected > 40, `${projector.counts.projected} were projected`)
})

test('events of any form give the same rows and refusals', () => {
  const sets = fieldSets.map((fields) => ({ fields, ...bothOf(fields) }))
  const one = fc.constantFrom(...sets).chain((set) => fc.tuple(fc.constant(set), event(set.fields)))
  fc.assert(
    fc.property(one, ([{ agreeOn }, text]) => agreeOn(text)),
    runs,
  )
  const counts = sets.map(({ projector }) => projector.counts)
  for (const { projected, left } of counts) assert.ok(projected > 100 && left > 100, JSON.stringify(counts))
})

test('events whose bytes were changed give the same rows and refusals', () => {
  const sets = fieldSets.map((fields) => ({ fields, ...bothOf(fields) }))
  const one = fc
    .constantFrom(...sets)
    .chain((set) => fc.tuple(fc.constant(set), mutated(event(set.fields, { common: true }))))
  fc.assert(
    fc.property(one, ([{ agree }, raw]) => agree(raw)),
    runs,
  )
})

const common: Readonly<Record<string, readonly [Fields, string]>> = {
  'a flat event': [
    { id: string(), customer: int(), amount: decimal(2), fraud: boolean(), at: timestamp('ms') },
    '{"id":"p1","customer":7,"amount":57.16,"fraud":false,"at":1522584000000,"note":null,"tags":["a"]}',
  ],
  'an envelope': [
    {
      id: string().at('metadata.event_id'),
      at: timestamp().at('metadata.timestamp'),
      user: string().at('payload.user_id'),
      price: decimal(2).at('payload.properties.price'),
      page: string().optional().at('payload.properties.page'),
    },
    `{ "metadata": { "event_id": "e1", "timestamp": "2026-11-21T17:58:38.123Z", "source": "web", "version": "1" },
       "payload": { "user_id": "u1", "event_type": "view", "properties": { "price": "12.50", "more": [1, {"a": 2e5}] } },
       "context": { "agent": "M\\u00f6zilla \\"5\\"" } }`,
  ],
  'text that is not ASCII': [{ name: string(), städte: int() }, '{"städte":3,"name":"Zoë 🦊","other":"日本語"}'],
  'instants in other forms': [
    { a: timestamp(), b: timestamp(), c: timestamp('s'), d: timestamp('us') },
    '{"a":"2026-11-21 17:58:38Z","b":"2026-11-21T17:58:38.123456+01:00","c":1522584000.25,"d":152258400000000}',
  ],
  'numbers with few digits': [
    { a: float(), b: float(), c: decimal(3), d: int() },
    '{"a":0.1,"b":-123456.789,"c":-0,"d":-999999999999999}',
  ],
  'nothing where nothing has to be': [
    { a: string().optional(), b: int().nullable(), c: float().optional().at('x.c'), d: float().optional().at('y.d') },
    '{"b":null,"x":null,"y":{}}',
  ],
}

for (const [name, [fields, text]] of Object.entries(common)) {
  test(`${name} is projected`, () => {
    const { projector, agreeOn } = bothOf(fields)
    agreeOn(text)
    assert.deepEqual(projector.counts, { projected: 1, left: 0 })
  })
}

test('one value can be two fields', () => {
  const { projector, agreeOn } = bothOf({ at: timestamp('ms'), raw: int().at('at') })
  agreeOn('{"at":5}')
  assert.equal(projector.counts.projected, 1)
})

test('a member that comes twice is the decoder’s', () => {
  const { projector, agreeOn } = bothOf({ a: int().optional().at('x.a'), b: int() })
  for (const text of ['{"b":1,"x":{"a":1},"x":{}}', '{"b":1,"x":{"a":1,"a":2}}', '{"b":1,"x":null,"x":{}}'])
    agreeOn(text)
  assert.deepEqual(projector.counts, { projected: 0, left: 3 })
})

test('a value that is a field and leads to others is left to the decoder', () => {
  assert.equal(Projector.of({ a: int().at('x'), b: int().at('x.y') }), null)
  assert.equal(Projector.of({ a: int().at('x.\ud800') }), null)
})

test('objects nest as deeply as the decoder allows, and no deeper', () => {
  const { projector, agreeOn } = bothOf({ a: int(), b: int().optional().at('x.y.z') })
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  for (const levels of [1, 2, 3]) {
    const [open, close] = [['', '{"x":', '{"x":{"y":'][levels - 1]!, '}'.repeat(levels - 1)]
    for (let more = -2; more <= 2; more++) {
      agreeOn(`{"a":1,"x":${open}{"o":${nested(eventDepthMax - levels - 1 + more)}}${close}}`)
    }
  }
  assert.ok(projector.counts.projected >= 6)
  agreeOn(`{"a":1,"o":${nested(100_000)}}`)
})

test('an event follows a longer one', () => {
  const { agree, agreeOn } = bothOf({ at: timestamp(), a: int() })
  const text = '{"a":1,"at":"2026-11-21T17:58:38.123Z","tail":true}'
  for (let size = text.length; size >= 0; size--) agree(Buffer.from(text.slice(0, size)))
  agreeOn(`{"a":1,"at":"2026-11-21T17:58:38.123Z","long":"${'x'.repeat(10_000)}"}`)
  for (let size = text.length; size >= 0; size--) agree(Buffer.from(text.slice(0, size)))
})

test('hundreds of fields, some with names of one hash', () => {
  // Of `Aa` and `BB` any combination has the hash of any other.
  const names = Array.from({ length: 256 }, (_, number) =>
    Array.from({ length: 8 }, (_, bit) => ((number >> bit) & 1 ? 'Aa' : 'BB')).join(''),
  )
  const { agreeOn, projector } = bothOf(Object.fromEntries(names.map((name) => [name, int()])))
  agreeOn(JSON.stringify(Object.fromEntries(names.map((name, index) => [name, index]))))
  assert.equal(projector.counts.projected, 1)
  agreeOn(JSON.stringify(Object.fromEntries(names.slice(1).map((name, index) => [name, index]))))
})

test('thousands of fields are left to the decoder', () => {
  const fields = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`f${index}`, int()]))
  assert.equal(Projector.of(fields), null)
  const decode = makeProjectingDecoder(fields)
  const values = Object.fromEntries(Object.keys(fields).map((name, index) => [name, index]))
  assert.deepEqual(decode(Buffer.from(JSON.stringify(values))), { row: Object.values(values) })
})

test('without WebAssembly the decoder does it all', () => {
  // A module that is loaded asks once; Node itself needs it before, to read TypeScript.
  const script = `delete globalThis.WebAssembly
    const { Projector, makeProjectingDecoder } = await import('${new URL('../../../src/schema/projector/projector.ts', import.meta.url).href}')
    const { int } = await import('${new URL('../../../src/schema/field.ts', import.meta.url).href}')
    console.log(Projector.of({ a: int() }), JSON.stringify(makeProjectingDecoder({ a: int() })(Buffer.from('{"a":1}'))))`
  const args = ['--input-type=module-typescript', '--eval', script]
  assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim(), 'null {"row":[1]}')
})
