// Goal: a compaction reaches what came by other ways than a send: imports, replays, mended events; and it refuses what
// it cannot do whole. Method: small folders, counters before and after a rebuild.
import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { bootstrap } from '../../../src/app/bootstrap.ts'
import { compact } from '../../../src/app/compact/compact.ts'
import { compactLog } from '../../../src/app/compact/compact-log.ts'
import { examineFolder } from '../../../src/app/doctor/doctor.ts'
import { openFolderLog } from '../../../src/app/folder-log.ts'
import { compilePlan } from '../../../src/app/load-plan.ts'
import type { Mill } from '../../../src/app/mill.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { decimal, entity, featureView, int, millrace, stream, string, timestamp } from '../../../src/index.ts'
import type { Definition } from '../../../src/definition/definition.ts'
import { forgottenTopic } from '../../../src/plan/forgotten.ts'
import { readAll } from '../../conformance/log.ts'
import { freshFolder, holds } from './folders.ts'

const customer = entity('customer', { customerId: int() })
const shop = entity('shop', { shop: string() })
const until = '2024-06-01T00:00:00Z'
const instant = (minute: number): string => new Date(Date.parse(until) + minute * 60_000).toISOString()
const ordersWith = (lateness: '10m' | '1h') =>
  stream('orders', {
    fields: { customerId: int(), shop: string(), amount: decimal(2), at: timestamp() },
    time: 'at',
    key: 'customerId',
    lateness,
    history: { until },
  })
const viewsOf = (lateness: '10m' | '1h') => {
  const from = ordersWith(lateness)
  return [
    featureView('spending', {
      from,
      by: customer,
      features: (on) => ({ spent: on.sum('amount', { over: 'lifetime' }) }),
    }),
    featureView('shops', { from, by: shop, features: (on) => ({ taken: on.sum('amount', { over: 'lifetime' }) }) }),
  ] as const
}
const [spending, regular] = viewsOf('10m')
const filtered = featureView('shops', {
  from: spending.from as ReturnType<typeof ordersWith>,
  by: shop,
  where: (e) => e.customerId.gt(0),
  features: (on) => ({ taken: on.sum('amount', { over: 'lifetime' }) }),
})

const opened: Mill[] = []
after(async () => await Promise.all(opened.map((mill) => mill.close())))

async function open(folder: string, definitions: readonly Definition[] = [spending, regular]): Promise<Mill> {
  const mill = await millrace({ definitions, folder, partitions: 1, checkpointMs: 600_000 })
  opened.push(mill)
  await mill.caughtUp()
  return mill
}

/** Of the forgotten customer, whose number is nowhere else. */
const secret = 987_654_321
const event = (customerId: number, minute: number, amount: unknown = 10): Buffer =>
  Buffer.from(JSON.stringify({ customerId, shop: 'corner', amount, at: instant(minute) }))

async function send(mill: Mill, ...events: readonly Buffer[]): Promise<void> {
  for (const one of events) await mill.ingest('orders', [one])
  await mill.caughtUp()
  // Then dead letters and late events are in their topics.
  await mill.engine.checkpoint()
}

async function rebuilt(folder: string): Promise<Mill['counts']> {
  const mill = await open(folder)
  const { counts } = mill
  await mill.close()
  const { findings } = await examineFolder({ folder, deep: true })
  assert.deepEqual(
    findings.filter(({ status }) => status === 'fault'),
    [],
  )
  return counts
}

