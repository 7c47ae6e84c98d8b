// Goal: closing waits for what was asked for before, so that log and store can be closed after it.
// Method: an append to the topic of forgotten entities, or a write of the store, is held while the engine is closed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/plan/compile.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { makeEvent, payments, views } from '../integration/kill-stream.ts'
import { makeDisk, send, startProcess } from './harness.ts'

const [spending, risk] = views
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const turns = async (count: number): Promise<void> => {
  for (let left = count; left > 0; left--) await turn()
}
const events = Array.from({ length: 20 }, (_, index) => makeEvent(7, index))

test('close waits for an entity that is being forgotten, and its last checkpoint has it', async () => {
  const held = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const disk = makeDisk()
  const process = await startProcess(disk, {
    views,
    partitions: 1,
    wrapLog: (log) => ({
      id: log.id,
      createTopic: (topic, options) => log.createTopic(topic, options),
      topics: () => log.topics(),
      read: (topic, partition, offset, bytesMax) => log.read(topic, partition, offset, bytesMax),
      start: (topic, partition) => log.start(topic, partition),
      end: (topic, partition) => log.end(topic, partition),
      refresh: (topic) => log.refresh(topic),
      offsetAt: (topic, partition, timestampMs) => log.offsetAt(topic, partition, timestampMs),
      waitFor: (topic, partition, offset, signal) => log.waitFor(topic, partition, offset, signal),
      close: () => log.close(),
      append: async (topic, partition, records) => {
        if (topic === 'forgotten-entities') {
          asked.resolve()
          await held.promise
        }
        return await log.append(topic, partition, records)
      },
    }),
  })
  await send(process, { topic: payments.topic, partition: 0 }, events)
  await process.engine.caughtUp()
  const forgotten = Promise.allSettled([process.engine.forget('customer', encodeKey(['int'], [1]))])
  await asked.promise
  let closed = false
  const closing = process.engine.close().then(() => {
    closed = true
  })
  await turns(20)
  assert.equal(closed, false)
  held.resolve()
  await closing
  await forgotten
  await process.log.close()
  const second = await startProcess(disk, { views, partitions: 1 })
  await second.engine.caughtUp()
  assert.equal(second.engine.state(second.plan.views[0]!, encodeKey(['int'], [1])), null)
  await second.engine.close()
})

test('close ends a plan that was just asked for', async () => {
  const process = await startProcess(makeDisk(), { views: [spending], partitions: 1, delay: () => 5 })
  await send(process, { topic: payments.topic, partition: 0 }, events)
  const applied = Promise.allSettled([process.engine.apply(compile([risk])), process.engine.apply(compile([spending]))])
  await process.engine.close()
  for (const { status } of await applied) assert.equal(status, 'rejected')
  await process.log.close()
})
