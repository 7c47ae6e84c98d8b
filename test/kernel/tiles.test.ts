// Goal: a state that keeps tiles reads what one that keeps every event reads, and never grows beyond its bound.
// Method: random windows, hops, offsets and orders of arrival; the same program without tiles says what is right. All
// numbers are small, so that edges of hops, heads, horizons and late events meet all the time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, MalformedBytes } from '../../src/base/bytes.ts'
import { MillraceError } from '../../src/base/faults.ts'
import type { AggregationSpec } from '../../src/kernel/aggregation.ts'
import type { KernelEvent } from '../../src/kernel/event-columns.ts'
import { applyEvent, type KeyState, makeKeyState, readableFrom } from '../../src/kernel/key-state.ts'
import { PageCache } from '../../src/kernel/paged/page-cache.ts'
import type { ViewProgram, WindowProgram } from '../../src/kernel/program.ts'
import { readAggregates } from '../../src/kernel/read-state.ts'
import { decodeState, encodeState } from '../../src/kernel/state-codec.ts'
import { Tiles } from '../../src/kernel/tiles.ts'
import { tileCountMax } from '../../src/kernel/tiling.ts'
import { windowReach } from '../../src/kernel/window.ts'
import { lawOptions } from '../base/law-options.ts'
import { event, makeProgram } from './programs.ts'

const specs: readonly AggregationSpec[] = [
  { name: 'count' },
  { name: 'sum', input: { kind: 'float' } },
  { name: 'min', input: { kind: 'float' } },
  { name: 'first', input: { kind: 'float' } },
  { name: 'lastK', input: { kind: 'float' }, k: 3 },
  { name: 'distinctCount', input: { kind: 'float' }, cap: 2 },
  { name: 'variance', input: { kind: 'float' }, of: 'sample' },
]

const window: fc.Arbitrary<WindowProgram> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      lengthMs: fc.integer({ min: 1, max: 40 }),
      offsetMs: fc.constantFrom(0, 0, 3, 20),
      hopMs: fc.constantFrom(1, 2, 5, 7, 10),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ lengthMs: null, offsetMs: 0 }) },
)

const program = fc
  .record({
    windows: fc
      .array(window, { minLength: 1, maxLength: 4 })
      .filter((windows) => windows.some(({ lengthMs }) => lengthMs !== null)),
    slots: fc.array(fc.tuple(fc.constantFrom(...specs), fc.nat(), fc.boolean()), { minLength: 1, maxLength: 6 }),
    horizonMs: fc.constantFrom(1, 4, 15, 40),
    paged: fc.boolean(),
  })
  .map(({ windows, slots, horizonMs, paged }) => ({
    ...(paged ? { paging: { rowsMax: 3, pageBits: 1, nodeBits: 1 } } : {}),
    ...makeProgram({
      columns: [{ kind: 'float' }, { kind: 'boolean' }],
      windows,
      slots: slots.map(([spec, at, filtered]) => ({
        spec,
        window: at % windows.length,
        ...(filtered ? { filter: 1 } : {}),
      })),
      horizonMs,
    }),
  }))

/** The same values from raw events alone. */
function untiled(tiled: ViewProgram): ViewProgram {
  const { tiling, ...rest } = tiled
  assert.ok(tiling !== undefined)
  return { ...rest, spanMs: Math.max(...tiled.windows.map(windowReach)) }
}

const events = fc
  .array(
    fc.record({
      step: fc.constantFrom(0, 0, 1, 1, 2, 5, 12),
      back: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(60) }),
      value: fc.option(fc.constantFrom(0, 0.1, 0.2, -1, 1e16), { freq: 6 }),
      flag: fc.boolean(),
    }),
    { maxLength: 90 },
  )
  .map((made) => {
    let now = 100
    return made.map(({ step, back, value, flag }, index): KernelEvent => {
      now += step
      return event(Math.max(0, now - back), index, value, flag)
    })
  })

function stateOf(of: ViewProgram, list: readonly KernelEvent[]): KeyState {
  const state = makeKeyState(of)
  for (const one of list) applyEvent(of, state, one)
  return state
}

const tileCount = ({ slab, slot }: KeyState): number => slab.tiles.of(slot)?.count ?? 0

/** As a checkpoint and a restart: the state, and the records of its pages, if it has many raw events. */
function reloaded(of: ViewProgram, state: KeyState, pages: Map<string, Uint8Array>): KeyState {
  const bytes = encodeState(of, state)
  for (const [name, page] of state.slab.takePageChanges(state.slot)) {
    if (page === null) pages.delete(String(name))
    else pages.set(String(name), page)
  }
  return decodeState(of, bytes, { get: (name) => pages.get(String(name)), cache: new PageCache(0) })
}

/** More tiles than this, raw ones aside, a key never has. */
const countMax = ({ tiling, spanMs }: ViewProgram): number =>
  tiling!.hops.reduce((sum, hop) => sum + tileCountMax(hop, spanMs), 0)

