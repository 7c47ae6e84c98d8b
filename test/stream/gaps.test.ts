// Goal: an engine on a log whose offsets have gaps comes to what the same records without gaps come to, also when it
// starts again and when all readers of a topic have to stand at one prefix. Method: two of three offsets of the source
// topic hold nothing, as after compaction; the naive model reads the log through the same gaps.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Log, LogRead } from '../../src/log/log.ts'
import { makeEvent, payments, views } from '../integration/kill-stream.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { makeDisk, send, startProcess } from './harness.ts'

const stride = 3

/** The record at offset o of the source topic is at 3 o + 1; what ends at o ends at 3 o. */
function withGaps(log: Log): Log {
  const own = (topic: string): boolean => topic === payments.topic
  const inside = (offset: number): number => Math.floor((offset + 1) / stride)
  const read = async (topic: string, partition: number, offset: number, bytesMax: number): Promise<LogRead> => {
    // Once in a while nothing but the gap.
    if (offset % stride === 2) return { records: [], next: offset + 1 }
    const { records, next } = await log.read(topic, partition, inside(offset), bytesMax)
    const moved = records.map((record) => ({ ...record, offset: record.offset * stride + 1 }))
    return { records: moved, next: next * stride }
  }
  return {
    id: log.id,
    createTopic: (topic, options) => log.createTopic(topic, options),
    topics: () => log.topics(),
    append: (topic, partition, records) => log.append(topic, partition, records),
    read: (...args) => (own(args[0]) ? read(...args) : log.read(...args)),
    start: (topic, partition) => log.start(topic, partition),
    end: (topic, partition) => log.end(topic, partition) * (own(topic) ? stride : 1),
    refresh: (topic) => log.refresh(topic),
    offsetAt: (topic, partition, timestampMs) => log.offsetAt(topic, partition, timestampMs),
    waitFor: (topic, partition, offset, signal) =>
      log.waitFor(topic, partition, own(topic) ? inside(offset) : offset, signal),
    close: () => log.close(),
  }
}

test('gaps between offsets change nothing, across a restart in the middle', async () => {
  const disk = makeDisk()
  const options = { views, partitions: 2, wrapLog: withGaps, readMax: 7 }
  const events = Array.from({ length: 200 }, (_, index) => makeEvent(11, index))
  const first = await startProcess(disk, options)
  await send(first, { topic: payments.topic, partition: 0 }, events.slice(0, 90))
  await send(first, { topic: payments.topic, partition: 1 }, events.slice(90, 120))
  await first.engine.caughtUp()
  await first.engine.close()
  await first.log.close()

  const second = await startProcess(disk, options)
  await send(second, { topic: payments.topic, partition: 0 }, events.slice(120))
  await second.engine.caughtUp()
  await second.engine.checkpoint()
  const subject = { plan: second.plan, engine: second.engine, views, log: withGaps(second.log) }
  const tally = await assertMatchesLog(subject, [0, 60_000])
  assert.equal(tally.records, 200)
  assert.ok(tally.values > 100, `${tally.values} values`)
  await second.engine.close()
  await second.log.close()
})
