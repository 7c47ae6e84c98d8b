// Goal: another plan is taken over without a gap: new and changed views are built from the log while the old ones serve,
// renaming recomputes nothing, a rollback takes effect at once, and no event counts twice or is lost over a crash.
// Method: the engine on disk and store in memory, through the harness; values and counters against the naive model.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { type FeatureView, featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { compile } from '../../src/plan/compile.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { type Disk, makeDisk, nowMs, type Process, send, startProcess } from './harness.ts'

const user = entity('user', { userId: int() })
const fields = { id: string(), userId: int(), price: int(), at: timestamp('ms') }
const streamOf = (name: string, lateness: '10s' | '1s') =>
  stream(name, { topic: 'raw', fields, time: 'at', id: 'id', lateness, dedupe: '1m' })
const clicks = streamOf('clicks', '10s')
const viewOf = (name: string, from: typeof clicks, over: '1h' | '2h'): FeatureView =>
  featureView(name, {
    from,
    by: user,
    features: (on) => ({ n: on.count({ over }), total: on.sum('price', { over: 'lifetime' }) }),
  })
const oneHour = viewOf('by_user', clicks, '1h')
const twoHours = viewOf('by_user', clicks, '2h')
const renamed = viewOf('of_user', clicks, '1h')
const strict = viewOf('by_user', streamOf('clicks', '1s'), '1h')

const start = nowMs - 3_600_000
let made = 0
const click = (afterMs: number, rest: object = {}): object => ({
  id: `c${made++}`,
  userId: made % 5,
  price: made,
  at: start + afterMs,
  ...rest,
})
const some = (count: number, from = 0): object[] =>
  Array.from({ length: count }, (_, nth) =>
    nth % 9 === 4 ? { broken: nth } : click(from + nth * 700 - (nth % 7 === 3 ? 15_000 : (nth % 4) * 1_500)),
  )

async function open(disk: Disk, views: readonly FeatureView[], others: readonly (readonly FeatureView[])[] = []) {
  const plans = others.map((one) => compile(one))
  const planOf = (hash: string) => plans.find((plan) => plan.hash === hash) ?? null
  return await startProcess(disk, { views, planOf })
}

const feed = async (process: Process, count: number, from = 0): Promise<void> => {
  await send(process, { topic: 'raw', partition: 0 }, some(count, from))
  await send(process, { topic: 'raw', partition: 1 }, some(count, from))
}

async function stop({ engine, log }: Process): Promise<void> {
  await engine.close()
  await log.close()
}

const matches = async (process: Process, views: readonly FeatureView[]): Promise<void> => {
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  await assertMatchesLog({ ...process, plan: process.engine.plan, views }, [0, 1, 5_000, 3_600_000])
}

const appliedBytes = async (disk: Disk): Promise<number> =>
  [...disk.store.range(Uint8Array.of(1), Uint8Array.of(2))].reduce((sum, [, value]) => sum + value.length, 0)

test('a changed view is built from the log while the old one serves, then takes over', async () => {
  const disk = makeDisk()
  const process = await open(disk, [oneHour])
  await feed(process, 60)
  await process.engine.caughtUp()
  const next = compile([twoHours])
  const applied = process.engine.apply(next)
  assert.notEqual(process.engine.plan.hash, next.hash, 'the old plan serves')
  await feed(process, 40, 50_000)
  await applied
  assert.equal(process.engine.plan.hash, next.hash)
  await matches(process, [twoHours])
  await feed(process, 20, 100_000)
  await matches(process, [twoHours])
  await stop(process)
  const second = await open(disk, [twoHours])
  assert.equal(second.engine.building, null)
  await matches(second, [twoHours])
  await stop(second)
})

test('renaming recomputes nothing', async () => {
  const disk = makeDisk()
  const process = await open(disk, [oneHour])
  await feed(process, 30)
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  const before = process.engine.counts.sources.map(({ records }) => records)
  const reads = process.reads.count
  await process.engine.apply(compile([renamed]))
  assert.equal(process.reads.count, reads, 'not a record was read again')
  assert.deepEqual(
    process.engine.counts.sources.map(({ records }) => records),
    before,
  )
  await matches(process, [renamed])
  await stop(process)
})

