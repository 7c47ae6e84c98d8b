// Goal: the engine's own promises: what a fault, a close, a foreign state or a shortened log leads to.
// Method: small hand-made events on the log and the store in memory, through the harness.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { type FeatureView, featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import type { Log } from '../../src/log/log.ts'
import type { MillraceError } from '../../src/base/faults.ts'
import { compile } from '../../src/plan/compile.ts'
import { readView } from '../../src/plan/finish-view.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import { checkpointKey } from '../../src/stream/store-keys.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { type Disk, makeDisk, nowMs, type Process, send, startProcess } from './harness.ts'

const user = entity('user', { userId: int() })
const shop = entity('shop', { shopId: string() })

const fields = {
  id: string(),
  userId: int().nullable(),
  shopId: string(),
  price: int(),
  at: timestamp('ms'),
}

const clicks = stream('clicks', { topic: 'raw', fields, time: 'at', id: 'id', lateness: '10s', dedupe: '1m' })
/** The same topic with another lateness. */
const strictClicks = stream('strict_clicks', { topic: 'raw', fields, time: 'at', id: 'id', lateness: '1s' })

const byUser = featureView('by_user', {
  from: clicks,
  by: user,
  features: (on) => ({ clicks: on.count({ over: 'lifetime' }), prices: on.lastK('price', { over: '1h', k: 5 }) }),
})
const byShop = featureView('by_shop', {
  from: clicks,
  by: shop,
  where: (event) => event.price.gt(0),
  features: (on) => ({
    turnover: on.sum('price', { over: 'lifetime' }),
    users: on.distinctCount('userId', { over: '1h' }),
  }),
})
const strictByUser = featureView('strict_by_user', {
  from: strictClicks,
  by: user,
  features: (on) => ({ clicks: on.count({ over: 'lifetime' }) }),
})

const views = [byUser, byShop]
const start = nowMs - 3_600_000
const raw = (partition: number) => ({ topic: 'raw', partition })

let clickCount = 0
function click(afterMs: number, rest: object = {}): object {
  return { id: `c${clickCount++}`, userId: 1, shopId: 's', price: 5, at: start + afterMs, ...rest }
}

function clicksOf({ plan, engine }: Process, userId: number, name = 'by_user'): unknown {
  const view = plan.views.find((one) => one.name === name)!
  return readView(view, engine.state(view, encodeKey(['int'], [userId])), nowMs).values[0]
}

async function open(
  disk: Disk = makeDisk(),
  more: Partial<Parameters<typeof startProcess>[1] & { views: readonly FeatureView[] }> = {},
): Promise<Process> {
  return await startProcess(disk, { views, ...more })
}

async function stop({ engine, log }: Process): Promise<void> {
  await engine.close()
  await log.close()
}

