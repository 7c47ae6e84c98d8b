import { formatDuration } from '../src/base/duration.ts'
import { Curve, usPerRead } from './curve.ts'
import type { Bench, BenchContext, BenchRow } from './harness.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { CardEvents, cardViews, type CardWorkload } from './workloads/card-events.ts'
import { FoldRun } from './workloads/fold-run.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const lengthsMs = [hourMs, 6 * hourMs, dayMs, 7 * dayMs, 30 * dayMs, 90 * dayMs, 365 * dayMs]

const bench: Bench = {
  name: 'curve-window',
  describe:
    'Cost of an event and of a read against the length of the window, 1 h to 365 d, the same events throughout, against plain Maps',
  async run(context) {
    const sparse = await overLengths(context, { label: 'sparse keys', customers: 8_000 })
    const dense = await overLengths(context, { label: 'dense keys', customers: 80 })
    return [...sparse, ...dense]
  },
}

export const { name, describe, run } = bench

/** History of 400 days before anything is measured, so that the longest window is full. */
async function overLengths(
  context: BenchContext,
  { label, customers }: { readonly label: string; readonly customers: number },
): Promise<BenchRow[]> {
  const history = context.quick ? 20_000 : 80_000
  const chunk = context.quick ? 2_000 : 10_000
  const workload: CardWorkload = { customers, spread: 'uniform', stepMs: (400 * dayMs) / history }
  const perKey = history / customers
  const x = {
    title: `length of the window; ${perKey} events per customer in 400 days`,
    scale: 'log',
    ticks: lengthsMs.map((ms) => [ms, formatDuration(ms)] as const),
  } as const
  const folds = new Curve(context, {
    title: `An event: ${label}`,
    x,
    y: { title: 'us of CPU per event', scale: 'log' },
    unit: 'us CPU/event',
  })
  const reads = new Curve(context, {
    title: `A read: ${label}`,
    x,
    y: { title: 'us of CPU per read', scale: 'log' },
    unit: 'us CPU',
  })
  await warmUp(context, workload)
  for (const lengthMs of context.quick ? [hourMs, 30 * dayMs, 365 * dayMs] : lengthsMs) {
    await atLength({ folds, reads }, { workload, lengthMs, history, chunk, label })
  }
  folds.draw()
  reads.draw()
  const lines = ['millrace', 'millrace with checkpoint', 'plain Maps'] as const
  return [
    ...folds.rows,
    ...lines.map((line) => ({ ...folds.growth(line), note: `an event, ${label}, 365d over 1h` })),
    ...reads.rows,
    { ...reads.growth('millrace'), note: `a read, ${label}, 365d over 1h` },
    { ...reads.growth('plain Maps'), note: `a read, ${label}, 365d over 1h` },
  ]
}

/** A first point that is thrown away: the compiler learns on it. */
async function warmUp(context: BenchContext, workload: CardWorkload): Promise<void> {
  const axis = { title: '', scale: 'log' } as const
  const text = { title: '', x: axis, y: axis, unit: '' }
  const aside = { ...context, runs: 1, log: () => {} }
  const curves = { folds: new Curve(aside, text), reads: new Curve(aside, text) }
  await atLength(curves, { workload, lengthMs: dayMs, history: 20_000, chunk: 10_000, label: '' })
}

type AtLength = {
  readonly workload: CardWorkload
  readonly lengthMs: number
  readonly history: number
  readonly chunk: number
  readonly label: string
}

async function atLength(
  { folds, reads }: { readonly folds: Curve; readonly reads: Curve },
  { workload, lengthMs, history, chunk, label }: AtLength,
): Promise<void> {
  const events = new CardEvents(workload)
  const ours = new FoldRun(cardViews('flat', { windowsMs: [lengthMs] }))
  const plain = new PlainFold({ customerMs: lengthMs, terminalMs: lengthMs })
  for (let taken = 0; taken < history; taken += chunk) {
    const values = events.next(chunk)
    ours.take(values)
    plain.takeAll(values)
    await ours.checkpoint()
  }
  const at = `${formatDuration(lengthMs)}, ${label}`
  const perEvent = (seconds: number): number => (seconds * 1e6) / chunk
  // All three lines take the same events; the checkpoint's cost is that of the chunk folded just before it.
  let next: Uint8Array[] = []
  let folded = 0
  await folds.measure(lengthMs, at, [
    {
      name: 'millrace',
      role: 'ours',
      measure: () => {
        next = events.next(chunk)
        folded = ours.take(next)
        return perEvent(folded)
      },
    },
    {
      name: 'millrace with checkpoint',
      role: 'ours',
      measure: async () => perEvent(folded + (await ours.checkpoint()).seconds),
    },
    { name: 'plain Maps', role: 'peer', measure: () => perEvent(plain.takeAll(next)) },
  ])
  const asOf = events.newestMs + 1
  const count = 2_000
  await reads.measure(lengthMs, at, [
    {
      name: 'millrace',
      role: 'ours',
      measure: () =>
        usPerRead(count, (nth) => ours.read('customers', { customerId: nth % workload.customers }, asOf).values.length),
    },
    {
      name: 'plain Maps',
      role: 'peer',
      measure: () => usPerRead(count, (nth) => plain.read(nth % workload.customers, [lengthMs], asOf).length),
    },
  ])
}
