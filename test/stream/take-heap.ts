// Prints how many bytes of heap a record takes on its way from bytes to states, with ids, over known keys. Run with
// `--expose-gc` and a young generation so large that nothing is collected in between.
import { PerformanceObserver } from 'node:perf_hooks'
import { boolean, decimal, entity, featureView, int, stream, string, timestamp } from '../../src/index.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { compile } from '../../src/plan/compile.ts'
import { Forgotten } from '../../src/plan/forgotten.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import { Outputs } from '../../src/stream/outputs.ts'
import { SourceTask } from '../../src/stream/source-task.ts'
import { StateTable } from '../../src/stream/state-table.ts'

const startMs = Date.UTC(2026, 0, 1)
const warmUp = 100_000
const measured = 200_000

const payments = stream('payments', {
  fields: { id: string(), card: int(), shop: string(), amount: decimal(2), fraud: boolean(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '10s',
  dedupe: '10s',
  future: '1s',
})
const views = [
  featureView('cards', {
    from: payments,
    by: entity('card', { card: int() }),
    features: (on) => ({ spent: on.sum('amount', { over: '10s' }), mean: on.mean('fraud', { over: '10s' }) }),
  }),
  featureView('shops', {
    from: payments,
    by: entity('shop', { shop: string() }),
    features: (on) => ({ sold: on.count({ over: '10s' }) }),
  }),
]
const records = Array.from({ length: warmUp + measured }, (_, offset): LogRecord => {
  const event = {
    id: `p${String(offset).padStart(10, '0')}`,
    card: (offset * 7919) % 1_000,
    shop: `s${(offset * 104_729) % 1_000}`,
    amount: (offset % 20_000) / 100,
    fraud: offset % 50 === 0,
    at: startMs + offset,
    note: 'one of many',
  }
  return { offset, timestampMs: startMs + offset, key: null, value: Buffer.from(JSON.stringify(event)), headers: [] }
})

const store = openMemoryOnlineStore()
const plan = compile(views)
const place = { track: 0, stream: plan.streams[0]!, source: 'live', topic: 'payments', partition: 0 } as const
const task = new SourceTask(place, store, { next: 0, emitFrom: null, progress: null })
const folds = plan.streams[0]!.views.map((view) => ({
  view,
  table: new StateTable(view, store, { keysMax: 10_000 }),
  counts: { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 },
  first: null,
}))
const outputs = new Outputs({ topics: () => [] } as unknown as Log)
const targets = { folds, forgotten: new Forgotten(), outputs, features: null }

function take(from: number, to: number): void {
  for (let next = from; next < to; next += 500) {
    task.takeBatch(records.slice(next, next + 500), targets)
    // As a checkpoint does now and then.
    if (next % 10_000 === 0) task.takeIdChanges()
  }
}

let collections = 0
new PerformanceObserver((list) => (collections += list.getEntries().length)).observe({ entryTypes: ['gc'] })
take(0, warmUp)
globalThis.gc!()
// The observer hears of it later.
await new Promise((resolve) => setTimeout(resolve, 100))
collections = 0
const before = process.memoryUsage()
take(warmUp, warmUp + measured)
const after = process.memoryUsage()
await new Promise((resolve) => setTimeout(resolve, 100))
const grown = (of: 'heapUsed' | 'arrayBuffers'): number => (after[of] - before[of]) / measured
const { projected, left } = plan.streams[0]!.format.projector!.counts
console.log(
  JSON.stringify({
    heapPerEvent: grown('heapUsed'),
    arraysPerEvent: grown('arrayBuffers'),
    collections,
    accepted: task.counts.accepted,
    projected,
    left,
  }),
)
