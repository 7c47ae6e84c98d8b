// Goal: a page that is damaged, missing or of another moment is found; records and reads stay small.
// Method: some ten thousand events in pages of the usual size; records are changed one by one, and loads counted.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts'
import { makeEventColumns } from '../../../src/kernel/event-columns.ts'
import { PageCache } from '../../../src/kernel/paged/page-cache.ts'
import { PagedEvents } from '../../../src/kernel/paged/paged-events.ts'
import type { ViewProgram } from '../../../src/kernel/program.ts'
import { event, makeProgram } from '../programs.ts'
import { PageMap } from './page-map.ts'

const int = { kind: 'int' } as const
const program = makeProgram({
  columns: [int],
  windows: [{ lengthMs: 1_000, offsetMs: 0 }],
  slots: [
    { spec: { name: 'count' }, window: 0 },
    { spec: { name: 'sum', input: int }, window: 0 },
    { spec: { name: 'distinctCount', input: int, cap: 100 }, window: 0 },
    { spec: { name: 'distinctCount', input: int, cap: null }, window: 0 },
  ],
  horizonMs: 0,
})
const [count, sum, capped, distinct] = [0, 1, 2, 3]

/** One event each 10 ms, with 2,000 different values; saved. */
function filled(events: number, of: ViewProgram = program, cacheBytes = 1e7): { paged: PagedEvents; pages: PageMap } {
  const pages = new PageMap(new PageCache(cacheBytes))
  const paged = PagedEvents.from(of, makeEventColumns(of.columns.length, of.keepsTies), pages)
  for (let index = 0; index < events; index++) paged.insert(event(index * 10, index, index % 2_000))
  return { paged: restarted(of, paged, pages), pages }
}

function restarted(of: ViewProgram, paged: PagedEvents, pages: PageMap): PagedEvents {
  const writer = new ByteWriter()
  paged.encode(writer)
  pages.take(paged)
  return PagedEvents.decode(of, new ByteReader(writer.finish()), pages)
}

function valueOf(of: ViewProgram, paged: PagedEvents, slot: number, [low, high]: readonly [number, number]): unknown {
  const { aggregation } = of.aggregates[slot]!
  return aggregation.value(paged.addRange(slot, aggregation.zero(), { low, high }))
}

function loadsOf(pages: PageMap, read: () => unknown): number {
  const before = pages.loads
  read()
  return pages.loads - before
}

test('a record that is missing, damaged or of another moment is found when it is read', () => {
  const { paged, pages } = filled(6_000, program, 0)
  const readAll = (): number => [...paged.pages()].reduce((all, { ts }) => all + ts.length, 0)
  assert.equal(readAll(), 6_000)
  const damaged = { code: 'STATE_PAGE_DAMAGED' }
  const records = [...pages.records]
  for (const [name, bytes] of records) {
    pages.records.delete(name)
    assert.throws(readAll, damaged, `${name} is missing`)
    for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
      pages.records.set(name, bytes.with(at, bytes[at]! ^ 0x10))
      assert.throws(readAll, damaged, `byte ${at} of ${name} is another`)
    }
    pages.records.set(name, bytes)
  }
  const before = new Map(pages.records)
  const later = restarted(program, paged, pages)
  later.insert(event(30_005, 0, 7))
  restarted(program, later, pages)
  const changed = [...pages.records].filter(([name, bytes]) => Buffer.compare(before.get(name)!, bytes) !== 0)
  assert.ok(changed.length === 1 || changed.length === 2, `${changed.length} records: a page, and perhaps its node`)
  assert.throws(readAll, damaged, 'a page of a later moment than the head')
})

test('what is read is exact and small: the spans at the edges, whatever the length of the window', () => {
  const { paged, pages } = filled(100_000)
  for (const range of [
    [0, 1e9],
    [5, 999_985],
    [123_455, 123_465],
    [400_001, 900_001],
  ] as const) {
    const expected = Math.min(100_000, Math.ceil(range[1] / 10)) - Math.ceil(range[0] / 10)
    for (const slot of [count, capped]) {
      pages.cache.clear()
      const levels = Math.max(...paged.spans.map(({ level }) => level))
      const loads = loadsOf(pages, () => {
        assert.equal(valueOf(program, paged, slot, range), slot === count ? expected : Math.min(100, expected))
      })
      assert.ok(loads <= 2 * levels, `${loads} loads for slot ${slot} of [${range.join(', ')})`)
    }
  }
  assert.equal(valueOf(program, paged, sum, [0, 1e9]), 50 * ((1_999 * 2_000) / 2))
})

