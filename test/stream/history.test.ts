// Goal: what was imported from before the hand-over point and what came by the topic after it are one past, over
// restarts and power cuts; and values are WARMING exactly until their windows are covered.
// Method: the engine in memory on a log whose history is imported from files or written by hand, held against the naive
// model of both topics; reads a millisecond before and at the instant at which each window is covered.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { importHistory } from '../../src/app/import-history.ts'
import { systemClock } from '../../src/base/clock.ts'
import { explainValue } from '../../src/dataset/explain-value.ts'
import { logHistory } from '../../src/dataset/history.ts'
import { entity } from '../../src/definition/entity.ts'
import { type FeatureView, featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import { compile } from '../../src/plan/compile.ts'
import { Forgotten } from '../../src/plan/forgotten.ts'
import { historyMark } from '../../src/plan/intake.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { VectorReader } from '../../src/serve/vector-reader.ts'
import { idsKey } from '../../src/stream/store-keys.ts'
import { readRejection } from '../../src/stream/outputs.ts'
import { assertMatchesLog, readPartition } from '../oracle/matches-log.ts'
import { type CutMode, type Disk, makeDisk, nowMs, type Process, send, settle, startProcess } from './harness.ts'

const hourMs = 3_600_000
const until = nowMs - hourMs
const user = entity('user', { userId: int() })
const fields = { id: string(), userId: int(), price: int(), at: timestamp('ms') }

type Past = { readonly from?: number; readonly topic?: string }

function viewsWith({ from, topic }: Past = {}): FeatureView[] {
  const clicks = stream('clicks', {
    topic: 'raw',
    fields,
    time: 'at',
    id: 'id',
    lateness: '10m',
    history: {
      until: new Date(until).toISOString(),
      ...(from === undefined ? {} : { from: new Date(from).toISOString() }),
      ...(topic === undefined ? {} : { topic }),
    },
  })
  return [
    featureView('by_user', {
      from: clicks,
      by: user,
      features: (on) => ({
        hour: on.count({ over: '1h' }),
        before: on.sum('price', { over: '30m', offset: '1h' }),
        ever: on.count({ over: 'lifetime' }),
        price: on.row('price'),
      }),
    }),
  ]
}

const views = viewsWith()
const click = (id: string, at: number, rest: object = {}): object => ({ id, userId: 1, price: 5, at, ...rest })
const raw = (partition: number) => ({ topic: 'raw', partition })
const past = (partition: number) => ({ topic: 'history.raw', partition })

async function open(disk: Disk, more: object = {}): Promise<Process> {
  return await startProcess(disk, { views, ...more })
}

async function mark({ log }: Process, partition: number): Promise<void> {
  const headers = [[historyMark, Buffer.alloc(0)]] as const
  await log.append('history.raw', partition, [{ key: null, value: null, timestampMs: nowMs, headers }])
}

async function stop({ engine, log }: Process): Promise<void> {
  await engine.close()
  await log.close()
}

/** Statuses of one user, by feature. */
function statusOf({ plan, engine }: Process, asOf: number, userId = 1): Record<string, string> {
  const reader = new VectorReader(plan, engine, systemClock)
  const { status } = reader.read(reader.prepare({ service: 'by_user' }), { userId }, { asOf })
  return Object.fromEntries(plan.views[0]!.features.map(({ name }, index) => [name, status[index]!]))
}

const allOf = (status: string) => ({ hour: status, before: status, ever: status, price: status })

describe('a stream with a history', () => {
  test('values count what was imported and what came by the topic, by hand and by the naive model', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-bootstrap-'))
    const file = join(folder, 'past.csv')
    const minute = (count: number): number => until + count * 60_000
    const rows = [
      ['old', 1, 100, minute(-600)],
      ['a', 1, 1, minute(-20)],
      ['last', 1, 10, until - 1],
      ['next', 1, 1_000, until],
      ['b', 2, 7, minute(-5)],
      ['a', 1, 2, minute(-10)],
    ]
    await writeFile(file, ['id,userId,price,at', ...rows.map((row) => row.join(','))].join('\n'))
    const disk = makeDisk()
    const log = await openEmbeddedLog({ folder: '/data', clock: systemClock, fileSystem: disk.fileSystem })
    await importHistory(compile(views).streams[0]!, [file], { log, clock: systemClock, partitions: 2 })
    await log.close()
    await rm(folder, { recursive: true })

    const process = await open(disk)
    await send(process, raw(0), [click('x', until - 1), click('y', until, { price: 20 }), click('z', minute(30))])
    await process.engine.caughtUp()
    const reader = new VectorReader(process.plan, process.engine, systemClock)
    const read = (asOf: number, userId = 1) =>
      reader.read(reader.prepare({ service: 'by_user' }), { userId }, { asOf }).values
    // hour: the last hour; before: prices from 90 to 60 minutes ago; ever; the newest price.
    assert.deepEqual(read(minute(1)), [3, 0, 4, 20])
    assert.deepEqual(read(minute(31)), [4, 0, 5, 5])
    // 60 minutes on, only what came by the topic is in the last hour, and what was imported in the half before.
    assert.deepEqual(read(minute(60)), [2, 11, 5, 5])
    assert.deepEqual(read(minute(60), 2), [0, 7, 1, 7])
    assert.deepEqual(statusOf(process, minute(60)), allOf('PRESENT'))
    assert.deepEqual(reader.prefixOf(reader.prepare({ service: 'by_user' })), {
      clicks: [3, 0],
      'clicks.history': process.engine.historyPrefix('clicks'),
    })
    await process.engine.checkpoint()
    const tally = await assertMatchesLog({ ...process, views }, [0, 1, 60_000])
    assert.deepEqual({ records: tally.records, late: tally.late }, { records: 9, late: 2 })
    const reasons: string[] = []
    for (let partition = 0; partition < 2; partition++) {
      for (const record of await readPartition(process.log, 'late-events', partition)) {
        reasons.push((readRejection(record).detail as { outside: string }).outside)
      }
    }
    assert.deepEqual(reasons.sort(), ['after the hand-over', 'before the hand-over'])
    await stop(process)
    const again = await open(disk)
    assert.deepEqual(statusOf(again, minute(60)), allOf('PRESENT'))
    await assertMatchesLog({ ...again, views }, [0])
    await stop(again)
  })

  test('the import may run while the engine does: values warm until the last end mark is taken', async () => {
    const process = await open(makeDisk())
    const { engine } = process
    await send(process, raw(0), [click('live', until + 1_000)])
    await engine.caughtUp()
    // Everything from the hand-over point on is known: an hour later a window of an hour is covered.
    assert.equal(engine.coveredFrom(process.plan.views[0]!), until)
    const cover = { hour: until + hourMs, before: until + 1.5 * hourMs }
    assert.deepEqual(statusOf(process, cover.hour - 1), { ...allOf('WARMING'), price: 'PRESENT' })
    assert.deepEqual(statusOf(process, cover.hour), { ...allOf('WARMING'), hour: 'PRESENT', price: 'PRESENT' })
    assert.equal(statusOf(process, cover.before - 1)['before'], 'WARMING')
    assert.deepEqual(statusOf(process, cover.before), { ...allOf('PRESENT'), ever: 'WARMING' })
    assert.deepEqual(statusOf(process, cover.before, 2), { ...allOf('NOT_FOUND'), ever: 'WARMING', price: 'WARMING' })

    await send(process, past(0), [click('imported', until - 1)])
    await mark(process, 0)
    await engine.caughtUp()
    assert.equal(statusOf(process, cover.hour - 1)['hour'], 'WARMING')
    await mark(process, 1)
    await engine.caughtUp()
    assert.equal(engine.coveredFrom(process.plan.views[0]!), Number.NEGATIVE_INFINITY)
    assert.deepEqual(statusOf(process, until + 1), { ...allOf('PRESENT') })
    await assertMatchesLog({ ...process, views }, [0, 1])
    await stop(process)
  })

  test('a history with a first instant covers from there on', async () => {
    const from = until - hourMs
    const own = viewsWith({ from })
    const process = await startProcess(makeDisk(), { views: own })
    await send(process, past(0), [click('before', from - 1), click('first', from)])
    await mark(process, 0)
    await mark(process, 1)
    await process.engine.caughtUp()
    assert.equal(process.engine.coveredFrom(process.plan.views[0]!), from)
    const { hour, ever } = statusOf(process, until)
    assert.deepEqual({ hour, ever }, { hour: 'PRESENT', ever: 'WARMING' })
    assert.equal(statusOf(process, until - 1)['hour'], 'WARMING')
    await process.engine.checkpoint()
    await assertMatchesLog({ ...process, views: own }, [0, 1])
    await stop(process)
  })

  test('once it is complete, its ids are forgotten, and what comes after the end mark is late', async () => {
    const disk = makeDisk()
    const first = await open(disk)
    const ids = () => [
      ...disk.store.range(
        idsKey({ track: 0, topic: 1, partition: 0 }, 0),
        idsKey({ track: 0, topic: 1, partition: 0 }, 2 ** 48 - 1),
      ),
    ]
    await send(first, past(0), [click('a', until - 2), click('a', until - 1)])
    await first.engine.caughtUp()
    await first.engine.checkpoint()
    assert.equal(ids().length, 1)
    await stop(first)
    const second = await open(disk)
    await send(second, past(0), [click('a', until - 3)])
    await second.engine.caughtUp()
    const verdicts = ({ engine }: Process) => {
      const { records, accepted, duplicate, late } = engine.counts.sources.find(({ topic }) => topic === 'history.raw')!
      return { records, accepted, duplicate, late }
    }
    assert.deepEqual(verdicts(second), { records: 3, accepted: 1, duplicate: 2, late: 0 })
    await mark(second, 0)
    await second.engine.caughtUp()
    await second.engine.checkpoint()
    assert.equal(ids().length, 0)
    await stop(second)
    const third = await open(disk)
    await send(third, past(0), [click('a', until - 3), click('b', until - 3)])
    await third.engine.caughtUp()
    assert.deepEqual(verdicts(third), { records: 5, accepted: 1, duplicate: 2, late: 2 })
    await stop(third)
  })

  test('a view that is added later is built from both topics while the others serve', async () => {
    const disk = makeDisk()
    const first = await open(disk)
    await send(first, past(1), [click('old', until - 5), click('older', until - hourMs)])
    await mark(first, 0)
    await mark(first, 1)
    await send(first, raw(1), [click('new', until + 5)])
    await first.engine.caughtUp()
    const [byUser] = views
    const added = featureView('prices', {
      from: byUser!.from,
      by: user,
      features: (on) => ({ prices: on.sum('price' as never, { over: 'lifetime' }) }),
    })
    const plan = compile([...views, added])
    await first.engine.apply(plan)
    const view = plan.views.find(({ name }) => name === 'prices')!
    assert.equal(first.engine.coveredFrom(view), Number.NEGATIVE_INFINITY)
    await assertMatchesLog({ log: first.log, engine: first.engine, plan, views: [...views, added] }, [0, 1])
    await stop(first)
  })

  test('a stream that gets a history is built anew; what the files hold late or broken is told of once', async () => {
    const disk = makeDisk()
    const plain = featureView('by_user', {
      from: stream('clicks', { topic: 'raw', fields, time: 'at', id: 'id', lateness: '10m' }),
      by: user,
      features: (on) => ({ hour: on.count({ over: '1h' }) }),
    })
    const first = await startProcess(disk, { views: [plain] })
    await send(first, raw(0), [click('a', until + 1)])
    await first.engine.caughtUp()
    await stop(first)
    const log = await openEmbeddedLog({ folder: '/data', clock: systemClock, fileSystem: disk.fileSystem })
    await log.createTopic('history.raw', { partitions: 2 })
    await send({ log }, past(0), [click('b', until - 1), click('next', until), { id: 'broken' }])
    await log.close()
    const second = await open(disk)
    await second.engine.settled()
    await second.engine.caughtUp()
    await second.engine.checkpoint()
    assert.equal(second.engine.plan.hash, second.plan.hash)
    await assertMatchesLog({ ...second, views }, [0, 1])
    await stop(second)
  })
})

