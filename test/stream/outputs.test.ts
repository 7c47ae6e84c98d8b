// Goal: a rejected record is in its output topic once, whatever it is made of, and never stops the engine.
// Method: through the engine where the engine has a part in it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { deadLetterTopic, lateTopic } from '../../src/plan/topics.ts'
import { Outputs, readRejection, type Rejection } from '../../src/stream/outputs.ts'
import { assertMatchesLog, readPartition } from '../oracle/matches-log.ts'
import { makeDisk, nowMs, type Process, send, startProcess } from './harness.ts'

const key = entity('one', { k: int() })

function viewOf(topic: string, options: { lateness?: '1s' | '1h'; wide?: number } = {}) {
  const wide = Object.fromEntries(Array.from({ length: options.wide ?? 0 }, (_, nth) => [`field_${nth}`, string()]))
  const from = stream('events', {
    topic,
    fields: { ...wide, id: string(), k: int(), at: timestamp('ms') },
    time: 'at',
    id: 'id',
    lateness: options.lateness ?? '1s',
  })
  return featureView('counted', { from, by: key, features: (on) => ({ events: on.count({ over: 'lifetime' }) }) })
}

const event = (id: string, beforeMs: number): object => ({ id, k: 1, at: nowMs - beforeMs })

async function finish(process: Process, views: readonly ReturnType<typeof viewOf>[]) {
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  return await assertMatchesLog({ ...process, views }, [0])
}

test('an event with a thousand faults is one dead letter that says how many', async () => {
  const view = viewOf('wide', { wide: 900 })
  const process = await startProcess(makeDisk(), { views: [view] })
  await send(process, { topic: 'wide', partition: 0 }, [{}])
  assert.equal((await finish(process, [view])).deadLetters, 1)
  const [record] = await readPartition(process.log, deadLetterTopic, 0)
  const { detail } = readRejection(record!)
  assert.ok(Array.isArray(detail) && detail.length > 50)
  const more = detail.at(-1) as { code: string; came: string }
  assert.deepEqual(more, { code: 'MORE', path: '', came: `${903 - (detail.length - 1)} more faults`, allowed: 'none' })
})

test('an event with as many headers as the log takes is a dead letter; what found no room is counted', async () => {
  const view = viewOf('raw')
  const process = await startProcess(makeDisk(), { views: [view] })
  const headers = Array.from({ length: 65 }, (_, nth) => [`h${nth}`, Buffer.alloc(1000, nth)] as const)
  const value = Buffer.from('no event')
  await process.log.append('raw', 1, [{ key: Buffer.from('k'), value, timestampMs: nowMs, headers }])
  assert.equal((await finish(process, [view])).deadLetters, 1)
  const [record] = await readPartition(process.log, deadLetterTopic, 1)
  const dropped = record!.headers.find(([name]) => name === 'millrace.headers-dropped')
  assert.equal(Buffer.from(dropped![1]).toString(), '33')
  assert.deepEqual(
    record!.headers.slice(0, 32).map(([name]) => name),
    headers.slice(0, 32).map(([name]) => name),
  )
  assert.equal(Buffer.from(record!.key!).toString(), 'k')
})

test('an event that carries headers of our names does not mislead', async () => {
  const view = viewOf('raw')
  const disk = makeDisk()
  const first = await startProcess(disk, { views: [view], cut: { at: 1, mode: 'before' } })
  const forged = [
    ['millrace.offset', Buffer.from('7')],
    ['millrace.detail', Buffer.from('{')],
  ] as const
  await first.log.append('raw', 0, [{ key: null, value: null, timestampMs: nowMs, headers: forged }])
  await first.engine.caughtUp()
  void first.engine.checkpoint()
  await first.steps.reached
  const second = await startProcess(disk, { views: [view] })
  assert.equal((await finish(second, [view])).deadLetters, 1)
})

