import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeEventDecoder, type Refusal } from '../../src/schema/decode.ts'
import { boolean, decimal, type Fields, float, int, string, timestamp } from '../../src/schema/field.ts'

const decode = (fields: Fields, event: unknown) => makeEventDecoder(fields)(Buffer.from(JSON.stringify(event)))

function refusalsOf(fields: Fields, event: unknown): readonly Refusal[] {
  const decoded = decode(fields, event)
  assert.ok('refusals' in decoded)
  return decoded.refusals
}

const rowOf = (fields: Fields, event: unknown): unknown => {
  const decoded = decode(fields, event)
  assert.ok('row' in decoded, JSON.stringify(decoded))
  return decoded.row
}

test('a row has one value per field in declared order, whatever the order of the event', () => {
  const fields = { a: string(), b: int(), c: float(), d: decimal(2), e: boolean(), f: timestamp('s') }
  const event = { f: 1.5, e: true, d: '1.20', c: -0, b: 2, a: 'x', z: 'not declared' }
  assert.deepEqual(rowOf(fields, event), ['x', 2, 0, 120, true, 1_500])
})

test('a path leads through objects; where it ends early, optional fields are null', () => {
  const at = (field = int().optional()) => ({ a: field.at('x.y') })
  assert.deepEqual(rowOf(at(), { x: { y: 1 } }), [1])
  assert.deepEqual(rowOf(at(), { x: { y: null } }), [null])
  assert.deepEqual(rowOf(at(), { x: {} }), [null])
  assert.deepEqual(rowOf(at(), { x: null }), [null])
  assert.deepEqual(rowOf(at(), {}), [null])
  assert.deepEqual(rowOf(at(int().nullable()), { x: { y: null } }), [null])
  assert.deepEqual(
    [{}, { x: {} }].map((event) => refusalsOf(at(int().nullable()), event)[0]!.code),
    ['MISSING', 'MISSING'],
  )
})

test('something other than an object in the way is a fault at that place', () => {
  const fields = { a: int().at('x.y.z') }
  assert.deepEqual(refusalsOf(fields, { x: { y: 'text' } }), [
    { code: 'TYPE', path: 'x.y', came: 'string "text"', allowed: 'an object' },
  ])
  assert.deepEqual(refusalsOf(fields, { x: [1] })[0]?.came, 'an array')
  assert.deepEqual(refusalsOf(fields, { x: null })[0]?.came, 'null')
})

test('names of the prototype are fields like any other', () => {
  const fields = { a: string().optional().at('constructor'), b: string().optional().at('toString.name') }
  assert.deepEqual(rowOf(fields, {}), [null, null])
  const raw = Buffer.from('{"__proto__":{"a":"x"}}')
  assert.deepEqual(makeEventDecoder({ a: string().optional() })(raw), { row: [null] })
  assert.deepEqual(makeEventDecoder({ a: string().at('__proto__.a') })(raw), { row: ['x'] })
})

test('all faults of an event are reported, in declared order, with what came and what is allowed', () => {
  const fields = {
    a: string(),
    b: int(),
    c: float(),
    d: decimal(2),
    e: boolean(),
    f: timestamp(),
    g: timestamp('us'),
    h: string().nullable(),
  }
  const event = { a: null, b: 1.5, c: '1', d: 1.234, e: 0, f: 5, g: -1 }
  assert.deepEqual(refusalsOf(fields, event), [
    { code: 'NULL', path: 'a', came: 'null', allowed: 'a string' },
    { code: 'RANGE', path: 'b', came: 'number 1.5', allowed: 'a whole number within ±(2^53 − 1)' },
    { code: 'TYPE', path: 'c', came: 'string "1"', allowed: 'a finite number within ±2^960' },
    { code: 'SCALE', path: 'd', came: 'number 1.234', allowed: 'a number with at most 2 digits after the point' },
    { code: 'TYPE', path: 'e', came: 'number 0', allowed: 'true or false' },
    { code: 'TYPE', path: 'f', came: 'number 5', allowed: 'an instant in [1970, 2100): ISO 8601 with a zone' },
    {
      code: 'TIME',
      path: 'g',
      came: 'number -1',
      allowed: 'an instant in [1970, 2100): ISO 8601 with a zone, or a number in us',
    },
    { code: 'MISSING', path: 'h', came: 'nothing', allowed: 'a string' },
  ])
})

test('a long value is cut in the report', () => {
  const [refusal] = refusalsOf({ a: int() }, { a: 'x'.repeat(1_000) })
  assert.equal(refusal?.came, `string "${'x'.repeat(39)}…`)
})

test('a decimal given as text is read by its digits, up to the last safe unit', () => {
  const fields = { a: decimal(9) }
  assert.deepEqual(rowOf(fields, { a: '9007199.254740991' }), [Number.MAX_SAFE_INTEGER])
  assert.deepEqual(rowOf(fields, { a: '-9007199.254740990' }), [-(Number.MAX_SAFE_INTEGER - 1)])
  assert.deepEqual(rowOf(fields, { a: '+0001.5' }), [1_500_000_000])
  assert.deepEqual(rowOf(fields, { a: '-0' }), [0])
  assert.equal(refusalsOf(fields, { a: '9007199.254740992' })[0]?.code, 'RANGE')
  assert.equal(refusalsOf(fields, { a: '0.0000000001' })[0]?.code, 'SCALE')
  for (const text of ['1.', '.5', '1e3', '', ' 1', '0x1', '١'])
    assert.equal(refusalsOf(fields, { a: text })[0]?.code, 'TYPE')
})
