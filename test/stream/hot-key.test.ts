// Goal: a key with 300,000 events in its window is exact, through checkpoints, crashes at any step, and restarts; a key
// beside it too.
// Method: the engine on the log and store of the harness, with few keys in memory; the process is killed at some durable
// steps. Values are compared with loops over all events.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { stream } from '../../src/definition/stream.ts'
import { readView } from '../../src/plan/finish-view.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { isPageKey } from '../../src/stream/store-keys.ts'
import { type CutMode, type Disk, makeDisk, nowMs, type Process, send, startProcess } from './harness.ts'

const user = entity('user', { userId: int() })
const clicks = stream('clicks', {
  topic: 'raw',
  fields: { id: string(), userId: int(), price: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '10s',
  dedupe: '10s',
})
const spending = featureView('spending', {
  from: clicks,
  by: user,
  features: (on) => ({
    clicks_12h: on.count({ over: '12h' }),
    price_12h: on.sum('price', { over: '12h' }),
    price_mean_1h: on.mean('price', { over: '1h' }),
    highest_2h: on.max('price', { over: '2h', offset: '1h' }),
    prices_12h: on.distinctCount('price', { over: '12h', cap: 2_000 }),
    price_ever: on.sum('price', { over: 'lifetime' }),
  }),
})

type Click = { readonly id: string; readonly userId: number; readonly price: number; readonly at: number }

const hour = 3_600_000
const perHour = 23_000
const start = nowMs - 14 * hour

/** One in seven comes up to 8 s late; two of three are of the hot key's last hours. */
function clicksOf(hours: readonly [from: number, to: number]): Click[] {
  const made: Click[] = []
  for (let index = hours[0] * perHour; index < hours[1] * perHour; index++) {
    const late = index % 7 === 0 ? (index * 7_919) % 8_000 : 0
    const at = start + Math.floor((index * hour) / perHour)
    const price = (index * 2_654_435_761) % 3_001
    made.push({ id: `c${index}`, userId: index % 50 === 0 ? 2 : 1, price, at: Math.max(start, at - late) })
  }
  return made
}

function expected(events: readonly Click[], t: number): unknown[] {
  const within = (from: number, to: number): number[] =>
    events.filter(({ at }) => at >= from && at < to).map(({ price }) => price)
  const add = (prices: readonly number[]): number => prices.reduce((sum, price) => sum + price, 0)
  const half = within(t - 12 * hour, t)
  const last = within(t - hour, t)
  return [
    half.length,
    add(half),
    add(last) / last.length,
    within(t - 3 * hour, t - hour).reduce((most, price) => Math.max(most, price), 0),
    Math.min(2_000, new Set(half).size),
    add(within(0, t)),
  ]
}

function check({ plan, engine }: Process, events: readonly Click[]): void {
  for (const userId of [1, 2]) {
    const own = events.filter((one) => one.userId === userId)
    const newest = own.reduce((most, { at }) => Math.max(most, at), 0)
    for (const t of [newest + 1, newest - 30_000, newest + hour / 2]) {
      const view = plan.views[0]!
      const { values } = readView(view, engine.state(view, encodeKey(['int'], [userId])), t)
      assert.deepEqual(values, expected(own, t), `user ${userId} as of ${t}`)
    }
  }
}

async function open(disk: Disk, mode?: CutMode): Promise<Process> {
  const cut = mode === undefined ? {} : { cut: { at: 0, mode } }
  return await startProcess(disk, { views: [spending], partitions: 1, keysMax: 1, ...cut })
}

test('a hot key is exact through checkpoints, crashes and restarts', async () => {
  const disk = makeDisk()
  const all: Click[] = []
  let running = await open(disk)
  for (let round = 0; round < 14; round++) {
    // Dies just before, or just after a checkpoint is durable.
    const dies = round === 4 ? 'before' : round === 9 ? 'after' : undefined
    if (dies !== undefined) {
      await stop(running)
      running = await open(disk, dies)
    }
    const some = clicksOf([round, round + 1])
    all.push(...some)
    for (let from = 0; from < some.length; from += 8_000) {
      await send(running, { topic: 'raw', partition: 0 }, some.slice(from, from + 8_000))
      await running.engine.caughtUp()
      const checkpoint = running.engine.checkpoint()
      if (dies === undefined || from > 0) {
        await checkpoint
        continue
      }
      checkpoint.catch(() => undefined)
      await running.steps.reached
      running = await open(disk)
      await running.engine.caughtUp()
      check(running, all.slice(0, round * perHour + 8_000))
    }
  }
  check(running, all)
  assert.equal(running.engine.counts.views['spending']!.applied, all.length)
  await running.engine.checkpoint()
  const pages = [...disk.store.range(Uint8Array.of(0), Uint8Array.of(255))].filter(([key]) => isPageKey(key))
  assert.ok(pages.length > 1_500, `${pages.length} pages`)
  await running.engine.forget('user', encodeKey(['int'], [1]))
  const left = [...disk.store.range(Uint8Array.of(0), Uint8Array.of(255))].filter(([key]) => isPageKey(key))
  assert.ok(left.length < 100, `${left.length} pages are left: those of the other key`)
  await stop(running)
})

async function stop({ engine, log }: Process): Promise<void> {
  await engine.close()
  await log.close()
}