/** Waits for something that other promises bring about. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(condition(), 'it came about')
}

describe('checkpoints', () => {
  test('a restart goes on where the last checkpoint ended, with all counters', async () => {
    const disk = makeDisk()
    const first = await open(disk)
    await send(first, raw(0), [click(0), click(1), click(2, { userId: null }), click(3, { price: 0 }), { id: 'bad' }])
    await send(first, raw(1), [click(30_000, { shopId: 't' }), click(0)])
    await first.engine.caughtUp()
    const before = first.engine.counts
    await stop(first)
    const second = await open(disk)
    assert.deepEqual(second.engine.counts, before)
    assert.deepEqual(second.engine.prefix('clicks'), [5, 2])
    await assertMatchesLog({ ...second, views }, [0, 5])
    await send(second, raw(0), [click(4)])
    await second.engine.caughtUp()
    assert.equal(clicksOf(second, 1), 5)
    await second.engine.checkpoint()
    await assertMatchesLog({ ...second, views }, [0, 5])
    await stop(second)
  })

  test('what was folded after the last checkpoint is folded again, once', async () => {
    const disk = makeDisk()
    const first = await open(disk)
    await send(first, raw(0), [click(0), click(1)])
    await first.engine.caughtUp()
    await first.engine.checkpoint()
    await send(first, raw(0), [click(2), click(3)])
    await first.engine.caughtUp()
    assert.equal(clicksOf(first, 1), 4)
    first.steps.die()
    const second = await open(disk)
    assert.equal(clicksOf(second, 1), 2, 'nothing after the checkpoint is durable')
    await second.engine.caughtUp()
    assert.equal(clicksOf(second, 1), 4)
    await stop(second)
  })

  test('events that come while a checkpoint is written belong to the next one', async () => {
    const disk = makeDisk()
    const held = Promise.withResolvers<void>()
    const { store: inner } = disk
    const store: OnlineStore = {
      get: (key) => inner.get(key),
      range: (from, to) => inner.range(from, to),
      write: async (changes) => {
        await held.promise
        await inner.write(changes)
      },
      close: () => inner.close(),
    }
    const first = await open(disk, { store })
    await send(first, raw(0), [click(0), { bad: 1 }])
    await first.engine.caughtUp()
    const written = first.engine.checkpoint()
    await send(first, raw(0), [click(1), { bad: 2 }])
    await first.engine.caughtUp()
    assert.equal(clicksOf(first, 1), 2, 'reads see what is folded')
    held.resolve()
    await written
    first.steps.die()
    const second = await open(disk)
    assert.equal(clicksOf(second, 1), 1)
    assert.equal(second.engine.counts.sources[0]!.records, 2)
    await second.engine.caughtUp()
    await second.engine.checkpoint()
    await assertMatchesLog({ ...second, views }, [0])
    await stop(second)
  })

  test('a table that holds no key gives the same values', async () => {
    for (const keysMax of [0, 1, 3]) {
      const disk = makeDisk()
      const onTurn = (engine: Process['engine']): void => {
        void engine.checkpoint().catch((error: unknown) => assert.match(String(error), /it was closed/))
      }
      const first = await open(disk, { keysMax, readMax: 3, onTurn })
      const events = Array.from({ length: 60 }, (_, nth) =>
        click((nth * 977) % 9000, { userId: nth % 7, shopId: `s${nth % 5}` }),
      )
      await send(first, raw(0), events.slice(0, 40))
      await send(first, raw(1), events.slice(40))
      await first.engine.caughtUp()
      await first.engine.checkpoint()
      assert.ok(first.engine.inMemory(first.plan.views[0]!)!.cachedCount <= keysMax)
      await assertMatchesLog({ ...first, views }, [0, 1, 4000])
      assert.ok(first.engine.inMemory(first.plan.views[0]!)!.cachedCount <= keysMax, 'reads do not fill it')
      await stop(first)
    }
  })
})

describe('faults', () => {
  test('a store that fails stops the engine; later calls say so', async () => {
    const process = await open(makeDisk(), { cut: { at: 0, mode: 'fails' } })
    await send(process, raw(0), [click(0)])
    await process.engine.caughtUp()
    await assert.rejects(process.engine.checkpoint(), /on fire/)
    assert.match(String(process.engine.fault), /on fire/)
    await assert.rejects(process.engine.checkpoint(), { code: 'ENGINE_STOPPED' })
    // What is sent now is durable in the log, and waits for a restart.
    await send(process, raw(0), [click(1)])
    await assert.rejects(process.engine.caughtUp(), { code: 'ENGINE_STOPPED' })
    await process.engine.close()
    assert.equal(process.steps.count, 1, 'a stopped engine writes no last checkpoint')
  })

  test('an output topic that fails stops the partition, before the store is written; the others go on', async () => {
    const disk = makeDisk()
    const process = await open(disk, { cut: { at: 0, mode: 'fails' } })
    await send(process, raw(0), [click(0), { bad: true }])
    await process.engine.caughtUp()
    await assert.rejects(process.engine.checkpoint(), /on fire/)
    assert.equal(disk.store.get(checkpointKey), undefined)
    await send(process, raw(1), [click(1)])
    await assert.rejects(process.engine.caughtUp(), { code: 'PARTITION_HALTED' })
    await process.engine.checkpoint()
    assert.deepEqual(process.engine.prefix('clicks'), [0, 1])
    assert.equal(process.engine.fault, null)
    assert.deepEqual(
      process.engine.halted.map(({ topic, partition, fault }) => ({ topic, partition, fault: String(fault) })),
      [
        {
          topic: 'raw',
          partition: 0,
          fault: 'MillraceError: could not write what goes to dead-letter-queue: the disk is on fire',
        },
      ],
    )
    await stop(process)
    const second = await open(disk)
    await second.engine.caughtUp()
    await second.engine.checkpoint()
    await assertMatchesLog({ ...second, views }, [0, 1])
    await stop(second)
  })

  test('a source partition that fails stops by itself', async () => {
    const disk = makeDisk()
    const process = await open(disk)
    await send(process, raw(0), [click(0)])
    await process.engine.caughtUp()
    disk.fileSystem.onOperation = (operation) => {
      if (operation === 'sync') throw new Error('no space left')
    }
    await assert.rejects(send(process, raw(0), [click(1)]), { code: 'LOG_WRITE_FAILED' })
    disk.fileSystem.onOperation = () => undefined
    await until(() => process.engine.halted.length > 0)
    assert.match(String(process.engine.halted[0]!.fault), /no space left/)
    await send(process, raw(1), [click(1)])
    await process.engine.caughtUp()
    await process.engine.checkpoint()
    assert.deepEqual(process.engine.prefix('clicks'), [1, 1])
    await process.engine.close()
  })

  // The fold throws in one promise's turn and the engine hears of it in a later one. A checkpoint that waits for its
  // own turn may come in between: so every distance between the two is tried.
  for (let ticks = 0; ticks < 40; ticks += 8) {
    test(`a record whose fold fails half way is in no checkpoint, ${ticks} turns on`, async () => {
      for (let nth = ticks; nth < ticks + 8; nth++) await foldHalfWay(nth)
    })
  }

  test('a partition that lost records which the state still needs stops', async () => {
    const disk = makeDisk()
    const first = await open(disk)
    await send(first, raw(0), [click(0), click(1)])
    await first.engine.caughtUp()
    await stop(first)
    const shorter = (log: Log): Log => ({
      ...log,
      end: (topic, partition) => (topic === 'raw' && partition === 0 ? 1 : log.end(topic, partition)),
    })
    const truncated = {
      start: (topic: string) => (topic === 'raw' ? 3 : 0),
      end: (topic: string) => (topic === 'raw' ? 9 : 0),
    }
    for (const wrapLog of [
      (log: Log) => bound(log, shorter(log)),
      (log: Log) => bound(log, { ...log, ...truncated }),
    ]) {
      const { engine } = await open(disk, { wrapLog })
      await assert.rejects(engine.caughtUp(), { code: 'PARTITION_HALTED', message: /raw has stopped/ })
      assert.equal((engine.halted[0]!.fault as MillraceError).code, 'LOG_OFFSET_OUT_OF_RANGE')
      await engine.close()
    }
  })

  test('an output topic that is shorter than the checkpoint says is refused', async () => {
    const disk = makeDisk()
    const first = await open(disk)
    await send(first, raw(0), [{ bad: 1 }, { bad: 2 }])
    await first.engine.caughtUp()
    await stop(first)
    const end = (log: Log) => (topic: string, partition: number) =>
      topic === 'dead-letter-queue' ? 1 : log.end(topic, partition)
    await assert.rejects(open(disk, { wrapLog: (log) => bound(log, { ...log, end: end(log) }) }), {
      code: 'LOG_OFFSET_OUT_OF_RANGE',
    })
  })

  test('the state of another log or of another release is refused', async () => {
    const disk = makeDisk()
    const first = await open(disk)
    await send(first, raw(0), [click(0)])
    await first.engine.caughtUp()
    await stop(first)
    await assert.rejects(open({ ...makeDisk(), store: disk.store }), { code: 'STATE_FOREIGN' })
    const checkpoint = JSON.parse(Buffer.from(disk.store.get(checkpointKey)!).toString()) as object
    await disk.store.write([[checkpointKey, Buffer.from(JSON.stringify({ ...checkpoint, version: 3 }))]])
    await assert.rejects(open(disk), { code: 'STATE_VERSION_UNKNOWN' })
  })
})

/** A checkpoint is being written and another waits for it; `ticks` after the first is done, a record fails to fold. */
async function foldHalfWay(ticks: number): Promise<void> {
  const disk = makeDisk()
  // While the store has no state at all, it is not asked for one.
  const before = await open(disk)
  await send(before, raw(0), [click(9)])
  await before.engine.caughtUp()
  await stop(before)
  const byShopStates = Buffer.from(compile(views).views[1]!.fingerprint, 'hex')
  const [held, { store: inner }] = [Promise.withResolvers<void>(), disk]
  let broken = false
  const store: OnlineStore = {
    get: (key) => {
      // Asked for by the second view of the record: the first has folded it already.
      if (broken && Buffer.from(key).includes(byShopStates)) throw new Error('the disk is gone')
      return inner.get(key)
    },
    range: (from, to) => inner.range(from, to),
    write: async (changes) => {
      await held.promise
      await inner.write(changes)
    },
    close: () => inner.close(),
  }
  const read = (log: Log) => async (topic: string, partition: number, offset: number, bytesMax: number) => {
    const records = await log.read(topic, partition, offset, bytesMax)
    if (broken) held.resolve()
    for (let tick = 0; broken && tick < ticks; tick++) await Promise.resolve()
    return records
  }
  const process = await open(disk, { store, wrapLog: (log) => bound(log, { read: read(log) }) })
  await send(process, raw(0), [click(0)])
  await process.engine.caughtUp()
  const checkpoints = Promise.allSettled([process.engine.checkpoint(), process.engine.checkpoint()])
  broken = true
  await send(process, raw(0), [click(1, { shopId: 'other' })])
  await checkpoints
  await until(() => process.engine.halted.length > 0)
  assert.match(String(process.engine.halted[0]!.fault), /the disk is gone/)
  broken = false
  await process.engine.checkpoint()
  await stop(process)
  const second = await open(disk)
  await second.engine.caughtUp()
  await second.engine.checkpoint()
  await assertMatchesLog({ ...second, views }, [0])
  await stop(second)
}

