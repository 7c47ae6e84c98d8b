import { type Bench, compare } from './harness.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { FoldRun } from './workloads/fold-run.ts'
import { fraudFeatures, makePayments, type Workload } from './workloads/payments.ts'

const bench: Bench = {
  name: 'fold',
  describe:
    'JSON bytes to folded state, by seconds of CPU: decode, verdict, fold of 2 entities x 4 windows; against JSON.parse and Maps',
  async run(context) {
    const events = context.quick ? 50_000 : 300_000
    const before = context.quick ? 20_000 : 150_000
    const workloads: Record<string, Workload> = {
      '100 k keys, uniform': { events: before + events, customers: 100_000, keys: 'uniform', stepMs: 50 },
      '10 k keys, Zipf': { events: before + events, customers: 10_000, keys: 'zipf', stepMs: 50 },
    }
    const rows = []
    for (const [label, workload] of Object.entries(workloads)) {
      const raw = makePayments(workload)
      const figures = await compare(context, {
        contender: { what: `millrace, ${label}`, measure: () => events / 1_000 / foldWithMillrace(raw, before) },
        peer: { what: `plain Maps, ${label}`, measure: () => events / 1_000 / foldPlainly(raw, before) },
        unit: 'k events/s of CPU',
        better: 'higher',
      })
      rows.push(...figures)
    }
    const note =
      'in: ids, late and duplicate checks, exact sums, raw events kept. out: log, checkpoint, and the first 150,000 events, which warm both up. The peer keeps raw events, checks no verdict and keeps no ids'
    return [...rows, { what: 'events', value: events, unit: 'events of about 240 bytes', note }]
  },
}

export const { name, describe, run } = bench

/** Of the events after `before`: those make the first states, and what is compiled while running. */
function foldWithMillrace(raw: readonly Uint8Array[], before: number): number {
  const fold = new FoldRun([fraudFeatures])
  fold.take(raw.slice(0, before))
  const seconds = fold.take(raw.slice(before))
  if (fold.counts.accepted !== raw.length) throw new Error('not every event was accepted')
  return seconds
}

function foldPlainly(raw: readonly Uint8Array[], before: number): number {
  const fold = new PlainFold()
  fold.takeAll(raw.slice(0, before))
  return fold.takeAll(raw.slice(before))
}
