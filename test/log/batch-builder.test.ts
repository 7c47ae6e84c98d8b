import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BatchBuilder } from '../../src/log/batch-builder.ts'
import type { RecordInput } from '../../src/log/log.ts'
import { crc32c } from '../../src/base/crc32c.ts'
import { encodeBatch } from '../../src/log/record-batch.ts'

/**
 * Goal: records that come call by call make the very batch that they make at once, and a call that does not fit leaves
 * no trace. Method: the encoder of whole batches, which is tested against other clients, as the oracle.
 */
const bytes = fc.option(fc.uint8Array({ maxLength: 60 }), { nil: null })
const record: fc.Arbitrary<RecordInput> = fc.record({
  key: bytes,
  value: bytes,
  timestampMs: fc.oneof(
    fc.integer({ min: -1, max: 1_000 }),
    fc.integer({ min: 1_700_000_000_000, max: 1_700_100_000_000 }),
  ),
  headers: fc.array(fc.tuple(fc.constantFrom('a', 'é', 'millrace.source', ''), fc.uint8Array({ maxLength: 40 }))),
})
const calls = fc.array(fc.array(record, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 })
const seed = process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }

function finished(builder: BatchBuilder): Buffer {
  const batch = Buffer.from(builder.finish())
  batch.writeUInt32BE(crc32c(batch, 21), 17)
  return batch
}

describe('a batch that is built call by call', () => {
  test('has the bytes of one that is encoded at once, whatever room was thought of', () => {
    fc.assert(
      fc.property(calls, fc.nat(4_000), (list, bytesLikely) => {
        const builder = new BatchBuilder(bytesLikely)
        for (const one of list) assert.equal(builder.add(one, Number.POSITIVE_INFINITY), true)
        assert.deepEqual(finished(builder), Buffer.from(encodeBatch(list.flat(), 0)))
        assert.equal(builder.count, list.flat().length)
        assert.equal(builder.newestMs, Math.max(...list.flat().map(({ timestampMs }) => timestampMs)))
      }),
      seed,
    )
  })

  test('takes a call whole or not at all, and the first whatever its size', () => {
    fc.assert(
      fc.property(calls, fc.integer({ min: 0, max: 1_500 }), (list, bytesMax) => {
        const builder = new BatchBuilder(0)
        const taken = list.filter((one) => builder.add(one, bytesMax))
        const batch = finished(builder)
        assert.equal(taken[0], list[0])
        assert.deepEqual(batch, Buffer.from(encodeBatch(taken.flat(), 0)))
        assert.ok(taken.length === 1 || batch.length <= bytesMax)
        assert.equal(builder.size, batch.length)
      }),
      seed,
    )
  })

  test('is as it was after a call that no batch can hold', () => {
    const good: RecordInput = { key: null, value: Buffer.from('x'), timestampMs: 7 }
    const builder = new BatchBuilder(0)
    builder.add([good], 1_000)
    assert.throws(() => builder.add([good, { ...good, timestampMs: 1.5 }], 1_000), /timestamp/)
    assert.throws(() => builder.add([good, { ...good, headers: [['\ud800', new Uint8Array()]] }], 1_000), /surrogate/)
    assert.deepEqual(finished(builder), Buffer.from(encodeBatch([good], 0)))
  })

  test('keeps nothing of the bytes that it was given', () => {
    const value = Buffer.from('before')
    const builder = new BatchBuilder(0)
    builder.add([{ key: value, value, timestampMs: 7, headers: [['h', value]] }], 1_000)
    const expected = finished(builder)
    value.fill(0)
    assert.deepEqual(finished(builder), expected)
  })
})