/** A store that takes its time to write. */
function slow(store: OnlineStore): OnlineStore {
  return {
    get: (key) => store.get(key),
    range: (from, to) => store.range(from, to),
    write: async (changes) => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      await store.write(changes)
    },
    close: () => store.close(),
  }
}

/** A log with some methods replaced. Those of a class need their own `this`. */
function bound(log: Log, replaced: Partial<Log>): Log {
  return new Proxy(log, {
    get: (target, name) => {
      const own = Object.hasOwn(replaced, name) ? replaced[name as keyof Log] : undefined
      const found: unknown = own ?? target[name as keyof Log]
      return typeof found === 'function' ? (found.bind(target) as unknown) : found
    },
  })
}

describe('closing', () => {
  test('while it reads: nothing is lost, the rest is read after a restart', async () => {
    const disk = makeDisk()
    const first = await open(disk, { readMax: 2 })
    await send(
      first,
      raw(0),
      Array.from({ length: 40 }, (_, nth) => click(nth)),
    )
    await until(() => first.engine.prefix('clicks')[0]! > 4)
    await first.engine.close()
    const next = first.engine.prefix('clicks')[0]!
    assert.ok(next < 40, `${next} of 40`)
    await first.log.close()
    const second = await open(disk)
    assert.equal(clicksOf(second, 1), next)
    await second.engine.caughtUp()
    assert.equal(clicksOf(second, 1), 40)
    await stop(second)
  })

  test('twice: both calls wait for the same last checkpoint', async () => {
    const disk = makeDisk()
    const process = await open(disk)
    await send(process, raw(0), [click(0)])
    await process.engine.caughtUp()
    const seen: boolean[] = []
    await Promise.all(
      [0, 1].map(async () => {
        await process.engine.close()
        seen.push(disk.store.get(checkpointKey) !== undefined)
      }),
    )
    assert.deepEqual(seen, [true, true])
    await process.engine.close()
    assert.equal(process.steps.count, 1)
    assert.equal(process.engine.fault, null)
    await assert.rejects(process.engine.checkpoint(), { code: 'ENGINE_STOPPED' })
    await process.engine.caughtUp()
  })

  test('while checkpoints are asked for: it waits for those and is no fault', async () => {
    const disk = makeDisk()
    const process = await open(disk, { store: slow(disk.store) })
    await send(process, raw(0), [click(0), { bad: 1 }])
    await process.engine.caughtUp()
    const asked = Promise.allSettled([process.engine.checkpoint(), process.engine.checkpoint()])
    await process.engine.close()
    assert.ok(disk.store.get(checkpointKey) !== undefined, 'the one under way is finished')
    const [first, second] = await asked
    assert.equal(first!.status, 'fulfilled')
    assert.equal(second!.status, 'rejected')
    assert.equal(process.engine.fault, null)
  })

  test('a last checkpoint that fails is the fault', async () => {
    const process = await open(makeDisk(), { cut: { at: 0, mode: 'fails' } })
    await send(process, raw(0), [click(0)])
    await process.engine.caughtUp()
    await assert.rejects(process.engine.close(), /on fire/)
    assert.match(String(process.engine.fault), /on fire/)
    await assert.rejects(process.engine.close(), /on fire/)
  })

  test('with nothing new writes nothing', async () => {
    const process = await open()
    await process.engine.close()
    assert.equal(process.steps.count, 0)
  })
})

