import assert from 'node:assert/strict'
import { test } from 'node:test'
import avsc from 'avsc'
import { parseAvroSchema } from '../../../src/schema/avro/avro-type.ts'
import { boolean, decimal, float, int, string, timestamp } from '../../../src/schema/field.ts'
import { type AvroSchema, read, readerOf, refusalsOf, rowOf } from './read.ts'

const record = (...fields: { name: string; type: unknown; aliases?: string[] }[]): AvroSchema =>
  ({ type: 'record', name: 'Event', fields }) as AvroSchema

const one = (type: unknown): AvroSchema => record({ name: 'x', type })

test('each type is read into the fields that can hold it', () => {
  const schema = record(
    { name: 'text', type: 'string' },
    { name: 'colour', type: { type: 'enum', name: 'Colour', symbols: ['RED', 'GREEN'] } },
    { name: 'whole', type: 'int' },
    { name: 'long', type: 'long' },
    { name: 'single', type: 'float' },
    { name: 'double', type: 'double' },
    { name: 'yes', type: 'boolean' },
    { name: 'raw', type: 'bytes' },
  )
  const value = { text: 'Zoë 🐟', colour: 'GREEN', whole: -7, long: 2 ** 40, single: 0.5, double: 1.25, yes: true }
  const fields = {
    long: int(),
    text: string(),
    colour: string(),
    wholeAsFloat: float().at('whole'),
    whole: int(),
    single: float(),
    double: float(),
    yes: boolean(),
    raw: string(),
    doubleAsDecimal: decimal(2).at('double'),
    wholeAsDecimal: decimal(2).at('whole'),
  }
  const row = rowOf(read(schema, fields, { ...value, raw: Buffer.from('bytes') }))
  assert.deepEqual(row, [2 ** 40, 'Zoë 🐟', 'GREEN', -7, -7, 0.5, 1.25, true, 'bytes', 125, -700])
})

test('a path leads through records, unions with null and maps, to one value for as many fields as read it', () => {
  const inner = { type: 'record', name: 'User', fields: [{ name: 'id', type: 'long' }] }
  const schema = record(
    { name: 'before', type: { type: 'array', items: inner } },
    { name: 'user', type: ['null', 'User'] },
    { name: 'tags', type: { type: 'map', values: ['null', 'string'] } },
  )
  const fields = {
    user: int().at('user.id').optional(),
    again: float().at('user.id').optional(),
    tag: string().at('tags.a').optional(),
    other: string().at('tags.zz').optional(),
  }
  const value = { before: [{ id: 1 }, { id: 2 }], user: { id: 7 }, tags: { b: null, a: 'x' } }
  const types = avsc.Type.forSchema(schema, { wrapUnions: false })
  const reader = readerOf(schema, fields)
  assert.deepEqual(rowOf(reader.decode(types.toBuffer(value), 0)), [7, 7, 'x', null])
  assert.deepEqual(rowOf(reader.decode(types.toBuffer({ ...value, user: null, tags: {} }), 0)), [
    null,
    null,
    null,
    null,
  ])
  const strict = readerOf(schema, { user: int().at('user.id'), tag: string().at('tags.a') })
  assert.deepEqual(refusalsOf(strict.decode(types.toBuffer({ ...value, user: null, tags: {} }), 0)), [
    'user TYPE',
    'tags.a MISSING',
  ])
  assert.deepEqual(refusalsOf(strict.decode(types.toBuffer({ ...value, tags: { a: null } }), 0)), ['tags.a NULL'])
})

test('logical types are what they stand for', () => {
  const schema = record(
    { name: 'ms', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'us', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'ns', type: { type: 'long', logicalType: 'timestamp-nanos' } },
    { name: 'day', type: { type: 'int', logicalType: 'date' } },
    { name: 'id', type: { type: 'fixed', name: 'Id', size: 16, logicalType: 'uuid' } },
    { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } },
    { name: 'seconds', type: 'long' },
  )
  const fields = {
    ms: timestamp(),
    us: timestamp(),
    ns: timestamp(),
    day: timestamp(),
    id: string(),
    amount: decimal(2),
    finer: decimal(4).at('amount'),
    seconds: timestamp('s'),
  }
  // As its writer has it: logical types are our reader's business.
  const ms = Date.UTC(2026, 5, 1, 12, 0, 0, 123)
  const plain = record(
    { name: 'ms', type: 'long' },
    { name: 'us', type: 'long' },
    { name: 'ns', type: 'bytes' },
    { name: 'day', type: 'int' },
    { name: 'id', type: { type: 'fixed', name: 'Id', size: 16 } },
    { name: 'amount', type: 'bytes' },
    { name: 'seconds', type: 'long' },
  )
  const written = avsc.Type.forSchema(plain).toBuffer({
    ms,
    us: ms * 1000 + 999,
    ns: Buffer.alloc(0),
    day: 20_605,
    id: Buffer.from('123e4567e89b12d3a456426614174000', 'hex'),
    amount: Buffer.from('fe0c', 'hex'),
    seconds: 1_780_000_000,
  })
  // Nanoseconds are beyond what the writer above can say: its empty bytes are one 0, where ours has nine bytes.
  const nanos = zigzag(BigInt(ms) * 1_000_000n + 999_999n)
  const at = avsc.Type.forSchema(record({ name: 'ms', type: 'long' }, { name: 'us', type: 'long' })).toBuffer({
    ms,
    us: ms * 1000 + 999,
  }).length
  const bytes = Buffer.concat([written.subarray(0, at), nanos, written.subarray(at + 1)])
  const row = rowOf(readerOf(schema, fields).decode(bytes, 0))
  const id = '123e4567-e89b-12d3-a456-426614174000'
  assert.deepEqual(row, [ms, ms, ms, 20_605 * 86_400_000, id, -500, -50_000, 1_780_000_000_000])
})