test('a rollback takes effect at once, and nothing is missing', async () => {
  const disk = makeDisk()
  const process = await open(disk, [oneHour])
  await feed(process, 60)
  await process.engine.apply(compile([twoHours]))
  await feed(process, 40, 50_000)
  await process.engine.caughtUp()
  const reads = process.reads.count
  await process.engine.apply(compile([oneHour]))
  assert.equal(process.reads.count, reads)
  await matches(process, [oneHour])
  await process.engine.apply(compile([twoHours]))
  assert.equal(process.reads.count, reads)
  await matches(process, [twoHours])
  await stop(process)
})

test('a stream with another lateness is read again; each record is rejected once', async () => {
  const disk = makeDisk()
  const process = await open(disk, [oneHour])
  await feed(process, 60)
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  const rejected = (): number =>
    ['dead-letter-queue', 'late-events'].reduce(
      (sum, topic) => sum + process.log.end(topic, 0) + process.log.end(topic, 1),
      0,
    )
  const before = rejected()
  const lateBefore = process.engine.counts.sources[0]!.late
  await process.engine.apply(compile([strict]))
  assert.equal(rejected(), before, 'what the old one judged stays judged')
  const { engine } = process
  assert.ok(engine.counts.sources[0]!.late > lateBefore, 'more is late now')
  const judged = (): number => engine.counts.sources.reduce((sum, { late, refused }) => sum + late + refused, 0)
  const judgedBefore = judged()
  await feed(process, 9, 200_000)
  await engine.caughtUp()
  await engine.checkpoint()
  assert.ok(judged() > judgedBefore + 2, 'some are broken, some late')
  assert.equal(rejected() - before, judged() - judgedBefore)
  await stop(process)
})

test('what no plan needs any more leaves the store', async () => {
  const disk = makeDisk()
  const process = await open(disk, [oneHour])
  await feed(process, 60)
  await process.engine.caughtUp()
  await process.engine.checkpoint()
  const one = await appliedBytes(disk)
  await process.engine.apply(compile([twoHours]))
  await process.engine.settled()
  assert.ok((await appliedBytes(disk)) > one * 1.5, 'the view of the plan before is kept up')
  await process.engine.apply(compile([renamed, twoHours].slice(1)))
  await process.engine.apply(compile([strict]))
  await process.engine.apply(compile([viewOf('other', clicks, '2h')]))
  await process.engine.settled()
  await stop(process)
  const owners = new Set(
    [...disk.store.range(Uint8Array.of(1), Uint8Array.of(2))].map(([key]) =>
      Buffer.from(key.subarray(1, 9)).toString('hex'),
    ),
  )
  assert.deepEqual(
    owners,
    new Set([compile([strict]).views[0]!.fingerprint, compile([twoHours]).views[0]!.fingerprint]),
  )
})

test('killed at any durable step of a change, it is carried out by the next process', async () => {
  for (let at = 0; at < 40; at++) {
    for (const mode of ['before', 'after'] as const) {
      made = 0
      const disk = makeDisk()
      const first = await open(disk, [oneHour])
      await feed(first, 20)
      await first.engine.caughtUp()
      await stop(first)
      const second = await startProcess(disk, {
        views: [twoHours],
        planOf: (hash) => [compile([oneHour])].find((plan) => plan.hash === hash) ?? null,
        cut: { at, mode },
        readMax: 3,
        onTurn: (engine) => void engine.checkpoint().catch(() => undefined),
      })
      await feed(second, 10, 30_000)
      await Promise.race([second.steps.reached, second.engine.caughtUp()])
      const count = second.steps.count
      second.steps.die()
      const third = await open(disk, [twoHours], [[oneHour]])
      await third.engine.caughtUp()
      await third.engine.settled()
      await matches(third, [twoHours])
      await stop(third)
      if (count < at) return
    }
  }
})

