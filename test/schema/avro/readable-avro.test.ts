import assert from 'node:assert/strict'
import { test } from 'node:test'
import avsc from 'avsc'
import { AvroFault } from '../../../src/schema/avro/avro-input.ts'
import { parseAvroSchema } from '../../../src/schema/avro/avro-type.ts'
import { readableAvro } from '../../../src/schema/avro/readable-avro.ts'

const schema = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'share', type: 'double' },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['NEW', 'OLD'] } },
    { name: 'note', type: ['null', 'string'] },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    { name: 'counts', type: { type: 'map', values: 'int' } },
    { name: 'mark', type: { type: 'fixed', name: 'Mark', size: 2 } },
    { name: 'price', type: 'bytes' },
  ],
}
const written = avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: false })
const read = parseAvroSchema(
  JSON.stringify({
    ...schema,
    fields: schema.fields.map((field) =>
      field.name === 'price'
        ? { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } }
        : field,
    ),
  }),
)
const order = { id: -7, share: 0.1, kind: 'OLD', note: 'a “note”', tags: ['x', 'y'], counts: { a: 1, b: -2 } }
const bytes = { mark: Buffer.from([1, 2]), price: Buffer.from([0xff, 0x38]) }

test('a value in Avro is shown as its writer wrote it, without any field', () => {
  const raw = written.toBuffer({ ...order, ...bytes })
  assert.deepEqual(readableAvro(read, raw, 0), { ...order, mark: 'AQI=', price: '-2.00' })
  assert.deepEqual(readableAvro(read, Buffer.concat([Buffer.alloc(5), raw]), 5), readableAvro(read, raw, 0))
})

test('what is not as the schema says, or larger than anybody reads, is refused', () => {
  const raw = written.toBuffer({ ...order, ...bytes })
  assert.throws(() => readableAvro(read, raw.subarray(0, -1), 0), AvroFault)
  assert.throws(() => readableAvro(read, Buffer.concat([raw, Buffer.alloc(1)]), 0), /follow its end/)
  // A block of 2^40 nulls takes seven bytes.
  const nulls = parseAvroSchema('{"type":"array","items":"null"}')
  const block = avsc.Type.forSchema('long').toBuffer(2 ** 40)
  assert.throws(() => readableAvro(nulls, block, 0), /too large/)
})