test('windows that slide over the same spans, this way and that, are exact', () => {
  const { paged } = filled(100_000)
  const down = Array.from({ length: 120 }, (_, index) => 999_000 - index * 8_010)
  for (const low of [...down, ...down.toReversed()]) {
    const expected = 100_000 - Math.ceil(low / 10)
    assert.equal(valueOf(program, paged, count, [low, 1e9]), expected, `from ${low}`)
    assert.equal(valueOf(program, paged, capped, [low, 1e9]), Math.min(100, expected))
  }
})

test('a partial that is too large for a reference is with its node, so no page is read for it', () => {
  const { paged, pages } = filled(100_000)
  const [nodes, all] = [pages.recordsOf((level) => level > 1), pages.records.size]
  assert.ok(nodes > 4 && all > 600)
  const ofHead = paged.spans.filter(({ level, encoded }) => level === 1 && encoded!.length < 500).length
  pages.cache.clear()
  const loads = loadsOf(pages, () => assert.equal(valueOf(program, paged, distinct, [0, 1e9]), 2_000))
  assert.ok(loads <= nodes + ofHead, `${loads} loads of ${all} records`)
})

test('what asks for the newest reads the newest only', () => {
  const last = makeProgram({
    columns: [int],
    windows: [{ lengthMs: null, offsetMs: 0 }],
    slots: [
      { spec: { name: 'last', input: int }, window: 0 },
      { spec: { name: 'latest', input: int }, window: 0 },
      { spec: { name: 'lastK', input: int, k: 1_000 }, window: 0 },
    ],
    horizonMs: 0,
  })
  const { paged, pages } = filled(50_000, last)
  assert.equal(
    loadsOf(pages, () => assert.equal(valueOf(last, paged, 0, [0, 1e9]), 1_999)),
    0,
  )
  assert.equal(
    loadsOf(pages, () => assert.equal(valueOf(last, paged, 1, [0, 1e9]), 1_999)),
    0,
  )
  const newest = Array.from({ length: 1_000 }, (_, index) => 1_999 - index)
  const loads = loadsOf(pages, () => assert.deepEqual(valueOf(last, paged, 2, [0, 1e9]), newest))
  assert.ok(loads <= 20, `${loads} loads for 1,000 entries`)
})

test('appending and trimming rewrite the head; a late event rewrites its page and the nodes above', () => {
  const { paged, pages } = filled(50_000)
  const changesOf = (change: () => void): number => {
    change()
    paged.encode(new ByteWriter())
    const changes = paged.takeChanges()
    for (const [name, bytes] of changes) pages.put(name, bytes)
    paged.release()
    return changes.length
  }
  let appended = 0
  for (let index = 50_000; index < 51_000; index++) {
    appended += changesOf(() => paged.insert(event(index * 10, index, 1)))
  }
  assert.ok(appended <= 30, `${appended} records for 1,000 events that came one by one`)
  const late = changesOf(() => paged.insert(event(250_003, 0, 1)))
  assert.ok(late >= 1 && late <= 4, `${late} records for a late event`)
  let trimmed = 0
  for (let floor = 0; floor < 10_000; floor += 10) trimmed += changesOf(() => paged.dropBefore(floor))
  assert.ok(trimmed <= 30, `${trimmed} records for 1,000 drops of one`)
})

test('memory stays within what the cache may take, whatever is read', () => {
  const { paged, pages } = filled(50_000, program, 50_000)
  for (let at = 0; at < 500_000; at += 1_777) {
    assert.equal(valueOf(program, paged, count, [at, at + 300]), 30)
    assert.ok(pages.cache.bytes <= 50_000, `${pages.cache.bytes} bytes in the cache`)
  }
  const loaded = paged.spans.filter(({ events, children }) => events !== null || children !== null)
  assert.ok(loaded.length < 20, `${loaded.length} spans of the head are loaded`)
})

test('records stay small: pages by their number of events, references by the size of a partial', () => {
  const { paged, pages } = filled(100_000)
  const writer = new ByteWriter()
  paged.encode(writer)
  const sizes = [...pages.records.values()].map(({ length }) => length)
  assert.ok(Math.max(...sizes) < 400_000, `the largest record has ${Math.max(...sizes)} bytes`)
  assert.ok(writer.size < 400_000, `the head has ${writer.size} bytes`)
  const counts = [...paged.pages()].map(({ ts }) => ts.length)
  assert.ok(Math.max(...counts) < 16 * 128, `the largest page has ${Math.max(...counts)} events`)
  assert.ok(Math.abs(counts.length - 100_000 / 128) < 200, `${counts.length} pages`)
})