test('an entity is forgotten: its past counts nowhere, its future does, over a restart and a rebuild', async () => {
  const disk = makeDisk()
  const process = await open(disk, [oneHour])
  const place = { topic: 'raw', partition: 0 }
  const key = encodeKey(['int'], [7])
  await send(process, place, [click(0, { userId: 7 }), click(1, { userId: 8 }), click(2, { userId: 7 })])
  await process.engine.caughtUp()
  const applied = ({ engine }: Process): number => engine.state(engine.plan.views[0]!, key)?.applied ?? 0
  assert.equal(applied(process), 2)
  await send(process, place, [click(3, { userId: 7 })])
  await process.engine.forget('user', key)
  assert.equal(applied(process), 0, 'also what was durable and not yet folded')
  assert.deepEqual(process.engine.counts.views['by_user'], {
    applied: 1,
    filtered: 0,
    unkeyed: 0,
    forgotten: 3,
    before: 0,
  })
  await send(process, place, [click(4, { userId: 7 })])
  await process.engine.caughtUp()
  assert.equal(applied(process), 1)
  await stop(process)
  const second = await open(disk, [oneHour])
  assert.equal(applied(second), 1)
  await stop(second)
  disk.store = makeDisk().store
  const rebuilt = await open(disk, [oneHour])
  await rebuilt.engine.caughtUp()
  assert.equal(applied(rebuilt), 1)
  assert.deepEqual(rebuilt.engine.counts.views['by_user'], {
    applied: 2,
    filtered: 0,
    unkeyed: 0,
    forgotten: 3,
    before: 0,
  })
  await stop(rebuilt)
})

test('a crash between what was written of a forgotten entity and the next checkpoint changes nothing', async () => {
  for (const userId of [7, 9]) {
    const disk = makeDisk()
    const first = await open(disk, [oneHour])
    const place = { topic: 'raw', partition: 0 }
    await send(first, place, [click(0, { userId }), click(1, { userId: 8 })])
    await first.engine.caughtUp()
    await stop(first)
    // One step appends what is forgotten, the next one writes the store.
    const second = await startProcess(disk, { views: [oneHour], cut: { at: 1, mode: 'before' } })
    const key = encodeKey(['int'], [userId])
    void second.engine.forget('user', key)
    await second.steps.reached
    const third = await open(disk, [oneHour])
    assert.equal(third.engine.state(third.engine.plan.views[0]!, key), null)
    assert.deepEqual(third.engine.counts.views['by_user'], {
      applied: 1,
      filtered: 0,
      unkeyed: 0,
      forgotten: 1,
      before: 0,
    })
    await stop(third)
  }
})

test('when it cannot be told whether a forgotten entity is in the log, nothing goes on before a restart', async () => {
  for (const mode of ['fails', 'done and fails'] as const) {
    const disk = makeDisk()
    const place = { topic: 'raw', partition: 0 }
    const key = encodeKey(['int'], [7])
    const first = await startProcess(disk, { views: [oneHour], cut: { at: 0, mode } })
    await send(first, place, [click(0, { userId: 7 }), click(1, { userId: 8 })])
    await assert.rejects(first.engine.forget('user', key), /on fire/)
    assert.match(String(first.engine.fault), /on fire/)
    await send(first, place, [click(2, { userId: 7 })])
    await assert.rejects(first.engine.caughtUp(), { code: 'ENGINE_STOPPED' })
    await first.engine.close()
    const second = await open(disk, [oneHour])
    await second.engine.caughtUp()
    const forgotten = mode === 'fails' ? 0 : 1
    assert.equal(second.engine.state(second.engine.plan.views[0]!, key)!.applied, 2 - forgotten, mode)
    const counts = { applied: 3 - forgotten, filtered: 0, unkeyed: 0, forgotten, before: 0 }
    assert.deepEqual(second.engine.counts.views['by_user'], counts)
    await stop(second)
  }
})