test('every instant that can be read gives what raw events give, at any time and after any reload', () => {
  fc.assert(
    fc.property(program, events, fc.nat(4), (tiled, list, every) => {
      const raw = untiled(tiled)
      const pages = new Map<string, Uint8Array>()
      let state = makeKeyState(tiled)
      const expected = makeKeyState(raw)
      for (const [index, one] of list.entries()) {
        applyEvent(tiled, state, one)
        applyEvent(raw, expected, one)
        if (index % 5 === every) state = reloaded(tiled, state, pages)
        if (index % 4 > 0 && index < list.length - 1) continue
        const from = readableFrom(tiled, state)
        for (let t = from; t < from + tiled.horizonMs + 60; t += 1 + ((t + index) % 3)) {
          assert.deepEqual(readAggregates(tiled, state, t), readAggregates(raw, expected, t), `as of ${t}`)
        }
        assert.ok(tileCount(state) <= countMax(tiled), `${tileCount(state)} tiles`)
      }
    }),
    lawOptions(600),
  )
})

test('equal sets of events are equal bytes, however they came', () => {
  fc.assert(
    fc.property(program, events, fc.infiniteStream(fc.nat()), (tiled, list, numbers) => {
      const rest = [...list]
      const shuffled = list.map(() => rest.splice(numbers.next().value! % rest.length, 1)[0]!)
      const bytes = encodeState(tiled, stateOf(tiled, list))
      assert.deepEqual(encodeState(tiled, stateOf(tiled, shuffled)), bytes)
      assert.deepEqual(encodeState(tiled, decodeState(tiled, bytes)), bytes)
    }),
    lawOptions(600),
  )
})

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const hot = makeProgram({
  columns: [{ kind: 'int' }],
  windows: [
    { lengthMs: 30 * dayMs, offsetMs: 0, hopMs: 6 * hourMs },
    { lengthMs: 7 * dayMs, offsetMs: 0, hopMs: 6 * hourMs },
    { lengthMs: dayMs, offsetMs: 0, hopMs: hourMs / 4 },
    { lengthMs: null, offsetMs: 0 },
  ],
  slots: [
    { spec: { name: 'count' }, window: 0 },
    { spec: { name: 'count' }, window: 1 },
    { spec: { name: 'max', input: { kind: 'int' } }, window: 2 },
    { spec: { name: 'sum', input: { kind: 'int' } }, window: 3 },
  ],
  horizonMs: hourMs,
})

test('windows of one hop share their tiles, and what they aggregate alike', () => {
  const [first, second] = hot.tiling!.hops
  assert.deepEqual([first!.hopMs, first!.reachMs, first!.channels.length], [6 * hourMs, 30 * dayMs, 1])
  assert.deepEqual([second!.hopMs, second!.reachMs, second!.channels.length], [hourMs / 4, dayMs, 1])
  assert.deepEqual([tileCountMax(first!, 0), tileCountMax(second!, 0)], [121, 97])
})

test('a million events of one key take up as much as twenty thousand: tiles, and what is raw of the last hour', () => {
  const sizes = [20_000, 1_000_000].map((count) => {
    const state = makeKeyState(hot)
    const stepMs = (60 * dayMs) / count
    for (let index = 0; index < count; index++) {
      applyEvent(hot, state, event(Math.floor(index * stepMs), 0, index))
      // As with every checkpoint.
      if (index % 5_000 === 0) encodeState(hot, state)
    }
    const bytes = encodeState(hot, state)
    assert.equal(tileCount(state), 121 + 97)
    assert.equal(readAggregates(hot, state, state.newest + 1)[3], (count * (count - 1)) / 2)
    const raw = state.count
    assert.ok(Math.abs(raw - hourMs / stepMs) <= 1, 'the raw events of one hour')
    const pages = state.slab.takePageChanges(state.slot).map(([, page]) => page?.length ?? 0)
    return bytes.length + pages.reduce((sum, length) => sum + length, 0) - 8 * raw
  })
  assert.ok(sizes[1]! < sizes[0]! * 2, `${sizes.join(' → ')} bytes`)
})

test('an event that came too late for any window leaves no tile', () => {
  const state = stateOf(hot, [event(60 * dayMs, 0, 1), event(29 * dayMs, 0, 2), event(29 * dayMs + 18 * hourMs, 0, 3)])
  assert.equal(tileCount(state), 1)
  assert.deepEqual(readAggregates(hot, state, readableFrom(hot, state)), [1, 0, null, 5])
})

test('a view with one exact window keeps raw events as far back as windows reach', () => {
  const mixed = makeProgram({
    columns: [],
    windows: [
      { lengthMs: 10, offsetMs: 0, hopMs: 5 },
      { lengthMs: 10, offsetMs: 0 },
    ],
    slots: [
      { spec: { name: 'count' }, window: 0 },
      { spec: { name: 'count' }, window: 1 },
    ],
    horizonMs: 1,
  })
  assert.equal(mixed.tiling, undefined)
  assert.equal(mixed.spanMs, 15)
  const state = stateOf(mixed, [event(100, 0), event(111, 0)])
  assert.deepEqual(readAggregates(mixed, state, 112), [2, 1])
})

test('tiles of an unknown version, or out of order, are refused', () => {
  const tiling = hot.tiling!
  const read = (...bytes: number[]): Tiles => Tiles.decode(tiling, new ByteReader(Uint8Array.from(bytes)))
  assert.equal(read(1, 0, 0).count, 0)
  assert.equal(read(1, 2, 0, 1, 7, 7, 0).count, 2)
  assert.throws(() => read(1, 2, 5, 0, 7, 7, 0), MalformedBytes)
  assert.throws(
    () => read(2, 0, 0),
    (error) => error instanceof MillraceError && error.code === 'STATE_VERSION_UNKNOWN',
  )
})
