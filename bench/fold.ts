import type { Log, LogRecord } from '../src/log/log.ts'
import { compilePlan } from '../src/app/load-plan.ts'
import { openMemoryOnlineStore } from '../src/store/online/memory/memory-online-store.ts'
import { Outputs } from '../src/stream/outputs.ts'
import { Forgotten } from '../src/plan/forgotten.ts'
import { SourceTask } from '../src/stream/source-task.ts'
import { StateTable } from '../src/stream/state-table.ts'
import { type Bench, compare } from './harness.ts'
import { fraudFeatures, makePayments, type Workload } from './workloads/payments.ts'
import { PlainFold } from './peers/plain-fold.ts'

const events = 300_000
const startMs = Date.UTC(2026, 0, 1)

const bench: Bench = {
  name: 'fold',
  describe:
    'JSON bytes to folded state on one core: decode, verdict, fold of 2 entities x 4 windows; against JSON.parse and Maps',
  async run(context) {
    const rows = []
    for (const [label, workload] of Object.entries(workloads)) {
      const records = makePayments(workload).map(
        (value, offset): LogRecord => ({ offset, timestampMs: startMs + 10 ** 10, key: null, value, headers: [] }),
      )
      const figures = await compare(context, {
        contender: { what: `millrace, ${label}`, measure: () => foldWithMillrace(records) },
        peer: { what: `plain Maps, ${label}`, measure: () => foldPlainly(records) },
        unit: 'k events/s',
        better: 'higher',
      })
      rows.push(...figures)
    }
    const note =
      'in: ids, late and duplicate checks, exact sums, raw events kept. out: log, checkpoint. The peer keeps raw events, checks no verdict and keeps no ids'
    return [...rows, { what: 'events', value: events, unit: 'events of about 240 bytes', note }]
  },
}

export const { name, describe, run } = bench

const workloads: Record<string, Workload> = {
  '100 k keys, uniform': { events, customers: 100_000, keys: 'uniform', stepMs: 50 },
  '10 k keys, Zipf': { events, customers: 10_000, keys: 'zipf', stepMs: 50 },
}

async function foldWithMillrace(records: readonly LogRecord[]): Promise<number> {
  const plan = compilePlan([fraudFeatures])
  const store = openMemoryOnlineStore()
  const stream = plan.streams[0]!
  const place = { track: 0, stream, source: 'live', topic: stream.topic, partition: 0 } as const
  const task = new SourceTask(place, store, { next: 0, emitFrom: null, progress: null })
  const folds = stream.views.map((view) => ({
    view,
    table: new StateTable(view, store, Number.MAX_SAFE_INTEGER),
    counts: { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 },
    first: null,
  }))
  const targets = { folds, forgotten: new Forgotten(), outputs: new Outputs(neverWritten), features: null }
  const startedAt = performance.now()
  for (const record of records) task.take(record, targets)
  const seconds = (performance.now() - startedAt) / 1_000
  if (folds.some(({ counts }) => counts.applied !== records.length)) throw new Error('not every event was applied')
  return records.length / 1_000 / seconds
}

/** Nothing of the workload is late or refused. */
const neverWritten = { topics: () => [] } as unknown as Log

function foldPlainly(records: readonly LogRecord[]): number {
  const fold = new PlainFold()
  const startedAt = performance.now()
  for (const { value } of records) fold.take(value!)
  return records.length / (performance.now() - startedAt)
}