describe('streams and views', () => {
  test('two streams on one topic judge each record for themselves', async () => {
    const disk = makeDisk()
    const all = [byUser, byShop, strictByUser]
    const first = await open(disk, { views: all })
    await send(first, raw(0), [click(9_000), click(5_000), { bad: 1 }, click(9_500), click(5_001)])
    await first.engine.caughtUp()
    assert.equal(clicksOf(first, 1), 4)
    assert.equal(clicksOf(first, 1, 'strict_by_user'), 2)
    await first.engine.checkpoint()
    await assertMatchesLog({ ...first, views: all }, [0])
    await send(first, raw(0), [{ bad: 2 }, click(5_002)])
    await first.engine.caughtUp()
    first.steps.die()
    const second = await open(disk, { views: all })
    await second.engine.caughtUp()
    await second.engine.checkpoint()
    const tally = await assertMatchesLog({ ...second, views: all }, [0])
    assert.equal(tally.deadLetters, 4)
    assert.equal(tally.late, 3)
    await stop(second)
  })

  test('a key longer than the store takes is kept all the same', async () => {
    const keys = { a: string(), b: string(), c: string(), d: string() }
    const wide = stream('wide', { fields: { ...keys, at: timestamp('ms') }, time: 'at', lateness: '1s' })
    const byAll = featureView('by_all', {
      from: wide,
      by: entity('all', keys),
      features: (on) => ({ events: on.count({ over: 'lifetime' }) }),
    })
    const disk = makeDisk()
    const first = await open(disk, { views: [byAll], keysMax: 0 })
    const long = (last: string) => ({ a: 'a'.repeat(512), b: 'b'.repeat(512), c: 'c'.repeat(512), d: last, at: start })
    const events = [long('d'.repeat(512)), long(`${'d'.repeat(511)}e`), long('d'.repeat(512)), long('d')]
    await send(first, { topic: 'wide', partition: 0 }, events)
    await first.engine.caughtUp()
    await first.engine.checkpoint()
    const { keys: compared } = await assertMatchesLog({ ...first, views: [byAll] }, [0])
    assert.equal(compared, 3)
    await stop(first)
  })
})
