// Goal: the states of a table are functions of the sets of events applied, whatever it holds in memory or lets go.
// Method: random programs, keys, events and deeds against lists of events; values straight from the aggregations.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AggregationSpec, ColumnType, FeatureValue } from '../../src/kernel/aggregation.ts'
import type { KernelEvent } from '../../src/kernel/event-columns.ts'
import { type FoldBatch, type FoldColumn, hashKey } from '../../src/kernel/fold-batch.ts'
import { newestBefore, readableFrom } from '../../src/kernel/key-state.ts'
import { standardPaging, type ViewProgram } from '../../src/kernel/program.ts'
import { readAggregates } from '../../src/kernel/read-state.ts'
import { decodeState } from '../../src/kernel/state-codec.ts'
import type { ViewPlan } from '../../src/plan/plan.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import { StateTable } from '../../src/stream/state-table.ts'
import { stateKey } from '../../src/stream/store-keys.ts'
import { lawOptions } from '../base/law-options.ts'
import { makeProgram } from '../kernel/programs.ts'

const fingerprint = '0123456789abcdef'
const keys = Array.from({ length: 12 }, (_, index) => Uint8Array.from(Array(index * 4).fill(index)))
const columns: readonly ColumnType[] = [{ kind: 'string' }, { kind: 'boolean' }, { kind: 'decimal', scale: 2 }]

const specs: readonly AggregationSpec[] = [
  { name: 'count' },
  { name: 'distinctCount', input: columns[0]!, cap: null },
  { name: 'max', input: columns[0]! },
  { name: 'last', input: columns[0]! },
]

const program = fc
  .record({
    slots: fc.array(
      fc.record({ spec: fc.constantFrom(...specs), window: fc.nat(2), filter: fc.constantFrom(undefined, 1) }),
      { minLength: 1, maxLength: 4 },
    ),
    horizonMs: fc.nat(30),
    // In some, a few events are many.
    paging: fc.constantFrom(standardPaging, { rowsMax: 4, pageBits: 1, nodeBits: 1 }),
  })
  .map(
    ({ slots, horizonMs, paging }): ViewProgram => ({
      ...makeProgram({
        columns,
        windows: [
          { lengthMs: 40, offsetMs: 0 },
          { lengthMs: 15, offsetMs: 10, hopMs: 7 },
          { lengthMs: null, offsetMs: 0 },
        ],
        slots: slots.map(({ filter, ...slot }) => (filter === undefined ? slot : { ...slot, filter })),
        horizonMs,
      }),
      paging,
    }),
  )

