import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32c } from '../../../src/base/crc32c.ts'
import { compressions } from '../../../src/log/kafka/compression.ts'
import { type AbortedTransaction, openChunk, readChunks } from '../../../src/log/kafka/fetched-batches.ts'
import { sealBatch } from '../../../src/log/kafka/seal-batch.ts'
import type { RecordInput } from '../../../src/log/log.ts'
import { encodeBatch } from '../../../src/log/record-batch.ts'

/**
 * Goal: of what a broker sends, exactly the committed records come out, wherever the answer begins and is cut, and
 * nothing of what was changed on the way. Method: answers put together by hand. `test/kafka` does it on a real broker.
 */
type Part = { readonly values: readonly string[]; readonly producer?: bigint; readonly control?: 'abort' | 'commit' }

const place = { topic: 't', partition: 0, offset: 0 }
const transactional = 0b1_0000
const control = 0b10_0000

/** Batches in a row, from `baseOffset` on; those of a producer are in a transaction. */
function answerOf(parts: readonly Part[], baseOffset = 0, compression: (typeof compressions)[number] = 'none'): Buffer {
  let offset = baseOffset
  return Buffer.concat(
    parts.map(({ values, producer, control: marker }) => {
      const key = marker === undefined ? null : Buffer.from([0, 0, 0, marker === 'commit' ? 1 : 0])
      const list = marker === undefined ? values : ['']
      const records = list.map((value): RecordInput => ({ key, value: Buffer.from(value), timestampMs: 7 }))
      const plain = Buffer.from(encodeBatch(records, offset))
      const sealed = sealBatch(plain, { id: producer ?? -1n, epoch: 0, sequence: 0 }, compression)
      const bits = (producer === undefined ? 0 : transactional) | (marker === undefined ? 0 : control)
      sealed.writeInt16BE(sealed.readInt16BE(21) | bits, 21)
      sealed.writeUInt32BE(crc32c(sealed, 21), 17)
      offset += records.length
      return sealed
    }),
  )
}

function valuesOf(bytes: Buffer, aborted: readonly AbortedTransaction[] = [], offset = 0): string[] {
  const { records } = readChunks([openChunk(bytes, { ...place, offset }, aborted)], { ...place, offset }, 1_000_000)
  return records.map(({ value }) => Buffer.from(value!).toString())
}

const abort = (producer: bigint): Part => ({ values: [], producer, control: 'abort' })
const commit = (producer: bigint): Part => ({ values: [], producer, control: 'commit' })

describe('what was fetched', () => {
  test('gives committed records, and those outside of transactions', () => {
    const bytes = answerOf([
      { values: ['a', 'b'], producer: 1n },
      { values: ['plain'] },
      { values: ['c'], producer: 2n },
      abort(1n),
      { values: ['d'], producer: 1n },
      commit(2n),
      commit(1n),
    ])
    assert.deepEqual(valuesOf(bytes, [{ producerId: 1n, firstOffset: 0 }]), ['plain', 'c', 'd'])
  })

  test('knows several aborted transactions of one producer from each other, in any order of the list', () => {
    const bytes = answerOf([
      { values: ['a'], producer: 1n },
      abort(1n),
      { values: ['b'], producer: 1n },
      commit(1n),
      { values: ['c'], producer: 1n },
      abort(1n),
    ])
    const aborted = [4, 0].map((firstOffset) => ({ producerId: 1n, firstOffset }))
    assert.deepEqual(valuesOf(bytes, aborted), ['b'])
  })

  test('drops what belongs to a transaction that began before it, or whose marker comes after it', () => {
    const bytes = answerOf(
      [
        { values: ['a'], producer: 1n },
        { values: ['b'], producer: 2n },
      ],
      10,
    )
    const aborted = [
      { producerId: 1n, firstOffset: 3 },
      { producerId: 2n, firstOffset: 11 },
    ]
    assert.deepEqual(valuesOf(bytes, aborted, 10), [])
    assert.equal(openChunk(bytes, { ...place, offset: 10 }, aborted).next, 12)
  })

  test('begins in the middle of a batch, and ends before one that is cut', () => {
    const whole = answerOf([{ values: ['a', 'b', 'c'] }, { values: ['d', 'e'] }])
    assert.deepEqual(valuesOf(whole, [], 2), ['c', 'd', 'e'])
    const first = answerOf([{ values: ['a', 'b', 'c'] }]).length
    for (let length = first; length < whole.length; length++) {
      const chunk = openChunk(whole.subarray(0, length), place, [])
      assert.equal(chunk.next, 3)
    }
    assert.equal(openChunk(whole.subarray(0, first - 1), place, []).next, 0)
  })

  test('reads in portions, the next of which goes on where the last one ended', () => {
    for (const compression of compressions) {
      const long = 'x'.repeat(200)
      const bytes = answerOf([{ values: ['a', long, 'c'] }, { values: [long, 'e'] }], 0, compression)
      const chunk = openChunk(bytes, place, [])
      const seen: number[] = []
      for (let offset = 0; offset < chunk.next; ) {
        const { records, next } = readChunks([chunk], { ...place, offset }, 1)
        assert.equal(records.length, 1)
        seen.push(...records.map((record) => record.offset))
        offset = next
      }
      assert.deepEqual(seen, [0, 1, 2, 3, 4], compression)
    }
  })

  test('gives what came with several answers at once, up to as much as was asked for', () => {
    const parts = [['a'], ['b', 'c'], ['d']]
    let offset = 0
    const chunks = parts.map((values) => {
      const chunk = openChunk(answerOf([{ values }], offset), { ...place, offset }, [])
      offset = chunk.next
      return chunk
    })
    const all = readChunks(chunks, place, 1_000_000)
    assert.deepEqual(
      all.records.map((record) => record.offset),
      [0, 1, 2, 3],
    )
    assert.equal(all.next, 4)
    for (let from = 0; from < 4; from++) {
      const { records, next } = readChunks(chunks, { ...place, offset: from }, 1)
      assert.deepEqual([records.map((record) => record.offset), next], [[from], from + 1])
    }
  })

  test('goes on behind an answer that held nothing but a gap', () => {
    const gap = { from: 0, next: 5, bytes: 0, epoch: -1, batches: [] }
    const chunk = openChunk(answerOf([{ values: ['a'] }], 5), { ...place, offset: 5 }, [])
    const { records, next } = readChunks([gap, chunk], place, 1_000_000)
    assert.deepEqual([records.map((record) => record.offset), next], [[5], 6])
    assert.deepEqual(readChunks([gap], place, 1_000_000), { records: [], next: 5 })
  })

  test('refuses a batch of which any bit was changed on the way', () => {
    const bytes = answerOf([{ values: ['a', 'b'], producer: 5n }])
    for (let bit = 16 * 8; bit < bytes.length * 8; bit++) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      assert.throws(() => openChunk(damaged, place, []), { code: 'KAFKA_RECORDS_DAMAGED' }, `bit ${bit}`)
    }
  })

  test('says so when a batch does not decompress', () => {
    const bytes = answerOf([{ values: ['a'.repeat(500)] }], 0, 'gzip')
    bytes.fill(0, 80)
    bytes.writeUInt32BE(crc32c(bytes, 21), 17)
    assert.throws(() => valuesOf(bytes), { code: 'KAFKA_RECORDS_DAMAGED', message: /decompressed/ })
  })
})