describe('a compaction', () => {
  test('reaches what was imported from files', async () => {
    const folder = freshFolder()
    const plan = compilePlan([spending, regular])
    const file = join(dirname(folder), 'old.csv')
    writeFileSync(
      file,
      `customerId,shop,amount,at\n${secret},corner,1,${instant(-60)}\n5,corner,2,${instant(-50)}\n${secret},corner,4,${instant(-40)}\n`,
    )
    await bootstrap({ plan, folder, files: { orders: [file] }, partitions: 1 })
    const mill = await open(folder)
    await send(mill, event(secret, 1), event(5, 2))
    await mill.forget('customer', { customerId: secret })
    const { counts } = mill
    assert.equal(counts.views['spending']!.forgotten, 3)
    await mill.close()
    const { topics } = await compact({ folder })
    assert.deepEqual(
      new Map(topics.filter(({ replaced }) => replaced > 0).map(({ topic, replaced }) => [topic, replaced])),
      new Map([
        ['orders', 1],
        ['history.orders', 2],
      ]),
    )
    assert.equal(holds(folder, `${secret}`), false)
    assert.deepEqual(await rebuilt(folder), counts)
    // The file is known by its checksum still: nothing of it comes back.
    const [again] = await bootstrap({ plan, folder, files: { orders: [file] }, partitions: 1 })
    assert.equal(again!.found, 3)
    assert.equal(holds(folder, `${secret}`), false)
  })

  test('reaches events that were mended and sent again, which still stand in for their originals', async () => {
    const folder = freshFolder()
    let mill = await open(folder)
    await send(mill, event(secret, 1, 'much'), event(5, 2, 'much'), event(secret, 30), event(secret, 3))
    const mend = { event: event(secret, 31) }
    const fixed = await mill.replays.fix({ kind: 'refused', place: { partition: 0, offset: 0 }, mended: mend })
    assert.equal(fixed.outcome, 'sent')
    await mill.forget('customer', { customerId: secret })
    const { counts } = mill
    assert.equal(counts.views['spending']!.forgotten, 2)
    await mill.close()
    await compact({ folder })
    assert.equal(holds(folder, `${secret}`), false)
    assert.deepEqual(await rebuilt(folder), counts)

    mill = await open(folder)
    const again = await mill.replays.fix({ kind: 'refused', place: { partition: 0, offset: 0 }, mended: mend })
    assert.equal(again.outcome, 'settled')
    const other = { event: event(5, 32) }
    const second = await mill.replays.fix({ kind: 'refused', place: { partition: 0, offset: 1 }, mended: other })
    assert.equal(second.outcome, 'sent')
    const late = await mill.replays.replay({ kind: 'late', target: { places: [{ partition: 0, offset: 0 }] } })
    assert.equal(late.results[0]!.outcome, 'late')
    await mill.close()
  })

  test('keeps forgotten what other definitions accept later', async () => {
    const folder = freshFolder()
    let mill = await open(folder)
    await send(mill, event(5, 1), event(secret, 3, 11), event(secret, 60), event(secret, 20, 12))
    await mill.forget('customer', { customerId: secret })
    await mill.close()
    await compact({ folder })
    mill = await open(folder, viewsOf('1h'))
    const { views } = mill.counts
    assert.deepEqual([views['shops']!.applied, views['spending']!.forgotten], [4, 3])
    await mill.close()
  })

  test('says where a filter reads what is hidden', async () => {
    const folder = freshFolder()
    const mill = await open(folder, [spending, filtered])
    await send(mill, event(secret, 1), event(5, 2))
    await mill.forget('customer', { customerId: secret })
    await mill.close()
    const { notes } = await compact({ folder })
    assert.deepEqual(notes, ['view shops: its filter reads a hidden key, and counts them otherwise (1 events)'])
  })

  test('finds by older definitions what the applied ones do not read any more', async () => {
    const folder = freshFolder()
    let mill = await open(folder)
    await send(mill, event(secret, 1), event(5, 2))
    await mill.forget('customer', { customerId: secret })
    await mill.close()
    mill = await millrace({ definitions: [regular], folder, allowIncompatible: true })
    opened.push(mill)
    await mill.caughtUp()
    await mill.close()
    assert.equal((await compact({ folder })).changed, true)
    assert.equal(holds(folder, `${secret}`), false)
  })

  test('of an entity that no definitions have is refused, and changes nothing', async () => {
    const folder = freshFolder()
    const mill = await open(folder)
    await send(mill, event(secret, 1))
    const { prefix, key, at } = await mill.forget('customer', { customerId: secret })
    const other = { version: 1, entity: 'nobody', key, prefix, at }
    await mill.log.append(forgottenTopic, 0, [{ key: null, value: Buffer.from(JSON.stringify(other)), timestampMs: 0 }])
    await mill.close()
    await assert.rejects(compact({ folder }), { code: 'NAME_UNDECLARED' })
    assert.ok(existsSync(join(folder, 'store')))
  })

  test('does not delete a state that the log cannot give back, unless that is accepted', async () => {
    const folder = freshFolder()
    const mill = await open(folder)
    await send(mill, event(5, 1), event(secret, 2), event(5, 3))
    await mill.forget('customer', { customerId: secret })
    await mill.close()
    const log = await openFolderLog(folder, systemClock)
    const trimmed = new Proxy(log, {
      get(target, name) {
        if (name === 'start')
          return (topic: string, partition: number) => (topic === 'orders' ? 1 : log.start(topic, partition))
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    let removed = 0
    const run = (mayLoseState: boolean) =>
      compactLog({
        log: trimmed,
        folder,
        plan: null,
        clock: systemClock,
        mayLoseState,
        removeState: async () => await Promise.resolve(void (removed += 1)),
        onProgress: () => undefined,
      })
    await assert.rejects(run(false), { code: 'COMPACT_LOSES_STATE' })
    assert.equal(removed, 0)
    assert.ok((await readAll(log, 'orders')).every(({ headers }) => headers.length === 0))
    assert.equal((await run(true)).changed, true)
    assert.equal(removed, 1)
    await log.close()
  })
})