function zigzag(value: bigint): Buffer {
  const bytes: number[] = []
  for (let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)); ; rest >>= 7n) {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    if (rest <= 0x7fn) return Buffer.from(bytes)
  }
}

test('what a field does not hold is refused with its path, in declared order', () => {
  const schema = record(
    { name: 'text', type: 'string' },
    { name: 'long', type: 'long' },
    { name: 'double', type: 'double' },
    { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 30, scale: 3 } },
    { name: 'list', type: { type: 'array', items: 'int' } },
    { name: 'local', type: { type: 'long', logicalType: 'local-timestamp-millis' } },
  )
  const fields = {
    list: int(),
    inList: int().at('list.x'),
    text: int(),
    long: string(),
    double: float(),
    amount: decimal(2),
    local: timestamp('ms'),
    gone: int(),
    absent: int().nullable(),
    fine: int().optional(),
  }
  const value = { text: 'x', long: 1, double: Infinity, amount: Buffer.from([1]), list: [1, 2], local: 5 }
  const plain = JSON.parse(JSON.stringify(schema).replace(',"logicalType":"local-timestamp-millis"', '')) as AvroSchema
  const bytes = avsc.Type.forSchema(plain).toBuffer(value)
  assert.deepEqual(refusalsOf(readerOf(schema, fields).decode(bytes, 0)), [
    'list TYPE',
    'list TYPE',
    'text TYPE',
    'long TYPE',
    'double RANGE',
    'amount SCALE',
    'local TYPE',
    'gone MISSING',
    'absent MISSING',
  ])
  assert.deepEqual(refusalsOf(read(one('long'), { x: int() }, { x: 5 })), [])
})

test('numbers keep every digit or are refused', () => {
  const bytesOf = (value: bigint): Uint8Array => zigzag(value)
  const whole = readerOf(one('long'), { x: int() })
  const wide = readerOf(one('long'), { x: float() })
  for (const value of [0n, -1n, 63n, 64n, -65n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n - 1n, 1n - 2n ** 53n]) {
    assert.deepEqual(rowOf(whole.decode(bytesOf(value), 0)), [Number(value)], String(value))
    assert.deepEqual(rowOf(wide.decode(bytesOf(value), 0)), [Number(value)], String(value))
  }
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    assert.deepEqual(refusalsOf(whole.decode(bytesOf(value), 0)), ['x RANGE'], String(value))
    assert.deepEqual(rowOf(wide.decode(bytesOf(value), 0)), [Number(value)], String(value))
  }
  const amount = { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 2 }
  const decimals = readerOf(one(amount), { x: decimal(2) })
  const inBytes = (hex: string): Buffer => Buffer.concat([zigzag(BigInt(hex.length / 2)), Buffer.from(hex, 'hex')])
  assert.deepEqual(rowOf(decimals.decode(inBytes('1fffffffffffff'), 0)), [2 ** 53 - 1])
  assert.deepEqual(refusalsOf(decimals.decode(inBytes('20000000000000'), 0)), ['x RANGE'])
  assert.deepEqual(rowOf(decimals.decode(inBytes('ffffffffffffffffffff85'), 0)), [-123])
  assert.deepEqual(rowOf(decimals.decode(inBytes(''), 0)), [0])
  const signs = [
    ['0080', 128],
    ['80', -128],
    ['ff80', -128],
    ['7fffffffffff', 2 ** 47 - 1],
    ['800000000000', -(2 ** 47)],
    ['00ffffffffffff', 2 ** 48 - 1],
    ['ff000000000001', 1 - 2 ** 48],
    ['e0000000000001', 1 - 2 ** 53],
    ['ffffffffffffffffffffffffffffffffffff', -1],
  ] as const
  for (const [hex, value] of signs) assert.deepEqual(rowOf(decimals.decode(inBytes(hex), 0)), [value], hex)
})

