import assert from 'node:assert/strict'
import { test } from 'node:test'
import avsc from 'avsc'
import {
  avro,
  boolean,
  compile,
  debezium,
  decimal,
  entity,
  featureView,
  int,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import type { DebeziumOptions } from '../../src/definition/format.ts'
import { IdTable } from '../../src/kernel/id-table.ts'
import { Intake } from '../../src/plan/intake.ts'
import type { StreamPlan } from '../../src/plan/plan.ts'
import type { Decoded } from '../../src/schema/decode.ts'

const customer = entity('customer', { id: int() })
const options = {
  fields: {
    id: int(),
    country: string().optional(),
    limit: decimal(2).optional(),
    since: timestamp('us').optional(),
    deleted: boolean().at('__deleted'),
    at: timestamp('ms').at('__source.ts_ms'),
    operation: string().at('__op'),
    transaction: string().optional().at('__transaction.id'),
  },
  time: 'at',
  lateness: '1h',
} as const

function customers(more: Partial<DebeziumOptions> = {}): StreamPlan {
  const from = stream('customers', { ...options, format: debezium({ key: ['id'], ...more }) })
  const rows = featureView('customer_rows', {
    from,
    by: customer,
    features: (on) => ({ country: on.row('country'), deleted: on.row('deleted') }),
  })
  return compile([rows]).streams[0]!
}

const atMs = Date.UTC(2026, 5, 1)
const row = { id: 7, country: 'NL', limit: 12.5, since: atMs * 1000 }
const event = (op: string, before: unknown, after: unknown) => ({
  op,
  before,
  after,
  source: { ts_ms: atMs, connector: 'postgresql', lsn: 24023128 },
  transaction: null,
  ts_ms: atMs + 5,
})
const decode = (plan: StreamPlan, value: unknown): Decoded => plan.format.decode(Buffer.from(JSON.stringify(value)))
const refusalsOf = (decoded: Decoded): string[] =>
  'row' in decoded ? [] : decoded.refusals.map(({ path, code }) => `${path} ${code}`)

test('a row that was created, read or updated is what it is afterwards, and of one that is gone there is its key', () => {
  const plan = customers()
  for (const op of ['c', 'r', 'u']) {
    const decoded = decode(plan, event(op, op === 'u' ? { ...row, country: 'DE' } : null, row))
    assert.deepEqual(decoded, { row: [7, 'NL', 1250, atMs, false, atMs, op, null] })
  }
  // What Postgres fills in for columns that it did not send is no value.
  const gone = decode(plan, event('d', { id: 7, country: '', limit: 0, since: 0 }, null))
  assert.deepEqual(gone, { row: [7, null, null, null, true, atMs, 'd', null] })
  const within = decode(plan, { ...event('c', null, row), transaction: { id: '571', total_order: 1 } })
  assert.deepEqual('row' in within && within.row.at(-1), '571')
})

test('with its schema, a decimal is its digits and a time what its type says', () => {
  const columns = [
    { field: 'id', type: 'int32' },
    { field: 'country', type: 'string', optional: true },
    { field: 'limit', type: 'bytes', name: 'org.apache.kafka.connect.data.Decimal', parameters: { scale: '2' } },
    { field: 'since', type: 'int64', name: 'io.debezium.time.Timestamp' },
  ]
  const wrapped = (value: unknown, schema: readonly object[] = columns): unknown => ({
    schema: {
      type: 'struct',
      fields: [{ field: 'before', fields: schema }, { field: 'after', fields: schema }, { field: 'op' }],
    },
    payload: value,
  })
  const plan = customers()
  const limits = [
    ['AfQ=', 500],
    ['/gw=', -500],
    // Digits that are base64 all the same: the schema tells.
    ['1234', -2658824],
    ['AA==', 0],
  ] as const
  for (const [limit, cents] of limits) {
    const decoded = decode(plan, wrapped(event('c', null, { ...row, limit, since: atMs })))
    assert.deepEqual(decoded, { row: [7, 'NL', cents, atMs, false, atMs, 'c', null] }, limit)
  }
  const finer = columns.map((one) => (one.field === 'limit' ? { ...one, parameters: { scale: '3' } } : one))
  assert.deepEqual(refusalsOf(decode(plan, wrapped(event('c', null, { ...row, limit: 'AQ==', since: atMs }), finer))), [
    'after.limit SCALE',
  ])
  const variable = { field: 'limit', name: 'io.debezium.data.VariableScaleDecimal' }
  const free = columns.map((one) => (one.field === 'limit' ? variable : one))
  const decoded = decode(
    plan,
    wrapped(event('c', null, { ...row, limit: { scale: 1, value: 'fQ==' }, since: atMs }), free),
  )
  assert.deepEqual('row' in decoded && decoded.row[2], 1250)
  const times = [
    ['io.debezium.time.Date', 20_605, 20_605 * 86_400_000],
    ['io.debezium.time.MicroTimestamp', atMs * 1000 + 999, atMs],
    ['io.debezium.time.NanoTimestamp', atMs * 1_000_000, atMs],
  ] as const
  for (const [name, since, expected] of times) {
    const typed = columns.map((one) => (one.field === 'since' ? { ...one, name } : one))
    const timed = decode(plan, wrapped(event('c', null, { ...row, limit: 'AQ==', since }), typed))
    assert.deepEqual('row' in timed ? timed.row[3] : timed, expected, name)
  }
})

test('without a schema, decimals in text are read as declared and never guessed', () => {
  const of = (decimals: DebeziumOptions['decimals'], limit: unknown): unknown => {
    const decoded = decode(customers(decimals === undefined ? {} : { decimals }), event('c', null, { ...row, limit }))
    return 'row' in decoded ? decoded.row[2] : refusalsOf(decoded)[0]
  }
  assert.deepEqual(of(undefined, '1234'), 'after.limit TYPE')
  assert.deepEqual(of(undefined, 12.34), 1234)
  assert.deepEqual(of('text', '1234'), 123_400)
  assert.deepEqual(of('base64', '1234'), -2658824)
  assert.deepEqual(of('base64', 'AfQ='), 500)
  assert.deepEqual(of('base64', 'a,b'), 'after.limit TYPE')
  assert.deepEqual(of('base64', null), null)
})

test('what is no change of one row is refused with its path; a tombstone says nothing new', () => {
  const plan = customers()
  const refused: readonly (readonly [unknown, readonly string[]])[] = [
    [event('t', null, null), ['op RANGE']],
    [event('m', null, null), ['op RANGE']],
    [{ after: row }, ['op MISSING']],
    [event('c', null, null), ['after.id NULL']],
    [event('d', null, null), ['before.id NULL']],
    [event('u', row, { ...row, id: 'seven', limit: 0.001 }), ['after.id TYPE', 'after.limit SCALE']],
    [event('u', null, { ...row, country: '__debezium_unavailable_value' }), ['after.country TYPE']],
    [{ ...event('c', null, row), source: {} }, ['source.ts_ms MISSING']],
    [{ schema: {}, payload: null }, ['payload SHAPE']],
    [[], [' SHAPE']],
  ]
  for (const [value, expected] of refused)
    assert.deepEqual(refusalsOf(decode(plan, value)), expected, JSON.stringify(value))
  const intake = new Intake(plan, 0, { watermark: -1, seen: new IdTable() })
  assert.deepEqual(intake.take({ offset: 0, timestampMs: atMs, value: null }), {
    verdict: 'duplicate',
    conflict: false,
  })
})

test('in Avro, change events are what they are in JSON', () => {
  const value = {
    type: 'record',
    name: 'Value',
    fields: [
      { name: 'id', type: 'int' },
      { name: 'country', type: ['null', 'string'] },
      { name: 'limit', type: ['null', 'bytes'] },
      { name: 'since', type: ['null', 'long'] },
    ],
  }
  const envelope = {
    type: 'record',
    name: 'Envelope',
    fields: [
      { name: 'before', type: ['null', value] },
      { name: 'after', type: ['null', 'Value'] },
      { name: 'source', type: { type: 'record', name: 'Source', fields: [{ name: 'ts_ms', type: 'long' }] } },
      { name: 'op', type: 'string' },
      { name: 'ts_ms', type: ['null', 'long'] },
      {
        name: 'transaction',
        type: ['null', { type: 'record', name: 'block', fields: [{ name: 'id', type: 'string' }] }],
      },
    ],
  }
  const typed = JSON.stringify(envelope)
    .replace(
      '["null","bytes"]',
      '["null",{"type":"bytes","scale":2,"logicalType":"decimal","connect.name":"org.apache.kafka.connect.data.Decimal"}]',
    )
    .replace(
      '"since","type":["null","long"]',
      '"since","type":["null",{"type":"long","connect.name":"io.debezium.time.MicroTimestamp"}]',
    )
  const plan = customers({ encoding: avro({ schema: typed }) })
  const type = avsc.Type.forSchema(envelope as avsc.Schema, { wrapUnions: false })
  const write = (changed: object): Buffer =>
    type.toBuffer({ ...event('u', null, null), source: { ts_ms: atMs }, ...changed })
  const after = { ...row, limit: Buffer.from('01f4', 'hex'), since: atMs * 1000 + 7 }
  assert.deepEqual(plan.format.decode(write({ after, transaction: { id: 'x' } })), {
    row: [7, 'NL', 500, atMs, false, atMs, 'u', 'x'],
  })
  const before = { id: 7, country: null, limit: null, since: null }
  assert.deepEqual(plan.format.decode(write({ op: 'd', before })), {
    row: [7, null, null, null, true, atMs, 'd', null],
  })
  assert.deepEqual(refusalsOf(plan.format.decode(write({ op: 'c' }))), ['after.id NULL'])
  assert.deepEqual(refusalsOf(plan.format.decode(write({ op: 't' }))), ['op RANGE'])
  assert.deepEqual(refusalsOf(plan.format.decode(write({ after }).subarray(0, 9))), ['after.limit AVRO'])
})

test('a column outside the key has to be optional, and keys are fields', () => {
  const faulty = (format: ReturnType<typeof debezium>, fields: object = {}): void => {
    const from = stream('customers', { ...options, fields: { ...options.fields, ...fields }, format })
    compile([featureView('rows', { from, by: customer, features: (on) => ({ country: on.row('country') }) })])
  }
  assert.throws(() => faulty(debezium({ key: ['id'] }), { country: string() }), /customers\.fields\.country/)
  assert.throws(() => faulty(debezium({ key: ['idd'] })), /customers\.format\.key/)
  assert.throws(() => faulty(debezium({ key: [] })), /primary key/)
  assert.throws(() => faulty(debezium({ key: ['id'], encoding: avro({ registry: 'http://u:p@host' }) })), /secrets/)
  assert.throws(
    () => faulty(debezium({ key: ['id'], encoding: avro({ schema: '{"type":"nonsense"}' }) })),
    /no Avro schema/,
  )
})
