import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../src/base/crc32c.ts'
import { MillraceError } from '../../src/base/faults.ts'
import type { LogRecord, RecordInput } from '../../src/log/log.ts'
import {
  batchBytesNeeded,
  batchHeaderBytes,
  encodeBatch,
  findBatchDamage,
  readBatchHeader,
  setPartitionLeaderEpoch,
  timestampMsMax,
} from '../../src/log/record-batch.ts'
import { decodeRecords } from '../../src/log/record-decoder.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const records: readonly RecordInput[] = [
  { key: text('k1'), value: text('v1'), timestampMs: 1_700_000_000_000 },
  { key: null, value: bytes(), timestampMs: 1_700_000_000_250, headers: [['trace', bytes(0, 255)]] },
  {
    key: bytes(),
    value: null,
    timestampMs: 1_699_999_999_000,
    headers: [
      ['a', bytes()],
      ['é', text('x')],
    ],
  },
]

// Written by kafka-python 3.0.12 and by kafkajs 2.2.4 from these records: the two agree on every byte.
const golden =
  '0000000000000000' + // base offset
  '0000005d' + // 93 bytes follow
  '00000000' + // partition leader epoch
  '02' + // format
  '21627902' + // CRC-32C of all that follows
  '0000' + // attributes
  '00000002' + // last offset delta
  '0000018bcfe56800' +
  '0000018bcfe568fa' + // base and newest timestamp
  'ffffffffffffffffffffffffffff' + // producer id, epoch, sequence: none
  '00000003' + // records
  '14000000046b3104763100' + // 10 bytes: attributes, deltas 0 and 0, "k1", "v1", no header
  '2000f403020100020a74726163650400ff' + // delta 250, offset 1, key null, value empty, "trace"
  '1e00cf0f0400010402610004c3a90278' // delta -1000, offset 2, key empty, value null, "a", "é"

function decodeAll(batch: Uint8Array, offset = 0, bytesMax = Number.POSITIVE_INFINITY): LogRecord[] {
  const into: LogRecord[] = []
  decodeRecords({ bytes: batch, at: 0 }, { offset, bytesMax }, into)
  return into
}

const codeOf = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof MillraceError) return error.code
    throw error
  }
  return 'none'
}

/** Makes the checksum right again after a change, so that the change reaches the decoder. */
function reseal(batch: Uint8Array): Uint8Array {
  new DataView(batch.buffer, batch.byteOffset).setUint32(17, crc32c(batch, 21))
  return batch
}

