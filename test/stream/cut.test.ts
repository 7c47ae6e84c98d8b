// Goal: whatever is cut off between the flush of outputs and the write of the store, and again in the recovery from
// that, every dead letter and late event is there once, every value and counter is the model's.
// Method: a fixed run of 60 records in 2 partitions with checkpoints in between; its durable steps are counted first.
// Then it is run again for every step and every way of being cut there, and each recovery is cut at each of its own
// steps in turn. What then stands after a last, undisturbed recovery is held against the naive model of the log.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeEvent, payments, views } from '../integration/kill-stream.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { type Cut, type CutMode, type Disk, makeDisk, type Process, send, settle, startProcess } from './harness.ts'

const seed = 7
const { topic } = payments
const options = { views, partitions: 2, readMax: 4, delay: () => 2 } as const

/** Makes a checkpoint every other slice, so that a recovery is full of them. */
function checkpointOften(): (engine: Process['engine']) => void {
  let turns = 0
  return (engine) => {
    if (turns++ % 2 === 0) void attempt(engine)
  }
}

/** What stopped the engine, or the first of its partitions that stopped. */
function faultIn(engine: Process['engine']): Error | null {
  return engine.fault ?? engine.halted[0]?.fault ?? null
}

async function attempt(engine: Process['engine']): Promise<void> {
  await engine.checkpoint().catch((error: unknown) => {
    // The engine keeps its first fault; the test looks at that.
    assert.ok(faultIn(engine) !== null || String(error).includes('it was closed'), String(error))
  })
}

/** Resends overlap: each batch begins with events of the one before. */
async function sendAll(process: Process): Promise<void> {
  for (let batch = 0; batch < 6; batch++) {
    for (const partition of [0, 1]) {
      const events = Array.from({ length: 6 }, (_, nth) => makeEvent(seed, (batch * 4 + nth) * 2 + partition))
      await send(process, { topic, partition }, events)
    }
    await settle(process)
  }
}

async function runOnce(disk: Disk, cut: Cut | null): Promise<Process> {
  const process = await startProcess(disk, { ...options, ...(cut === null ? {} : { cut }), onTurn: checkpointOften() })
  if (process.log.end(topic, 0) === 0) await sendAll(process)
  await settle(process)
  await Promise.race([process.steps.reached, attempt(process.engine)])
  // A disk that fails leaves the process alive to see it.
  if (cut !== null && cut.mode.endsWith('fails')) {
    await process.engine.close().catch((error: unknown) => assert.match(String(error), /on fire/))
  }
  process.steps.die()
  return process
}

async function verify(disk: Disk): Promise<void> {
  const process = await startProcess(disk, options)
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  const tally = await assertMatchesLog({ ...process, views }, [0, 1, 20_000])
  assert.ok(tally.deadLetters >= 3 && tally.late >= 3, `a mixture: ${JSON.stringify(tally)}`)
  await process.engine.close()
}

const modes: readonly CutMode[] = ['before', 'after', 'fails', 'done and fails']

for (const mode of modes) {
  test(`every step of a run cut off: ${mode}`, async () => {
    const { steps } = await runOnce(makeDisk(), null)
    assert.ok(steps.count > 15, `${steps.count} steps`)
    for (let at = 0; at < steps.count; at++) {
      const disk = makeDisk()
      const process = await runOnce(disk, { at, mode })
      if (mode.endsWith('fails')) assert.match(String(faultIn(process.engine)), /on fire/)
      await verify(disk)
    }
  })

  test(`every step of a recovery cut off: ${mode}`, async () => {
    const { steps } = await runOnce(makeDisk(), null)
    // Cut after a flush, or between its two topics: there the recovery has outputs to recognise.
    for (let first = 0; first < steps.count; first += 9) {
      for (let second = 0; second < 30; second++) {
        const disk = makeDisk()
        await runOnce(disk, { at: first, mode: 'after' })
        const recovery = await runOnce(disk, { at: second, mode })
        await verify(disk)
        if (recovery.steps.count <= second) break
      }
    }
  })
}

test('every step of a rebuild cut off, of a state that was deleted', async () => {
  for (let at = 0; at < 30; at++) {
    const disk = makeDisk()
    await runOnce(disk, null)
    disk.store = makeDisk().store
    const rebuild = await runOnce(disk, { at, mode: 'after' })
    await verify(disk)
    if (rebuild.steps.count <= at) return
  }
  assert.fail('the rebuild never got to its end')
})
