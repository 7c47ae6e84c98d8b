import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LogRecord, RecordInput } from '../../../src/log/log.ts'
import {
  nameOfSource,
  ProcessedReader,
  processedEvent,
  processedMark,
  readProcessed,
} from '../../../src/stream/cluster/processed-record.ts'

/** Goal: what a record carries is read the same by whoever reads one and by whoever reads many. */
const plain: LogRecord = { offset: 5, timestampMs: 7, key: Buffer.from('k'), value: Buffer.from('v'), headers: [] }

function recordOf(input: RecordInput, offset: number): LogRecord {
  return { ...input, offset, headers: input.headers ?? [] }
}

const sources = [0, 1, 10, 11, 100].flatMap((partition) =>
  ['payments', 'refunds'].map((stream) => nameOfSource({ stream, topic: `${stream}.v1`, partition })),
)

describe('a record of processed events', () => {
  test('says where its event lay, however many sources a topic has', () => {
    const reader = new ProcessedReader('t')
    for (let round = 0; round < 3; round++) {
      for (const [index, source] of sources.entries()) {
        const offset = index === 0 ? Number.MAX_SAFE_INTEGER - round : 10 ** index + round
        const since = round === 0 ? 0 : offset - 1
        const event = recordOf(processedEvent({ ...plain, offset }, { source, since, key: plain.key! }), round)
        assert.deepEqual(reader.read(event), { source, offset, since, watermark: null })
        assert.deepEqual(reader.read(event), readProcessed(event, 't'))
        const mark = recordOf(processedMark(source, { offset, since, watermark: -1, timestampMs: 7 }), round)
        assert.deepEqual(reader.read(mark), { source, offset, since, watermark: -1 })
      }
    }
  })

  test('is told by its last header, so that one of the same name in the event does not mislead', () => {
    const reader = new ProcessedReader('t')
    const headers = [['millrace.source', Buffer.from('a b 1 2 3')] as const]
    const event = processedEvent({ ...plain, headers }, { source: 'payments p 0', since: 4, key: plain.key! })
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(reader.read(recordOf(event, 1)), {
        source: 'payments p 0',
        offset: 5,
        since: 4,
        watermark: null,
      })
    }
  })

  test('is refused when no process of ours wrote it, also after many that one did', () => {
    const reader = new ProcessedReader('t')
    const event = processedEvent(plain, { source: 'payments p 0', since: 4, key: plain.key! })
    reader.read(recordOf(event, 1))
    for (const text of ['payments p 0 ', 'payments p 0 5', 'payments p 0 x 4', 'payments p 0 5 4x', '']) {
      const foreign: LogRecord = { ...plain, headers: [['millrace.source', Buffer.from(text)]] }
      assert.throws(() => reader.read(foreign), { code: 'PROCESSED_RECORD_FOREIGN' }, text)
    }
    assert.throws(() => reader.read(plain), { code: 'PROCESSED_RECORD_FOREIGN' })
  })
})
