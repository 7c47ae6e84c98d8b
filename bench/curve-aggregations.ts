import { Curve, usPerRead } from './curve.ts'
import type { Bench } from './harness.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { CardEvents, cardViews } from './workloads/card-events.ts'
import { FoldRun } from './workloads/fold-run.ts'

const minuteMs = 60_000
const windowsMs = [1, 5, 15, 30, 60, 180, 360, 720, 1_440, 10_080].map((minutes) => minutes * minuteMs)
const customers = 500
const chunk = 10_000

const bench: Bench = {
  name: 'curve-aggregations',
  describe:
    'Cost of an event and of a read against the number of aggregations of a view, 1 to 50 in up to 10 windows, against plain Maps',
  async run(context) {
    const x = { title: 'aggregations of a view', scale: 'log' } as const
    const folds = new Curve(context, {
      title: 'An event',
      x,
      y: { title: 'us of CPU per event', scale: 'linear' },
      unit: 'us CPU/event',
    })
    const reads = new Curve(context, {
      title: 'A read of a key with 60 events',
      x,
      y: { title: 'us of CPU per read', scale: 'linear' },
      unit: 'us CPU',
    })
    for (const aggregations of context.quick ? [1, 50] : [1, 2, 5, 10, 20, 35, 50]) {
      // Five aggregations to a window, so that one window comes with each five.
      const windows = windowsMs.slice(0, Math.ceil(aggregations / 5))
      const events = new CardEvents({ customers, spread: 'uniform', stepMs: 1_000 })
      const ours = new FoldRun(cardViews('flat', { windowsMs: windows, aggregations }))
      const plain = new PlainFold({ customerMs: 7 * 1_440 * minuteMs, terminalMs: 7 * 1_440 * minuteMs })
      for (let taken = 0; taken < 60 * customers; taken += chunk) {
        const values = events.next(chunk)
        ours.take(values)
        plain.takeAll(values)
      }
      let next: Uint8Array[] = []
      const perEvent = (seconds: number): number => (seconds * 1e6) / chunk
      await folds.measure(aggregations, `${aggregations} aggregations`, [
        {
          name: 'millrace',
          role: 'ours',
          measure: () => {
            next = events.next(chunk)
            return perEvent(ours.take(next))
          },
        },
        { name: 'plain Maps', role: 'peer', measure: () => perEvent(plain.takeAll(next)) },
      ])
      const asOf = events.newestMs + 1
      const count = 5_000
      await reads.measure(aggregations, `${aggregations} aggregations`, [
        {
          name: 'millrace',
          role: 'ours',
          measure: () =>
            usPerRead(count, (nth) => ours.read('customers', { customerId: nth % customers }, asOf).values.length),
        },
        {
          name: 'plain Maps',
          role: 'peer',
          measure: () => usPerRead(count, (nth) => plain.read(nth % customers, windows, asOf).length),
        },
      ])
    }
    folds.draw()
    reads.draw()
    const growth = [
      { ...folds.growth('millrace'), note: 'an event, most over fewest aggregations' },
      { ...reads.growth('millrace'), note: 'a read, most over fewest aggregations' },
      { ...reads.growth('plain Maps'), note: 'a read, most over fewest aggregations; five values per window' },
    ]
    return [...folds.rows, ...reads.rows, ...growth]
  },
}

export const { name, describe, run } = bench
