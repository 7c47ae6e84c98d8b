// Goal: a rejected event that is replayed or mended counts once, whoever does it however often, and whatever was
// accepted meanwhile; what would be rejected again is not sent, and says why.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { letterAt, newestLetters, placeOf } from '../../src/app/dead-letters.ts'
import type { Mill } from '../../src/app/mill.ts'
import { systemClock } from '../../src/base/clock.ts'
import { logHistory } from '../../src/dataset/history.ts'
import {
  decimal,
  entity,
  type FeatureView,
  featureView,
  float,
  int,
  millrace,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { standInHeader } from '../../src/plan/open-rejections.ts'
import type { RejectionKind, ReplayResult } from '../../src/serve/http-service.ts'
import { readPartition } from '../oracle/matches-log.ts'

const user = entity('user', { user: int() })
const nowMs = Date.now()
type Kind = 'with ids' | 'without ids'

/** @param amount what the amount may be: whole cents, or anything. */
function viewOf(kind: Kind, amount: 'cents' | 'any' = 'cents', name = 'orders'): FeatureView {
  const fields = { id: string(), user: int(), amount: amount === 'cents' ? decimal(2) : float(), at: timestamp('ms') }
  const options = { topic: 'orders', fields, time: 'at', key: 'user', lateness: '1m' } as const
  const orders = kind === 'with ids' ? stream(name, { ...options, id: 'id' }) : stream(name, options)
  return featureView(`${name}_spending`, {
    from: orders,
    by: user,
    features: (on) => ({ count: on.count({ over: '1d' }), spent: on.sum('amount', { over: '1d' }) }),
  })
}

const order = (id: string, amount: unknown, more: object = {}): Buffer =>
  Buffer.from(JSON.stringify({ id, user: 1, amount, at: nowMs - 1_000, ...more }))

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-replays-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function withMill(folder: string, view: FeatureView, use: (mill: Mill) => Promise<void>): Promise<void> {
  const mill = await millrace({
    definitions: [view],
    folder,
    partitions: 2,
    checkpointMs: 100_000,
    allowIncompatible: true,
  })
  try {
    await mill.caughtUp()
    await use(mill)
  } finally {
    await mill.close()
  }
}

/** Sends, and waits until what is rejected lies in its topic. */
async function sent(mill: Mill, ...bodies: readonly Buffer[]): Promise<void> {
  await mill.ingest(mill.plan.streams[0]!.name, bodies)
  await mill.caughtUp()
  await mill.engine.checkpoint()
}

async function lettersOf(mill: Mill, kind: RejectionKind = 'refused') {
  const options = { countMax: 1_000, clock: systemClock }
  return (await newestLetters(mill.log, { kind }, options)).newest
}

async function spending(mill: Mill): Promise<readonly unknown[]> {
  await mill.caughtUp()
  return mill.read(mill.plan.views[0]!.name, { user: 1 }, { asOf: nowMs }).values
}

async function fixAll(mill: Mill, set: object, kind: RejectionKind = 'refused'): Promise<ReplayResult[]> {
  const results: ReplayResult[] = []
  for (const letter of await lettersOf(mill, kind)) {
    results.push(await mill.replays.fix({ kind, place: placeOf(letter), mended: { set: { ...set } } }))
  }
  return results
}

const replayAll = async (mill: Mill, kind: RejectionKind = 'refused'): Promise<ReplayResult[]> => {
  const all = { from: { partition: 0, offset: 0 }, countMax: 1_000 }
  return [...(await mill.replays.replay({ kind, target: { all } })).results]
}

const outcomes = (results: readonly ReplayResult[]): string[] => results.map(({ outcome }) => outcome)
const recordCount = (mill: Mill): number => mill.counts.sources.reduce((sum, { records }) => sum + records, 0)

for (const kind of ['with ids', 'without ids'] as const) {
  test(`${kind}: a mended event counts once, in its partition and with its record's time, also after restarts`, async () => {
    await withFolder(async (folder) => {
      await withMill(folder, viewOf(kind), async (mill) => {
        await sent(mill, order('a', 1), order('b', 'much'))
        const [letter] = await lettersOf(mill)
        const fix = async (amount: number): Promise<ReplayResult> =>
          await mill.replays.fix({ kind: 'refused', place: placeOf(letter!), mended: { event: order('b', amount) } })
        const result = await fix(2.5)
        assert.equal(result.outcome, 'sent')
        assert.deepEqual(await spending(mill), [2, 3.5])
        assert.equal((await fix(2.5)).outcome, 'settled')
        assert.equal((await fix(9)).outcome, 'settled')
        const history = logHistory(mill.plan.streams[0]!, mill.log, { clock: systemClock })
        const trained: unknown[] = []
        const { records, accepted, refused } = await history.read(
          ({ row }) => trained.push(row[2]),
          () => undefined,
        )
        assert.deepEqual(
          { records, accepted, refused },
          { records: 3, accepted: 2, refused: 1 },
          'training counts the same',
        )
        assert.deepEqual(
          trained.toSorted((a, b) => Number(a) - Number(b)),
          [100, 250],
        )
        const { at } = result as Extract<ReplayResult, { outcome: 'sent' }>
        const { topic, partition, offset, timestampMs } = letter!
        const [original, standIn] = (await readPartition(mill.log, topic, partition)).filter((one) =>
          [offset, at.offset].includes(one.offset),
        )
        assert.deepEqual([at.partition, standIn!.timestampMs], [partition, timestampMs])
        assert.equal(original!.timestampMs, timestampMs)
        assert.equal(Buffer.from(standIn!.value!).toString(), order('b', 2.5).toString())
        const found = (await letterAt(mill.log, 'refused', placeOf(letter!)))!.handled
        assert.deepEqual({ ...found, notedMs: 0 }, { outcome: 'sent', at, mended: true, notedMs: 0 })
      })
      await withMill(folder, viewOf(kind), async (mill) => {
        assert.deepEqual(outcomes(await fixAll(mill, { amount: 7 })), ['settled'])
        assert.deepEqual(await spending(mill), [2, 3.5])
      })
    })
  })

  test(`${kind}: what other definitions accept in its own place is not sent again`, async () => {
    await withFolder(async (folder) => {
      await withMill(folder, viewOf(kind), async (mill) => {
        await sent(mill, order('a', 1), order('b', 0.125), order('c', 0.375))
        assert.deepEqual(outcomes(await replayAll(mill)), ['refused', 'refused'])
        assert.deepEqual(await spending(mill), [1, 1])
        assert.equal(recordCount(mill), 3)
      })
      await withMill(folder, viewOf(kind, 'any'), async (mill) => {
        await mill.engine.settled()
        assert.deepEqual(await spending(mill), [3, 1.5])
        assert.deepEqual(outcomes(await replayAll(mill)), ['settled', 'settled'])
        assert.deepEqual(await replayAll(mill), [], 'noted, and so no longer open')
        assert.deepEqual(await spending(mill), [3, 1.5])
        assert.equal(recordCount(mill), 3)
      })
    })
  })

  test(`${kind}: a fix made before the definitions changed does not count beside its original`, async () => {
    await withFolder(async (folder) => {
      await withMill(folder, viewOf(kind), async (mill) => {
        await sent(mill, order('a', 1), order('b', 0.125))
        assert.deepEqual(outcomes(await fixAll(mill, { id: 'b2', amount: 0.12 })), ['sent'])
        assert.deepEqual(await spending(mill), [2, 1.12])
      })
      await withMill(folder, viewOf(kind, 'any'), async (mill) => {
        await mill.engine.settled()
        assert.deepEqual(await spending(mill), [2, 1.125])
      })
    })
  })

  test(`${kind}: a crash between the append and the note changes nothing`, async () => {
    await withFolder(async (folder) => {
      await withMill(folder, viewOf(kind), async (mill) => {
        await sent(mill, order('b', 'much'))
        const [letter] = await lettersOf(mill)
        const { topic, partition, offset, timestampMs } = letter!
        const headers = [[standInHeader, Buffer.from(String(offset))]] as const
        const value = order('b', 2)
        await mill.log.append(topic, partition, [{ key: null, value, timestampMs, headers }])
        assert.deepEqual(outcomes(await fixAll(mill, { amount: 2 })), ['settled'])
        assert.deepEqual(await spending(mill), [1, 2])
        assert.equal((await lettersOf(mill))[0]!.handled?.outcome, 'settled')
      })
    })
  })

  test(`${kind}: a late event stays late; mended to a time within the lateness it counts`, async () => {
    await withFolder(async (folder) => {
      await withMill(folder, viewOf(kind), async (mill) => {
        await sent(mill, order('a', 1), order('b', 2, { at: nowMs - 600_000 }))
        const [late] = await replayAll(mill, 'late')
        assert.ok(late?.outcome === 'late')
        assert.deepEqual([late.ts, late.watermark, late.outside], [nowMs - 600_000, nowMs - 1_000, null])
        assert.equal(recordCount(mill), 2)
        assert.deepEqual(outcomes(await fixAll(mill, { at: nowMs - 2_000 }, 'late')), ['sent'])
        assert.deepEqual(outcomes(await fixAll(mill, { at: nowMs - 2_000 }, 'late')), ['settled'])
        assert.deepEqual(await spending(mill), [2, 3])
      })
    })
  })
}

test('what is still refused is not sent, and says why', async () => {
  await withFolder(async (folder) => {
    await withMill(folder, viewOf('with ids'), async (mill) => {
      await sent(mill, order('a', 'much', { at: 'noon' }))
      const [result] = await fixAll(mill, { amount: 1.005 })
      assert.ok(result?.outcome === 'refused')
      assert.deepEqual(
        result.faults.map(({ code, path }) => `${path} ${code}`),
        ['amount SCALE', 'at TIME'],
      )
      assert.equal(recordCount(mill), 1)
      assert.equal((await lettersOf(mill)).length, 1)
    })
  })
})

test('an id that was accepted is not sent again, in whichever partition', async () => {
  await withFolder(async (folder) => {
    await withMill(folder, viewOf('with ids'), async (mill) => {
      await sent(mill, order('a', 'much'), order('a', 1, { user: 1 }), order('a', 1, { user: 2 }))
      const [result] = await fixAll(mill, { amount: 5 })
      assert.deepEqual([result!.outcome, 'id' in result! && result.id], ['duplicate', 'a'])
      assert.deepEqual(await spending(mill), [1, 1])
    })
  })
})

test('many at once, from several hands: each counts once', async () => {
  await withFolder(async (folder) => {
    await withMill(folder, viewOf('without ids'), async (mill) => {
      await sent(mill, ...Array.from({ length: 20 }, (_, n) => order(`p${n}`, 'much')))
      const results = (await Promise.all([fixAll(mill, { amount: 1 }), fixAll(mill, { amount: 1 })])).flat()
      const counts = Map.groupBy(outcomes(results), (one) => one)
      assert.deepEqual([counts.get('sent')?.length, counts.get('settled')?.length], [20, 20])
      assert.deepEqual(await spending(mill), [20, 20])
    })
  })
})

test('a second rejection of a stand-in is mended in place of the first original', async () => {
  await withFolder(async (folder) => {
    await withMill(folder, viewOf('without ids'), async (mill) => {
      await sent(mill, order('b', 'much'))
      const { topic, partition, offset, timestampMs } = (await lettersOf(mill))[0]!
      const headers = [[standInHeader, Buffer.from(String(offset))]] as const
      await mill.log.append(topic, partition, [{ key: null, value: order('b', 'more'), timestampMs, headers }])
      await mill.caughtUp()
      await mill.engine.checkpoint()
      assert.deepEqual(
        (await lettersOf(mill)).map(({ original }) => original),
        [offset, offset],
      )
      assert.deepEqual(outcomes(await fixAll(mill, { amount: 4 })), ['sent', 'settled'])
      assert.deepEqual(await spending(mill), [1, 4])
    })
  })
})

test('single values are set without touching the digits of others, and only in JSON objects', async () => {
  await withFolder(async (folder) => {
    await withMill(folder, viewOf('without ids'), async (mill) => {
      const raw = `{"id":"b","user":1,"amount":"much","at":${nowMs - 1_000},"big":12345678901234567890,"e":1e999,"__proto__":{"x":0.10}}`
      await sent(mill, Buffer.from(raw), Buffer.from('{"id"'))
      const [object, broken] = (await lettersOf(mill)).toSorted((a, b) => b.raw!.length - a.raw!.length)
      const fix = async (letter: typeof object, set: object): Promise<ReplayResult> =>
        await mill.replays.fix({ kind: 'refused', place: placeOf(letter!), mended: { set: { ...set } } })
      await assert.rejects(fix(broken, { amount: 1 }), { code: 'REQUEST_MALFORMED', message: /not JSON/ })
      await assert.rejects(fix(object, { 'id.inner': 1 }), { code: 'REQUEST_MALFORMED', message: /"id".* no object/ })
      const result = await fix(object, { amount: 2, 'more.deep': 'x' })
      assert.ok(result.outcome === 'sent')
      const [record] = (await mill.log.read('orders', result.at.partition, result.at.offset, 1)).records
      const mended = raw.replace('"much"', '2').replace(/}$/, ',"more":{"deep":"x"}}')
      assert.equal(Buffer.from(record!.value!).toString(), mended)
    })
  })
})

test('a stream that was renamed is found by its topic; one that nothing reads is said to be unread', async () => {
  await withFolder(async (folder) => {
    await withMill(folder, viewOf('with ids'), async (mill) => await sent(mill, order('b', 'much')))
    await withMill(folder, viewOf('with ids', 'cents', 'purchases'), async (mill) => {
      await mill.engine.settled()
      assert.deepEqual(outcomes(await fixAll(mill, { amount: 4 })), ['sent'])
      assert.deepEqual(await spending(mill), [1, 4])
      assert.deepEqual(
        outcomes(
          (await mill.replays.replay({ kind: 'refused', target: { places: [{ partition: 9, offset: 9 }] } })).results,
        ),
        ['missing'],
      )
    })
  })
})
