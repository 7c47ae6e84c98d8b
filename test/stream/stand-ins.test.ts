// Goal: an event sent in place of a rejected one counts once, with an id or without, wherever the process is cut off.
// Method: a log of good, broken and late events and of stand-ins for them, each sent twice; every durable step of a run
// is cut once, the recovery runs on, and the naive model of the log says what has to come out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entity, featureView, int, stream, timestamp } from '../../src/index.ts'
import type { RecordInput } from '../../src/log/log.ts'
import { standInHeader } from '../../src/plan/open-rejections.ts'
import { systemClock } from '../../src/base/clock.ts'
import { rejectionsKey } from '../../src/stream/store-keys.ts'
import { sweepStore } from '../../src/stream/sweep-store.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { type Cut, type Disk, makeDisk, nowMs, type Process, settle, startProcess } from './harness.ts'

const fields = { n: int(), user: int(), at: timestamp('ms') }
const user = entity('user', { user: int() })
const bare = stream('bare', { fields, time: 'at', lateness: '10ms' })
const named = stream('named', { fields, time: 'at', id: 'n', lateness: '10ms' })
const features = { over: '1d' } as const
const views = [
  featureView('bare_counts', { from: bare, by: user, features: (on) => ({ bare: on.count(features) }) }),
  featureView('named_counts', { from: named, by: user, features: (on) => ({ named: on.count(features) }) }),
]
const options = { views, partitions: 1, readMax: 3, delay: () => 2 } as const

const startMs = nowMs - 60_000

function record(value: object | string, standsFor?: number): RecordInput {
  return {
    key: null,
    value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    timestampMs: nowMs,
    headers: standsFor === undefined ? [] : [[standInHeader, Buffer.from(String(standsFor))]],
  }
}
const event = (n: number, ms = n): object => ({ n, user: n % 2, at: startMs + ms })

/** What each of both topics holds: 0 and 1 are broken, 4 is late. */
const batches: readonly (readonly RecordInput[])[] = [
  [record('{'), record('[]'), record(event(2)), record(event(30))],
  [record(event(5)), record(event(31), 0), record(event(31), 0), record('{', 1)],
  [record(event(32), 1), record(event(33), 4), record(event(5), 4), record(event(34), 2)],
  [record(event(35), 1), record(event(36)), record('nothing'), record(event(37), 14)],
]

async function run(disk: Disk, cut: Cut | null): Promise<Process> {
  const process = await startProcess(disk, { ...options, ...(cut === null ? {} : { cut }) })
  for (let batch = 0; batch < batches.length; batch++) {
    for (const { topic } of [bare, named]) {
      // Past every cut: what is sent is in the log.
      await process.log.append(topic, 0, batches[batch]!)
    }
    await settle(process)
    await Promise.race([process.steps.reached, process.engine.checkpoint().catch(() => undefined)])
  }
  process.steps.die()
  return process
}

async function verify(disk: Disk): Promise<void> {
  const process = await startProcess(disk, options)
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  const tally = await assertMatchesLog({ ...process, views }, [0, 1, 20])
  assert.deepEqual([tally.deadLetters, tally.late, tally.records], [8, 2, 32])
  const counts = Object.fromEntries(process.engine.counts.sources.map((one) => [one.stream, one.accepted]))
  assert.deepEqual(counts, { bare: 7, named: 7 })
  await process.engine.close()
}

test('undisturbed', async () => {
  const disk = makeDisk()
  await run(disk, null)
  await verify(disk)
})

for (const mode of ['before', 'after'] as const) {
  test(`every step cut off: ${mode}`, async () => {
    const { steps } = await run(makeDisk(), null)
    assert.ok(steps.count >= 8, `${steps.count} steps`)
    for (let at = 0; at < steps.count; at++) {
      const disk = makeDisk()
      await run(disk, { at, mode })
      await verify(disk)
    }
  })
}

test('state that was deleted is rebuilt to the same', async () => {
  const disk = makeDisk()
  await run(disk, null)
  await verify({ ...disk, store: makeDisk().store })
})

test('open rejections of a track that is gone are swept from the store', async () => {
  const { store } = makeDisk()
  const keyOf = (track: number): Uint8Array => rejectionsKey({ track, topic: 0, partition: 3 })
  await store.write([0, 1, 2].map((track) => [keyOf(track), Uint8Array.of(1, 0, 0)] as const))
  const inUse = { views: new Set<string>(), tracks: new Set([1]) }
  await sweepStore(store, inUse, { clock: systemClock, signal: new AbortController().signal })
  assert.deepEqual(
    [0, 1, 2].map((track) => store.get(keyOf(track)) !== undefined),
    [false, true, false],
  )
})