test('what others write to an output topic is left alone', async () => {
  const view = viewOf('raw')
  const disk = makeDisk()
  const first = await startProcess(disk, { views: [view] })
  await send(first, { topic: 'raw', partition: 0 }, [{ bad: 1 }])
  const headers = [['millrace.detail', Buffer.from('{')]] as const
  await first.log.append(deadLetterTopic, 0, [{ key: null, value: null, timestampMs: 0, headers }])
  await first.engine.caughtUp()
  await first.engine.close()
  const second = await startProcess(disk, { views: [view] })
  await second.engine.caughtUp()
  assert.equal(second.log.end(deadLetterTopic, 0), 2)
})

test('many small events with large faults are appended in pieces, and wait for no timer', async () => {
  const view = viewOf('wide', { wide: 900 })
  const process = await startProcess(makeDisk(), { views: [view] })
  for (const partition of [0, 1]) {
    const nothing = Array.from({ length: 1_200 }, () => ({}))
    await send(process, { topic: 'wide', partition }, nothing)
  }
  await process.engine.caughtUp()
  assert.ok(process.steps.count > 4, 'there were checkpoints, with several appends')
  await process.engine.checkpoint()
  for (const partition of [0, 1]) assert.equal(process.log.end(deadLetterTopic, partition), 1_200)
})

test('other definitions of a stream find outputs of the first ones and take only their own for theirs', async () => {
  const disk = makeDisk()
  const moved = { ...disk, store: makeDisk().store }
  const [before, after] = [viewOf('old'), viewOf('new', { lateness: '1h' })]
  const first = await startProcess(disk, { views: [before] })
  await send(first, { topic: 'old', partition: 0 }, [{ bad: 1 }, event('a', 0), event('b', 5_000)])
  await finish(first, [before])
  // The same stream on another topic: the same coordinates but for the topic.
  const second = await startProcess(moved, { views: [after] })
  await send(second, { topic: 'new', partition: 0 }, [{ bad: 2 }, event('a', 0), event('b', 5_000_000)])
  await second.engine.caughtUp()
  await second.engine.checkpoint()
  assert.equal(second.log.end(deadLetterTopic, 0), 2)
  assert.equal(second.log.end(lateTopic, 0), 2)
})

test('late events that other definitions accept do not hold back the ends of a checkpoint', async () => {
  const disk = makeDisk()
  const other = { ...disk, store: makeDisk().store }
  const [strict, lenient] = [viewOf('raw'), viewOf('raw', { lateness: '1h' })]
  const first = await startProcess(disk, { views: [strict] })
  await send(first, { topic: 'raw', partition: 0 }, [event('a', 0), event('b', 5_000), { bad: 1 }])
  await finish(first, [strict])
  const second = await startProcess(other, { views: [lenient] })
  await second.engine.caughtUp()
  await second.engine.checkpoint()
  assert.equal(second.log.end(deadLetterTopic, 0), 1, 'refused by both, and there once')
  const checkpoint = JSON.parse(Buffer.from(other.store.get(Uint8Array.of(0))!).toString()) as { outputs: unknown }
  assert.deepEqual(checkpoint.outputs, { [deadLetterTopic]: [1, 0], [lateTopic]: [1, 0] })
})

test('the ends of a checkpoint are as of where it was cut, whatever is recognised while outputs are written', async () => {
  const { log } = await startProcess(makeDisk(), { views: [viewOf('raw')], partitions: 1 })
  const rejection = (offset: number): Rejection => ({
    stream: 'events',
    topic: 'raw',
    partition: 0,
    record: { offset, timestampMs: nowMs, key: null, value: null, headers: [] },
    why: { verdict: 'late', ts: 1, watermark: 2 },
  })
  const before = new Outputs(log)
  for (const offset of [3, 4]) before.add(rejection(offset))
  await before.flush(before.take(() => 5))
  // The crash came before the checkpoint: both are to be judged again.
  const after = new Outputs(log)
  await after.restore({}, () => 3)
  after.add(rejection(3))
  const taken = after.take(() => 4)
  const flushed = after.flush(taken)
  after.add(rejection(4))
  after.add(rejection(5))
  assert.deepEqual((await flushed)[lateTopic], [1], 'record 4 is not covered yet')
  assert.deepEqual((await after.flush(after.take(() => 6)))[lateTopic], [3])
  assert.deepEqual(
    (await readPartition(log, lateTopic, 0)).map((record) => readRejection(record).offset),
    [3, 4, 5],
  )
})
