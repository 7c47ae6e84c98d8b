import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Bench, compare } from './harness.ts'
import type { FoldTask } from './workloads/fold-child.ts'
import type { Workload } from './workloads/payments.ts'

const child = fileURLToPath(new URL('workloads/fold-child.ts', import.meta.url))

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
      const perSecond = (entrant: FoldTask['entrant']): number =>
        events / 1_000 / secondsOf({ entrant, workload, before })
      const figures = await compare(context, {
        contender: { what: `millrace, ${label}`, measure: () => perSecond('millrace') },
        peer: { what: `plain Maps, ${label}`, measure: () => perSecond('plain Maps') },
        unit: 'k events/s of CPU',
        better: 'higher',
      })
      rows.push(...figures)
    }
    const note =
      'in: ids, late and duplicate checks, exact sums, raw events kept. out: log, checkpoint, and the first 150,000 events, which warm both up. Each turn is a process of its own. The peer keeps raw events, checks no verdict and keeps no ids'
    return [...rows, { what: 'events', value: events, unit: 'events of about 240 bytes', note }]
  },
}

export const { name, describe, run } = bench

/**
 * Each turn in a process of its own, as both would run: in one that has made many plans before, calls that otherwise
 * have one target have many, and the third turn takes twice as long as the first.
 */
function secondsOf(task: FoldTask): number {
  return Number(
    execFileSync(process.execPath, [...process.execArgv, child, JSON.stringify(task)], { encoding: 'utf8' }),
  )
}