describe('power cuts while a history is taken in', () => {
  const modes: readonly CutMode[] = ['before', 'after', 'fails', 'done and fails']
  for (const mode of modes) {
    test(`every durable step, ${mode}: the same values, and each rejection once`, async () => {
      let cuts = 0
      for (let at = 0; at < 8; at++) {
        const disk = makeDisk()
        const first = await open(disk, { cut: { at, mode }, readMax: 3 })
        const early = [click('a', until - 9), click('x', until), click('a', until - 8), { id: 'broken' }]
        await send(first, past(0), [...early, click('b', until - 7), click('c', until - hourMs)])
        await mark(first, 0)
        await send(first, past(1), [click('d', until - 6), click('y', until + 1)])
        await send(first, raw(0), [click('l', until - 1), click('m', until), click('n', until + 5)])
        for (let round = 0; round < 3; round++) {
          await settle(first)
          await Promise.race([first.steps.reached, first.engine.checkpoint().catch(() => undefined)])
        }
        if (first.steps.count > at) cuts += 1
        first.steps.die()
        const second = await open(disk)
        await mark(second, 1)
        await second.engine.caughtUp()
        await second.engine.checkpoint()
        assert.equal(second.engine.coveredFrom(second.plan.views[0]!), Number.NEGATIVE_INFINITY)
        await assertMatchesLog({ ...second, views }, [0, 1, 60_000])
        await stop(second)
      }
      assert.ok(cuts >= 4, `${cuts} steps were cut`)
    })
  }
})