test('a field is found under a name that its writer gave up', () => {
  const renamed = record({ name: 'customer', aliases: ['client'], type: 'long' })
  assert.deepEqual(rowOf(read(renamed, { client: int() }, { customer: 7 })), [7])
  const both = record({ name: 'customer', aliases: ['client'], type: 'long' }, { name: 'client', type: 'long' })
  assert.deepEqual(rowOf(read(both, { client: int() }, { customer: 7, client: 8 })), [8])
})

test('bytes that end too early, go on, or break a rule are refused where they do', () => {
  const schema = record(
    { name: 'a', type: 'long' },
    { name: 'b', type: { type: 'record', name: 'B', fields: [{ name: 'c', type: ['null', 'string'] }] } },
    { name: 'd', type: 'boolean' },
  )
  // What no field reads is stepped over whole: its faults are known by where it begins.
  const reader = readerOf(schema, { a: int() })
  const good = avsc.Type.forSchema(schema).toBuffer({ a: 1, b: { c: 'xyz' }, d: true })
  assert.deepEqual(rowOf(reader.decode(good, 0)), [1])
  const refused = (hex: string): string[] => refusalsOf(reader.decode(Buffer.from(hex, 'hex'), 0))
  assert.deepEqual(refused(''), ['a AVRO'])
  assert.deepEqual(refused('0202067879'), ['b AVRO'])
  assert.deepEqual(refused('0204'), ['b AVRO'])
  assert.deepEqual(refused('020207'), ['b AVRO'])
  assert.deepEqual(refused('020002'), ['d AVRO'])
  assert.deepEqual(refused('02000100'), [' AVRO'])
  assert.deepEqual(refused('ffffffffffffffffffff01'), ['a AVRO'])
  assert.deepEqual(refusalsOf(readerOf(one('string'), { x: string() }).decode(Buffer.from('04fffe', 'hex'), 0)), [
    'x ENCODING',
  ])
})

test('nesting and blocks are bounded, whatever the bytes claim', () => {
  const list = { type: 'record', name: 'List', fields: [{ name: 'next', type: ['null', 'List'] }] } as AvroSchema
  const reader = readerOf(list, { x: int().optional() })
  assert.deepEqual(rowOf(reader.decode(Buffer.concat([Buffer.alloc(63, 2), Buffer.alloc(1)]), 0)), [null])
  const [refusal] = refusalsOf(reader.decode(Buffer.alloc(100_000, 2), 0))
  assert.match(refusal!, / DEPTH$/)
  // A block of 2^50 nulls takes eight bytes to say.
  const nulls = readerOf(one({ type: 'array', items: 'null' }), { x: int().optional() })
  const startedAt = performance.now()
  assert.deepEqual(refusalsOf(nulls.decode(Buffer.concat([zigzag(2n ** 50n), Buffer.alloc(1)]), 0)), ['x TYPE'])
  const longs = readerOf(one({ type: 'array', items: 'long' }), { y: int().optional() })
  assert.deepEqual(refusalsOf(longs.decode(Buffer.concat([zigzag(2n ** 50n), Buffer.alloc(100)]), 0)), ['x AVRO'])
  assert.ok(performance.now() - startedAt < 1_000)
})

test('schemas that are none are refused, and hostile ones do no harm', () => {
  const refused: readonly (readonly [unknown, RegExp])[] = [
    ['nonsense', /does not define/],
    [{ type: 'record', name: 'R' }, /no "fields"/],
    [{ type: 'record', name: 'R', fields: [{ name: 'a', type: 'R2' }] }, /"R2"/],
    [[['null']], /union/],
    [[], /no branch/],
    [7, /neither/],
    [{ type: 'fixed', name: 'F', size: 2 ** 40 }, /size/],
    [{ type: 'bytes', logicalType: 'decimal', scale: -1 }, /scale/],
    [JSON.parse(`${'{"type":"array","items":'.repeat(100)}"int"${'}'.repeat(100)}`), /nested/],
  ]
  for (const [schema, message] of refused) assert.throws(() => parseAvroSchema(JSON.stringify(schema)), message)
  const hostile = parseAvroSchema('{"type":"record","name":"__proto__","fields":[{"name":"__proto__","type":"long"}]}')
  assert.equal(hostile.kind, 'record')
  // Two records that refer to each other in every way: paths through them double at each step, and what reads them not.
  const either = (name: string, other: string): unknown => ({
    type: 'record',
    name,
    fields: [{ name: 'next', type: ['null', name, other] }],
  })
  const twins = parseAvroSchema(
    JSON.stringify({ ...(either('A', 'B') as object) }).replace('"B"', JSON.stringify(either('B', 'A'))),
  )
  assert.equal(twins.kind, 'record')
})