describe('a record batch', () => {
  test('has the bytes that other Kafka clients write', () => {
    const batch = encodeBatch(records, 0)
    setPartitionLeaderEpoch(batch, 0)
    assert.equal(Buffer.from(batch).toString('hex'), golden)
  })

  test('reads what other Kafka clients wrote', () => {
    const batch = Buffer.from(golden, 'hex')
    assert.equal(findBatchDamage(batch, 0), null)
    const expected = records.map((record, offset) => ({ headers: [], ...record, offset }))
    assert.deepEqual(decodeAll(batch), expected)
    assert.deepEqual(readBatchHeader(batch, 0), {
      baseOffset: 0,
      nextOffset: 3,
      sizeBytes: 105,
      partitionLeaderEpoch: 0,
      attributes: 0,
      baseTimestampMs: 1_700_000_000_000,
      maxTimestampMs: 1_700_000_000_250,
      recordCount: 3,
    })
  })

  test('gives back any records, at any offset, from any place in a larger buffer', () => {
    const anyBytes = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null })
    const anyRecord = fc.record({
      key: anyBytes,
      value: anyBytes,
      timestampMs: fc.oneof(fc.integer({ min: -1, max: 2e12 }), fc.constantFrom(-1, 0, timestampMsMax)),
      headers: fc.array(fc.tuple(fc.string({ unit: 'binary', maxLength: 8 }), fc.uint8Array({ maxLength: 8 })), {
        maxLength: 3,
      }),
    })
    const property = fc.property(
      fc.array(anyRecord, { minLength: 1, maxLength: 80 }),
      fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 52)),
      fc.nat(40),
      (inputs, baseOffset, at) => {
        const batch = encodeBatch(inputs, baseOffset)
        const larger = new Uint8Array(batch.length + at + 9).fill(0xaa)
        larger.set(batch, at)
        assert.equal(batchBytesNeeded(larger, at), batch.length)
        assert.equal(findBatchDamage(larger, at), null)
        const into: LogRecord[] = []
        decodeRecords({ bytes: larger, at }, { offset: 0, bytesMax: Number.POSITIVE_INFINITY }, into)
        assert.deepEqual(
          into,
          inputs.map((record, index) => ({ ...record, offset: baseOffset + index })),
        )
      },
    )
    fc.assert(property, seeded())
  })

  test('decodes only from the offset and up to the size asked for', () => {
    const batch = encodeBatch(
      Array.from({ length: 10 }, () => ({ key: null, value: new Uint8Array(100), timestampMs: 5 })),
      40,
    )
    assert.deepEqual(offsets(decodeAll(batch, 47)), [47, 48, 49])
    assert.deepEqual(offsets(decodeAll(batch, 44, 1)), [44])
    assert.deepEqual(offsets(decodeAll(batch, 0, 250)), [40, 41, 42])
  })

  test('is found damaged when any bit that the checksum covers is flipped', () => {
    const whole = encodeBatch(records, 0)
    for (let bit = 16 * 8; bit < whole.length * 8; bit++) {
      const flipped = Uint8Array.from(whole)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      assert.notEqual(findBatchDamage(flipped, 0), null, `bit ${bit}`)
    }
  })

  test('is found damaged when it is cut at any byte', () => {
    const whole = encodeBatch(records, 0)
    for (let size = 0; size < whole.length; size++) assert.notEqual(findBatchDamage(whole.subarray(0, size), 0), null)
  })

  test('never reads outside itself, whatever its records claim', () => {
    // The batch lies between two others. A byte of them that came out would show as 0xaa.
    const whole = encodeBatch(records, 0)
    const property = fc.property(
      fc.array(fc.tuple(fc.integer({ min: batchHeaderBytes, max: whole.length - 1 }), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      }),
      (changes) => {
        const around = new Uint8Array(whole.length + 200).fill(0xaa)
        const batch = Uint8Array.from(whole)
        for (const [at, value] of changes) batch[at] = value
        around.set(reseal(batch), 100)
        const into: LogRecord[] = []
        const code = codeOf(() => decodeRecords({ bytes: around, at: 100 }, { offset: 0, bytesMax: 1e9 }, into))
        assert.ok(code === 'none' || code === 'RECORD_BATCH_MALFORMED', code)
        for (const { key, value, headers } of into) {
          for (const view of [key, value, ...headers.map((header) => header[1])]) {
            if (view === null || view.length === 0) continue
            assert.ok(view.byteOffset >= 100 + batchHeaderBytes && view.byteOffset + view.length <= 100 + whole.length)
          }
        }
      },
    )
    fc.assert(property, { ...seeded(), numRuns: 2_000 })
  })

  test('refuses a record and a value that both claim a few bytes of what comes after the batch', () => {
    const batch = encodeBatch([{ key: null, value: new Uint8Array(20), timestampMs: 0 }], 0)
    const larger = new Uint8Array(batch.length + 50)
    // Lengths are zigzag varints of one byte here: the record's first, the value's after five others.
    batch[batchHeaderBytes]! += 2 * 5
    batch[batchHeaderBytes + 5]! += 2 * 5
    larger.set(reseal(batch))
    assert.equal(findBatchDamage(larger, 0), null)
    assert.equal(
      codeOf(() => decodeAll(larger, 0, 1)),
      'RECORD_BATCH_MALFORMED',
    )
  })

  test('refuses a count of records that its bytes cannot hold', () => {
    const batch = Uint8Array.from(encodeBatch(records, 0))
    const view = new DataView(batch.buffer)
    view.setInt32(23, 0x7fff_fffe)
    view.setInt32(57, 0x7fff_ffff)
    assert.equal(
      codeOf(() => decodeAll(reseal(batch))),
      'RECORD_BATCH_MALFORMED',
    )
    view.setInt32(57, -1)
    assert.match(findBatchDamage(reseal(batch), 0) ?? '', /-1 records/)
  })

  test('says which compression or attribute it cannot read', () => {
    for (const [attributes, what] of [
      [2, 'compression snappy'],
      [0b10_0000, 'attributes 0b100000'],
    ] as const) {
      const batch = Uint8Array.from(encodeBatch(records, 0))
      batch[22] = attributes
      reseal(batch)
      assert.equal(findBatchDamage(batch, 0), null)
      assert.throws(() => decodeAll(batch), { code: 'RECORD_BATCH_UNSUPPORTED', details: { what } })
    }
  })

  test('gives every record the time of its append when the topic says so', () => {
    const batch = Uint8Array.from(encodeBatch(records, 0))
    batch[22] = 0b1000
    assert.deepEqual(
      decodeAll(reseal(batch)).map((record) => record.timestampMs),
      [1_700_000_000_250, 1_700_000_000_250, 1_700_000_000_250],
    )
  })
})

function offsets(list: readonly LogRecord[]): number[] {
  return list.map((record) => record.offset)
}

/** fast-check prints the seed of a failure; `SEED=…` replays it. */
function seeded(): { seed?: number } {
  return process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }
}