describe('a log whose beginning is gone', () => {
  const minuteMs = 60_000
  const clicksOf = (retention: object) =>
    stream('clicks', { topic: 'raw', fields, time: 'at', id: 'id', lateness: '1m', future: '2m', ...retention })
  const clicks = clicksOf({})
  const short = featureView('short', {
    from: clicks,
    by: user,
    horizon: '5m',
    features: (on) => ({ n: on.count({ over: '10m' }) }),
  })
  const other = featureView('other', {
    from: clicks,
    by: user,
    horizon: '5m',
    features: (on) => ({ m: on.count({ over: '20m' }) }),
  })

  /** With a segment for each record, and without a retention that would remove one yet. */
  async function openLog(disk: Disk): Promise<EmbeddedLog> {
    const clock = { ...systemClock, now: () => nowMs }
    return await openEmbeddedLog({ folder: '/data', clock, fileSystem: disk.fileSystem, segmentBytes: 1 })
  }

  /** Ninety minutes of one click each. */
  async function fill(disk: Disk): Promise<void> {
    const log = await openLog(disk)
    await log.createTopic('raw', { partitions: 1 })
    for (let minute = -90; minute < 0; minute++) {
      const value = Buffer.from(JSON.stringify(click(`${minute}`, nowMs + minute * minuteMs)))
      await log.append('raw', 0, [{ key: null, value, timestampMs: nowMs + minute * minuteMs }])
    }
    await log.close()
  }

  /** From now on records are kept for fifty minutes: the first forty are gone. */
  async function trim(disk: Disk): Promise<void> {
    const log = await openLog(disk)
    await log.setRetention('raw', 50 * minuteMs)
    await log.close()
    const again = await openLog(disk)
    assert.equal(again.start('raw', 0), 40)
    await again.close()
  }

  /** The first record left is of minute -50, and one that is gone may be two minutes ahead of it. */
  const coveredFrom = nowMs - 48 * minuteMs + 1

  test('a state that was built before knows everything; a view added afterwards warms, also after a restart', async () => {
    const disk = makeDisk()
    await fill(disk)
    const first = await startProcess(disk, { views: [short] })
    await first.engine.caughtUp()
    await stop(first)
    await trim(disk)
    const second = await startProcess(disk, { views: [short, other] })
    await second.engine.settled()
    await second.engine.caughtUp()
    const [shortPlan, otherPlan] = second.engine.plan.views
    assert.equal(second.engine.coveredFrom(shortPlan!), Number.NEGATIVE_INFINITY)
    assert.equal(second.engine.coveredFrom(otherPlan!), coveredFrom)
    assert.equal(second.engine.counts.views['other']!.before, 40)
    await stop(second)
    const third = await startProcess(disk, { views: [short, other] })
    assert.equal(third.engine.coveredFrom(third.plan.views[0]!), Number.NEGATIVE_INFINITY)
    assert.equal(third.engine.coveredFrom(third.plan.views[1]!), coveredFrom)
    await stop(third)
  })

  test('a state that is lost and built again warms until its windows are covered, to the millisecond', async () => {
    const disk = makeDisk()
    await fill(disk)
    await trim(disk)
    const process = await startProcess(disk, { views: [short] })
    await process.engine.caughtUp()
    const view = process.plan.views[0]!
    assert.equal(process.engine.coveredFrom(view), coveredFrom)
    const reader = new VectorReader(process.plan, process.engine, systemClock)
    assert.deepEqual(reader.read(reader.prepare({ service: view.name }), { userId: 1 }, { asOf: nowMs }).status, [
      'PRESENT',
    ])
    // So far back a state answers nothing: as the log has it.
    const explainAt = async (asOf: number) => {
      const history = logHistory(process.plan.streams[0]!, process.log, { clock: systemClock })
      const request = { view, feature: 'n', key: encodeKey(['int'], [1]), asOf, forgotten: new Forgotten() }
      return (await explainValue(request, history, () => undefined)).status
    }
    assert.equal(await explainAt(coveredFrom + 10 * minuteMs - 1), 'WARMING')
    assert.equal(await explainAt(coveredFrom + 10 * minuteMs), 'PRESENT')
    await stop(process)
  })

  test('a topic is created with its retention, and one that is there must have it', async () => {
    const viewOf = (retention: object, over: '10m' | '50m' | 'lifetime' = '10m') =>
      featureView('short', {
        from: clicksOf(retention),
        by: user,
        horizon: '5m',
        features: (on) => ({ n: on.count({ over }) }),
      })
    const disk = makeDisk()
    const first = await startProcess(disk, { views: [viewOf({ retention: '50m' })] })
    assert.equal(first.log.topics().find(({ topic }) => topic === 'raw')?.retentionMs, 50 * minuteMs)
    await stop(first)
    const start = async (view: FeatureView): Promise<void> => await stop(await startProcess(disk, { views: [view] }))
    await assert.rejects(start(viewOf({ retention: '51m' })), { code: 'LOG_RETENTION_MISMATCH' })
    await assert.rejects(start(viewOf({}, '50m')), { code: 'RETENTION_SHORT' })
    await assert.rejects(start(viewOf({}, 'lifetime')), { code: 'RETENTION_SHORT' })
    await start(viewOf({ retention: { keep: '50m', rebuild: 'warming' } }, 'lifetime'))
  })
})