const event = fc.record({
  ts: fc.oneof(fc.nat(300), fc.nat(20)),
  values: fc.tuple(
    fc.option(fc.constantFrom('a', 'b', '', 'é')),
    fc.option(fc.boolean()),
    fc.option(fc.integer({ min: -500, max: 500 })),
  ),
})
const key = fc.nat(keys.length - 1)
const several = fc.array(fc.record({ key, event }), { maxLength: 20 })
const deed = fc.oneof(
  { weight: 6, arbitrary: fc.record({ batch: several }) },
  { weight: 12, arbitrary: fc.record({ apply: key, events: fc.array(event, { minLength: 1, maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ checkpoint: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ read: key }) },
  { weight: 1, arbitrary: fc.record({ forget: key }) },
)

test('a table gives what its events give, in memory, let go, forgotten, or read back', async () => {
  const run = fc.asyncProperty(
    program,
    fc.record({ keysMax: fc.nat(14), bytesMax: fc.constantFrom(0, 1_500, 10_000, Number.POSITIVE_INFINITY) }),
    fc.array(deed, { maxLength: 60 }),
    async (compiled, limits, deeds) => {
      const store = openMemoryOnlineStore()
      const view = { program: compiled, fingerprint } as unknown as ViewPlan
      const table = new StateTable(view, store, limits)
      const model = new Map<number, KernelEvent[]>()
      let tie = 0
      for (const one of deeds) {
        if ('apply' in one) {
          const events = one.events.map(({ ts, values }): KernelEvent => ({ ts, tie: `t${tie++}`, values }))
          model.set(one.apply, [...(model.get(one.apply) ?? []), ...events])
          for (const made of events) table.apply(keys[one.apply]!, made)
        } else if ('batch' in one) {
          const events = one.batch.map((all) => ({ key: all.key, event: { ...all.event, tie: `t${tie++}` } }))
          for (const all of events) model.set(all.key, [...(model.get(all.key) ?? []), all.event])
          table.applyBatch(makeBatch(compiled, events))
        } else if ('read' in one) {
          check(compiled, table, { key: one.read, events: model.get(one.read) ?? [] })
        } else if ('forget' in one) {
          assert.equal(table.forget(keys[one.forget]!), model.get(one.forget)?.length ?? 0)
          model.delete(one.forget)
        } else {
          await store.write(table.takeChanges())
          assert.equal(table.dirtyCount, 0)
          table.evict()
          assert.ok(table.cachedCount <= limits.keysMax)
          if (table.cachedCount > 0) assert.ok(table.usedBytes <= limits.bytesMax)
        }
      }
      await store.write(table.takeChanges())
      for (const index of keys.keys()) {
        check(compiled, table, { key: index, events: model.get(index) ?? [] })
        const stored = store.get(stateKey(fingerprint, keys[index]!))
        assert.equal(stored === undefined ? 0 : decodeState(compiled, stored).applied, model.get(index)?.length ?? 0)
      }
      await checkOrder(view, { store, model })
    },
  )
  await fc.assert(run, lawOptions())
})

test('a batch of many groups gives what its events give one by one', () => {
  const compiled = makeProgram({
    columns,
    windows: [{ lengthMs: null, offsetMs: 0 }],
    slots: specs.map((spec) => ({ spec, window: 0 })),
    horizonMs: 40,
  })
  const view = { program: compiled, fingerprint } as unknown as ViewPlan
  const events = Array.from({ length: 1_300 }, (_, index): Keyed => {
    const values = [index % 3 === 0 ? null : `t${index % 7}`, index % 2 === 0, index]
    return { key: (index * 7) % keys.length, event: { ts: 1_000 + ((index * 31) % 200), tie: `t${index}`, values } }
  })
  const limits = { keysMax: Number.MAX_SAFE_INTEGER }
  const batched = new StateTable(view, openMemoryOnlineStore(), limits)
  const single = new StateTable(view, openMemoryOnlineStore(), limits)
  for (const size of [255, 256, 257, 532]) batched.applyBatch(makeBatch(compiled, events.splice(0, size).map(apply)))
  assert.deepEqual(batched.takeChanges(), single.takeChanges())

  function apply(one: Keyed): Keyed {
    single.apply(keys[one.key]!, one.event)
    return one
  }
})

type Keyed = { readonly key: number; readonly event: KernelEvent }

/** As the intake fills it, with leftovers of a longer batch behind the last event. */
function makeBatch(compiled: ViewProgram, events: readonly Keyed[]): FoldBatch {
  const keyBytes = Buffer.concat([...events.map((one) => keys[one.key]!), Uint8Array.of(7)])
  const starts = [0]
  for (const one of events) starts.push(starts.at(-1)! + keys[one.key]!.length)
  return {
    size: events.length,
    keyBytes,
    keyStarts: Uint32Array.from([...starts, 9]),
    keyHashes: Uint32Array.from([...events.map((one) => hashKey(keys[one.key]!)), 9]),
    ts: Float64Array.from([...events.map((one) => one.event.ts), 9]),
    ties: compiled.keepsTies ? [...events.map((one) => one.event.tie), 'left'] : null,
    columns: columns.map(({ kind }, column): FoldColumn => {
      const values = events.map((one) => one.event.values[column]!)
      if (kind === 'string') return [...(values as (string | null)[]), 'left']
      return Float64Array.from(values, (value) => (value === null ? Number.NaN : Number(value)))
    }),
  }
}

type Model = { readonly key: number; readonly events: readonly KernelEvent[] }

function check(compiled: ViewProgram, table: StateTable, { key: index, events }: Model): void {
  const state = table.read(keys[index]!)
  assert.equal(state?.applied ?? 0, events.length)
  if (state === null || state.newest < 0) return
  assert.equal(state.newest, Math.max(...events.map(({ ts }) => ts)))
  const from = readableFrom(compiled, state)
  for (const t of [from, from + 1, state.newest, state.newest + 1, state.newest + 17, state.newest + 50]) {
    if (t < from) continue
    assert.deepEqual(readAggregates(compiled, state, t), naiveAggregates(compiled, events, t))
    const before = events.filter(({ ts }) => ts < t)
    assert.equal(newestBefore(state, t), Math.max(-1, ...before.map(({ ts }) => ts)))
  }
}

function naiveAggregates(compiled: ViewProgram, events: readonly KernelEvent[], t: number): FeatureValue[] {
  return compiled.aggregates.map(({ aggregation, input, filter, window }) => {
    const { lengthMs, offsetMs, hopMs = 1 } = compiled.windows[window]!
    const from = lengthMs === null ? 0 : Math.floor((t - offsetMs - lengthMs) / hopMs) * hopMs
    const state = events
      .filter(({ ts, values }) => ts >= from && ts < t - offsetMs && (filter === null || values[filter] === true))
      .filter(({ values }) => input === null || values[input] !== null)
      .reduce((sum, one) => aggregation.add(sum, input === null ? null : one.values[input]!, one), aggregation.zero())
    return aggregation.value(state)
  })
}

/** The same events in another order, without any letting go, are the same bytes in the same records. */
async function checkOrder(
  view: ViewPlan,
  { store, model }: { store: OnlineStore; model: ReadonlyMap<number, readonly KernelEvent[]> },
): Promise<void> {
  const again = openMemoryOnlineStore()
  const table = new StateTable(view, again, { keysMax: 1_000 })
  for (const [index, events] of model) for (const one of events.toReversed()) table.apply(keys[index]!, one)
  await again.write(table.takeChanges())
  assert.deepEqual(all(again), all(store), 'equal sets of events are equal bytes')
}

function all(store: OnlineStore): string[] {
  const entries = store.range(Uint8Array.of(0), Uint8Array.of(255))
  return [...entries].map(([key, value]) => `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`)
}
