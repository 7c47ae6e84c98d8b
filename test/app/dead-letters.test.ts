import assert from 'node:assert/strict'
import { test } from 'node:test'
import { letters, newestLetters } from '../../src/app/dead-letters.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { LogRecord, RecordInput } from '../../src/log/log.ts'
import { deadLetterTopic } from '../../src/plan/topics.ts'
import { rejectionRecord } from '../../src/stream/rejection.ts'
import { openMemoryLog } from '../stream/cluster/engines.ts'

test('a dead letter that an owner and its successor wrote is listed once, where it was written first', async () => {
  const log = await openMemoryLog()
  await log.createTopic(deadLetterTopic, { partitions: 2 })
  await log.append(deadLetterTopic, 0, [letter(3), letter(5), letter(6, 2)])
  // A stopped process goes on behind its successor; the source of the last one is another partition.
  await log.append(deadLetterTopic, 0, [letter(5), letter(7), letter(3), letter(6)])
  await log.append(deadLetterTopic, 1, [letter(3, 1)])
  const found: string[] = []
  for await (const one of letters(log, { kind: 'refused' }, { clock: systemClock })) {
    found.push(`${one.outputPartition}@${one.outputOffset} of ${one.partition}@${one.offset}`)
  }
  const wanted = ['0@0 of 0@3', '0@1 of 0@5', '0@2 of 2@6', '0@4 of 0@7', '0@6 of 0@6', '1@0 of 1@3']
  assert.deepEqual(found, wanted)
  const { total, newest } = await newestLetters(log, { kind: 'refused' }, { countMax: 10, clock: systemClock })
  assert.deepEqual([total, newest.length], [6, 6])
  await log.close()
})

/** Of the stream's record at an offset. */
function letter(offset: number, partition = 0): RecordInput {
  const record: LogRecord = { offset, key: null, value: Buffer.from(`event ${offset}`), timestampMs: 0, headers: [] }
  const refusals = [{ code: 'JSON', path: '', came: 'text', allowed: 'JSON' }]
  return rejectionRecord({
    stream: 'payments',
    topic: 'payments',
    partition,
    record,
    why: { verdict: 'refused', refusals },
  })
}
