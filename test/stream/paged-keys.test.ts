// Goal: keys whose events go to pages and back to rows, are forgotten, let go and read back, are what their events say;
// and the store holds the records of these events and no others.
// Method: three keys, pages of two events, random deeds; a checkpoint may be under way while more happens. Values are
// compared with states in memory; the store, entry by entry, with that of a table that had the same events in the end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { KernelEvent } from '../../src/kernel/event-columns.ts'
import {
  applyEvent,
  countBefore,
  makeKeyState,
  newestBefore,
  readableFrom,
  timesFrom,
} from '../../src/kernel/key-state.ts'
import { standardPaging, type ViewProgram } from '../../src/kernel/program.ts'
import { readAggregates } from '../../src/kernel/read-state.ts'
import type { ViewPlan } from '../../src/plan/plan.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import type { OnlineStore, StoreChange } from '../../src/store/online/online-store.ts'
import { StateTable } from '../../src/stream/state-table.ts'
import { lawOptions } from '../base/law-options.ts'
import { makeProgram } from '../kernel/programs.ts'

const int = { kind: 'int' } as const
const usual = makeProgram({
  columns: [int, { kind: 'boolean' }],
  windows: [
    { lengthMs: 60, offsetMs: 0 },
    { lengthMs: null, offsetMs: 0 },
    { lengthMs: 20, offsetMs: 10 },
  ],
  slots: [
    { spec: { name: 'sum', input: int }, window: 0 },
    { spec: { name: 'distinctCount', input: int, cap: 3 }, window: 0, filter: 1 },
    { spec: { name: 'mean', input: int }, window: 1 },
    { spec: { name: 'max', input: int }, window: 2 },
    { spec: { name: 'lastK', input: int, k: 4 }, window: 1 },
  ],
  horizonMs: 20,
})
const paged: ViewProgram = { ...usual, paging: { rowsMax: 6, pageBits: 1, nodeBits: 1 } }
/** Never in pages: what the others are compared with. */
const inRows: ViewProgram = { ...usual, paging: { ...standardPaging, rowsMax: 1_000_000 } }

// The second begins with the first, and the third is too long to stand in a key of the store.
const keys = [Uint8Array.of(1, 2), Uint8Array.of(1, 3, 0, 255), new Uint8Array(2_000).fill(7)]
const fingerprint = '0123456789abcdef'
const view = { program: paged, fingerprint } as unknown as ViewPlan

const key = fc.nat(keys.length - 1)
const event = fc.record({
  key,
  late: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(100)),
  step: fc.oneof({ weight: 20, arbitrary: fc.nat(3) }, fc.constant(60)),
  value: fc.integer({ min: -3, max: 3 }),
  flag: fc.option(fc.boolean()),
})
const deed = fc.oneof(
  { weight: 8, arbitrary: fc.array(event, { minLength: 1, maxLength: 12, size: 'max' }).map((events) => ({ events })) },
  { weight: 2, arbitrary: fc.constantFrom({ take: true } as const, { write: true } as const) },
  { weight: 1, arbitrary: fc.record({ forget: key }) },
  { weight: 2, arbitrary: fc.record({ read: key, back: fc.nat(20) }) },
)

test('keys in pages are what their events say, and leave nothing behind', async () => {
  const run = fc.asyncProperty(fc.nat(3), fc.array(deed, { maxLength: 60, size: 'max' }), async (keysMax, deeds) => {
    const store = openMemoryOnlineStore()
    let table = new StateTable(view, store, { keysMax })
    const model = new Map<number, KernelEvent[]>()
    let taken: StoreChange[] | null = null
    let [now, tie] = [0, 0]
    const write = async (): Promise<void> => {
      if (taken === null) return
      await store.write(taken)
      taken = null
      table.evict()
    }
    for (const one of deeds) {
      if ('events' in one) {
        for (const { key: index, late, step, value, flag } of one.events) {
          now += step
          const made = { ts: Math.max(0, now - late), tie: `${tie++}`, values: [value, flag] }
          model.set(index, [...(model.get(index) ?? []), made])
          table.apply(keys[index]!, made)
        }
      } else if ('forget' in one) {
        assert.equal(table.forget(keys[one.forget]!), model.get(one.forget)?.length ?? 0)
        model.delete(one.forget)
      } else if ('read' in one) check(table, { index: one.read, model, back: one.back })
      else if ('take' in one && taken === null) taken = table.takeChanges()
      else await write()
    }
    await write()
    await store.write(table.takeChanges())
    // As after a restart.
    table = new StateTable(view, store, { keysMax: 3 })
    for (const index of keys.keys()) check(table, { index, model, back: 20 })
    const again = openMemoryOnlineStore()
    const fresh = new StateTable(view, again, { keysMax: 3 })
    for (const [index, events] of model) for (const made of events.toReversed()) fresh.apply(keys[index]!, made)
    await again.write(fresh.takeChanges())
    assert.deepEqual(entriesOf(store), entriesOf(again))
    records += entriesOf(store).length
  })
  let records = 0
  await fc.assert(run, lawOptions(150))
  assert.ok(records > 1_000, `${records} records`)
})

type Checked = {
  readonly index: number
  readonly model: ReadonlyMap<number, readonly KernelEvent[]>
  readonly back: number
}

function check(table: StateTable, { index, model, back }: Checked): void {
  const events = model.get(index) ?? []
  const expected = makeKeyState(inRows)
  for (const one of events) applyEvent(inRows, expected, one)
  const state = table.read(keys[index]!)
  assert.equal(state?.applied ?? 0, expected.applied)
  if (state === null || state.newest < 0) return
  for (const t of [readableFrom(paged, state) + back, state.newest + 1, state.newest + 30]) {
    assert.deepStrictEqual(readAggregates(paged, state, t), readAggregates(inRows, expected, t))
    assert.equal(newestBefore(state, t), newestBefore(expected, t))
    assert.equal(countBefore(state, t), countBefore(expected, t))
    assert.deepEqual([...timesFrom(state, t)], [...timesFrom(expected, t)])
  }
}

function entriesOf(store: OnlineStore): string[] {
  const entries = store.range(Uint8Array.of(0), Uint8Array.of(255))
  return [...entries].map(
    ([name, value]) => `${Buffer.from(name).toString('hex')} ${Buffer.from(value).toString('hex')}`,
  )
}
