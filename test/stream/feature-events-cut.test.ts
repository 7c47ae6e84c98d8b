// Goal: wherever a run is cut off, and its recovery again, every finished value is there once.
// Method: as `cut.test.ts`, with views that emit per event and per interval. Of one partition everything is determined:
// exactly one record each. Of two, what they emit depends on which was read first; then nothing may be said twice, and
// the last word on every interval must be right.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeEvent, payments } from '../integration/kill-stream.ts'
import { assertPerEvent, assertPerInterval } from '../oracle/matches-feature-events.ts'
import { emittingList, emittingViews, everyMs } from './emitting.ts'
import { type Cut, type CutMode, type Disk, makeDisk, type Process, send, settle, startProcess } from './harness.ts'

const seed = 7
const { topic } = payments
/** One partition sees everything that two see of half as much. */
type Shape = { readonly partitions: 1 | 2; readonly batches: number }

function checkpointOften(): (engine: Process['engine']) => void {
  let turns = 0
  return (engine) => {
    if (turns++ % 2 === 0) void attempt(engine)
  }
}

async function attempt(engine: Process['engine']): Promise<void> {
  await engine.checkpoint().catch((error: unknown) => {
    assert.ok(
      engine.fault !== null || engine.halted.length > 0 || String(error).includes('it was closed'),
      String(error),
    )
  })
}

async function runOnce(disk: Disk, { partitions, batches }: Shape, cut: Cut | null): Promise<Process> {
  const options = { views: emittingList, partitions, readMax: 6, delay: () => 2, onTurn: checkpointOften() }
  const process = await startProcess(disk, { ...options, ...(cut === null ? {} : { cut }) })
  if (process.log.end(topic, 0) === 0) {
    for (let batch = 0; batch < batches; batch++) {
      for (let partition = 0; partition < partitions; partition++) {
        const events = Array.from({ length: 12 }, (_, nth) =>
          makeEvent(seed, (batch * 10 + nth) * partitions + partition),
        )
        await send(process, { topic, partition }, events)
      }
      await settle(process)
    }
  }
  await settle(process)
  await Promise.race([process.steps.reached, attempt(process.engine)])
  if (cut !== null && cut.mode.endsWith('fails')) {
    await process.engine.close().catch((error: unknown) => assert.match(String(error), /on fire/))
  }
  process.steps.die()
  return process
}

async function verify(disk: Disk, { partitions }: Shape): Promise<void> {
  const { engine, log, plan } = await startProcess(disk, { views: emittingList, partitions })
  await engine.caughtUp()
  await engine.checkpoint()
  const corrections = partitions === 1 ? 'none' : 'some'
  const of = (view: (typeof emittingList)[number]) => ({ log, view, plan: plan.hash })
  const perEvent = await assertPerEvent(of(emittingViews.spendingPerEvent))
  await assertPerEvent(of(emittingViews.riskPerEvent))
  const perInterval = await assertPerInterval(of(emittingViews.spendingPerInterval), { everyMs, corrections })
  await assertPerInterval(of(emittingViews.riskPerInterval), { everyMs, corrections })
  assert.ok(perEvent.records > 20 && perInterval.records > 10, JSON.stringify({ perEvent, perInterval }))
  await engine.close()
}

const one: Shape = { partitions: 1, batches: 4 }
const two: Shape = { partitions: 2, batches: 2 }
const modes: readonly CutMode[] = ['before', 'after', 'fails', 'done and fails']

for (const mode of modes) {
  for (const shape of mode === 'after' || mode === 'fails' ? [one, two] : [one]) {
    test(`every step of a run of ${shape.partitions} partition(s) cut off: ${mode}`, async () => {
      const { steps } = await runOnce(makeDisk(), shape, null)
      assert.ok(steps.count > 15, `${steps.count} steps`)
      for (let at = 0; at < steps.count; at++) {
        const disk = makeDisk()
        await runOnce(disk, shape, { at, mode })
        await verify(disk, shape)
      }
    })
  }

  test(`every step of a recovery cut off: ${mode}`, async () => {
    for (const shape of [one, two]) {
      const { steps } = await runOnce(makeDisk(), shape, null)
      for (let first = 3; first < steps.count; first += 17) {
        for (let second = 0; second < 40; second += 3) {
          const disk = makeDisk()
          await runOnce(disk, shape, { at: first, mode: 'after' })
          const recovery = await runOnce(disk, shape, { at: second, mode })
          await verify(disk, shape)
          if (recovery.steps.count <= second) break
        }
      }
    }
  })
}

test('every step of a rebuild cut off, of a store that was lost', async () => {
  for (let at = 0; at < 60; at++) {
    const disk = makeDisk()
    await runOnce(disk, one, null)
    disk.store = makeDisk().store
    const rebuild = await runOnce(disk, one, { at, mode: 'after' })
    await verify(disk, one)
    if (rebuild.steps.count <= at) return
  }
  assert.fail('the rebuild never got to its end')
})
