// Goal: what a plan no longer needs is deleted from the store only once no checkpoint there speaks of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeEvent, payments } from '../integration/kill-stream.ts'
import { variants } from '../chaos/variants.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { makeDisk, type Process, send, startProcess } from './harness.ts'

const { topic } = payments

async function sendSome(process: Process, from: number): Promise<void> {
  const events = Array.from({ length: 60 }, (_, nth) => makeEvent(5, from + nth))
  await send(process, { topic, partition: 0 }, events)
  await process.engine.caughtUp()
}

async function check(process: Process, views: (typeof variants)['a' | 'b']): Promise<void> {
  await process.engine.settled()
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  await assertMatchesLog({ ...process, plan: process.engine.plan, views }, [0, 1, 30_000])
}

test('definitions left, died before the next checkpoint, and come back to', async () => {
  const disk = makeDisk()
  const first = await startProcess(disk, { views: variants.b, partitions: 1 })
  await sendSome(first, 0)
  await first.engine.close()
  const second = await startProcess(disk, { views: variants.a, partitions: 1 })
  assert.ok(second.engine.fault === null)
  second.steps.die()
  const third = await startProcess(disk, { views: variants.b, partitions: 1 })
  await sendSome(third, 60)
  await check(third, variants.b)
  await third.engine.close()
})

test('definitions asked for and dropped while they were built, and asked for again after a crash', async () => {
  const disk = makeDisk()
  const first = await startProcess(disk, { views: variants.a, partitions: 1 })
  await sendSome(first, 0)
  const { plan: planB } = await startProcess(makeDisk(), { views: variants.b, partitions: 1 })
  const { plan: planA } = first
  const building = first.engine.apply(planB).catch(() => undefined)
  await first.engine.checkpoint()
  const back = first.engine.apply(planA)
  await Promise.all([building, back])
  await first.engine.settled()
  first.steps.die()
  const second = await startProcess(disk, { views: variants.b, partitions: 1 })
  await sendSome(second, 60)
  await check(second, variants.b)
  await second.engine.close()
})
