// Goal: an id is remembered for as long as it can decide a verdict, over any number of restarts, and no longer.
// Method: the engine restarted between a record and its duplicate; segments against a plain map of what was added.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import { type RememberedId, SeenIdSegments } from '../../src/stream/seen-ids.ts'
import { idsKey, segmentMax } from '../../src/stream/store-keys.ts'
import { lawOptions } from '../base/law-options.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { type Disk, makeDisk, nowMs, type Process, send, startProcess } from './harness.ts'
import { IdTable } from '../../src/kernel/id-table.ts'

const from = stream('events', {
  fields: { id: string(), k: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '10s',
  dedupe: '1m',
})
const view = featureView('counted', {
  from,
  by: entity('one', { k: int() }),
  features: (on) => ({ events: on.count({ over: 'lifetime' }) }),
})
const views = [view]
const start = nowMs - 3_600_000
const event = (id: string, afterMs: number, k = 1): object => ({ id, k, at: start + afterMs })

/** Sends, folds, and lets the process die right after a checkpoint, or without one. */
async function live(disk: Disk, events: readonly object[], end: 'checkpoint' | 'no checkpoint'): Promise<Process> {
  const process = await startProcess(disk, { views, partitions: 1 })
  await send(process, { topic: 'events', partition: 0 }, events)
  await process.engine.caughtUp()
  if (end === 'checkpoint') await process.engine.checkpoint()
  process.steps.die()
  return process
}

const countsOf = ({ engine }: Process) => {
  const { records, accepted, duplicate, conflicts } = engine.counts.sources[0]!
  return { records, accepted, duplicate, conflicts }
}

const firstSource = { track: 0, topic: 0, partition: 0 }
const segmentsIn = (store: OnlineStore): number =>
  [...store.range(idsKey(firstSource, 0), idsKey(firstSource, segmentMax))].length

describe('duplicates across restarts', () => {
  test('a resent event is a duplicate, whether or not its first was in a checkpoint', async () => {
    for (const end of ['checkpoint', 'no checkpoint'] as const) {
      const disk = makeDisk()
      await live(disk, [event('a', 0), event('b', 1)], end)
      const second = await live(disk, [event('b', 1), event('a', 0, 2), event('c', 2)], 'checkpoint')
      // Another payload under one id is a conflict, also when the first is known from the store only.
      assert.deepEqual(countsOf(second), { records: 5, accepted: 3, duplicate: 2, conflicts: 1 })
      const third = await live(disk, [event('c', 2), event('a', 0)], 'checkpoint')
      assert.deepEqual(countsOf(third), { records: 7, accepted: 3, duplicate: 4, conflicts: 1 })
      await assertMatchesLog({ ...third, views }, [0])
    }
  })

  test('an id is free again once its first is older than the span, and is remembered anew', async () => {
    const disk = makeDisk()
    await live(disk, [event('a', 0), event('b', 60_000)], 'checkpoint')
    const edge = await live(disk, [event('a', 59_999)], 'checkpoint')
    assert.equal(countsOf(edge).duplicate, 1, 'no more than the span older: remembered')
    await live(disk, [event('c', 60_001), event('a', 59_000)], 'checkpoint')
    const third = await live(disk, [event('a', 59_500)], 'no checkpoint')
    assert.deepEqual(countsOf(third), { records: 6, accepted: 4, duplicate: 2, conflicts: 1 + 1 })
    const fourth = await live(disk, [event('d', 119_000), event('a', 118_999)], 'checkpoint')
    assert.equal(countsOf(fourth).accepted, 5, 'the newer of the two decides')
    await assertMatchesLog({ ...fourth, views }, [0])
  })

  test('neither the store nor the memory grows with events that are past the span', async () => {
    const disk = makeDisk()
    const process = await startProcess(disk, { views, partitions: 1 })
    for (let round = 0; round < 200; round++) {
      const events = Array.from({ length: 5 }, (_, nth) => event(`${round}-${nth}`, round * 5_000 + nth))
      await send(process, { topic: 'events', partition: 0 }, events)
      await process.engine.caughtUp()
      await process.engine.checkpoint()
      // One minute of segments five seconds apart, the two at the edges, and the one just written.
      assert.ok(segmentsIn(disk.store) <= 15, `${segmentsIn(disk.store)} segments after round ${round}`)
    }
    process.steps.die()
    const second = await live(disk, [event('199-4', 199 * 5_000 + 4), event('190-0', 190 * 5_000)], 'checkpoint')
    assert.equal(countsOf(second).duplicate, 2)
  })
})

/** A table in which these are new. */
function withNew(ids: readonly RememberedId[]): IdTable {
  const table = new IdTable()
  table.keepUntilTaken()
  for (const { id, ...seen } of ids) table.set(id, seen)
  return table
}

describe('segments of ids', () => {
  test('give back what was added, and only whole segments past the span are gone', async () => {
    const id = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger())
    const entry = fc.record({ id, ts: fc.nat(200), hash: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) })
    const rounds = fc.array(fc.record({ added: fc.array(entry, { maxLength: 6 }), reopen: fc.boolean() }), {
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(rounds, async (all) => {
        const store = openMemoryOnlineStore()
        const place = { track: 70_000, topic: 0, partition: 300 }
        let segments = new SeenIdSegments(place)
        const expected = new Map<string | number, RememberedId>()
        for (const [round, { added, reopen }] of all.entries()) {
          const oldest = round * 10
          await store.write(segments.changes(withNew(added), oldest))
          for (const one of added) expected.set(one.id, one)
          if (reopen) segments = new SeenIdSegments(place)
          const restored = (reopen ? segments : new SeenIdSegments(place)).restore(store)
          for (const { id: name, ts, hash } of expected.values()) {
            if (ts >= oldest) assert.deepEqual(restored.get(name), { ts, hash })
          }
        }
      }),
      lawOptions(200),
    )
  })

  test('of neighbouring partitions, topics and tracks are kept apart', async () => {
    const store = openMemoryOnlineStore()
    const places = [
      { track: 1, topic: 0, partition: 0 },
      { track: 1, topic: 0, partition: 1 },
      { track: 1, topic: 0, partition: 256 },
      { track: 1, topic: 1, partition: 0 },
      { track: 257, topic: 0, partition: 0 },
    ]
    for (const [nth, place] of places.entries()) {
      await store.write(new SeenIdSegments(place).changes(withNew([{ id: nth, ts: nth, hash: nth }]), 0))
    }
    for (const [nth, place] of places.entries()) {
      assert.deepEqual(
        [...new SeenIdSegments(place).restore(store)].map(([id]) => id),
        [nth],
      )
    }
  })

  test('of another release are refused', async () => {
    const store = openMemoryOnlineStore()
    await store.write([[idsKey(firstSource, 0), Uint8Array.of(9)]])
    assert.throws(() => new SeenIdSegments(firstSource).restore(store), {
      code: 'STATE_VERSION_UNKNOWN',
    })
  })
})

test('many new ids of few keys bring a checkpoint on before their number grows without bound', async () => {
  const disk = makeDisk()
  const process = await startProcess(disk, { views, partitions: 1 })
  for (let batch = 0; batch < 12; batch++) {
    const events = Array.from({ length: 10_000 }, (_, nth) => event(`${batch}-${nth}`, batch * 10 + nth / 1000))
    await send(process, { topic: 'events', partition: 0 }, events)
  }
  await process.engine.caughtUp()
  assert.ok(segmentsIn(disk.store) >= 1, 'there was a checkpoint, and nobody asked for it')
  await process.engine.close()
})
