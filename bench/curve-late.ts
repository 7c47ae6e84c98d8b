import { Curve } from './curve.ts'
import type { Bench } from './harness.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { CardEvents, cardViews } from './workloads/card-events.ts'
import { FoldRun } from './workloads/fold-run.ts'

const hourMs = 3_600_000
const chunk = 10_000
const history = 40_000

const bench: Bench = {
  name: 'curve-late',
  describe:
    'Cost of an event against the share of events up to 30 minutes late: put in their place among about 90 newer ones of the key, or rejected',
  async run(context) {
    const curve = new Curve(context, {
      title: 'An event that may be late',
      x: { title: 'share of late events, %', scale: 'linear' },
      y: { title: 'us of CPU per event', scale: 'linear' },
      unit: 'us CPU/event',
    })
    for (const percent of context.quick ? [0, 50] : [0, 5, 10, 20, 35, 50]) {
      const workload = { customers: 200, spread: 'uniform', stepMs: 100, lateMs: hourMs / 2 } as const
      const events = new CardEvents({ ...workload, lateShare: percent / 100 })
      const accepting = new FoldRun(cardViews('flat', { windowsMs: [hourMs, 24 * hourMs], latenessMs: hourMs }))
      const rejecting = new FoldRun(cardViews('flat', { windowsMs: [hourMs, 24 * hourMs], latenessMs: 1_000 }))
      const plain = new PlainFold({ customerMs: 24 * hourMs, terminalMs: 24 * hourMs })
      let next: Uint8Array[] = []
      for (let taken = 0; taken < history; taken += chunk) {
        next = events.next(chunk)
        accepting.take(next)
        rejecting.take(next)
        plain.takeAll(next)
      }
      const perEvent = (seconds: number): number => (seconds * 1e6) / chunk
      await curve.measure(percent, `${percent} % late`, [
        {
          name: 'millrace, within the lateness',
          role: 'ours',
          measure: () => {
            next = events.next(chunk)
            return perEvent(accepting.take(next))
          },
        },
        { name: 'millrace, rejected', role: 'ours', measure: () => perEvent(rejecting.take(next)) },
        { name: 'plain Maps, out of order', role: 'peer', measure: () => perEvent(plain.takeAll(next)) },
      ])
      check(percent, accepting, rejecting)
    }
    curve.draw()
    return [
      ...curve.rows,
      curve.growth('millrace, within the lateness'),
      curve.growth('millrace, rejected'),
      {
        ...curve.growth('plain Maps, out of order'),
        note: 'the peer puts an event where it arrives and gives wrong windows',
      },
    ]
  },
}

export const { name, describe, run } = bench

/** The shares are what they say: otherwise the curve shows something else. */
function check(percent: number, accepting: FoldRun, rejecting: FoldRun): void {
  const { records, accepted } = accepting.counts
  const { late } = rejecting.counts
  if (accepted !== records) throw new Error(`${records - accepted} events were not accepted`)
  if (Math.abs(late / records - percent / 100) > 0.01) throw new Error(`${late} of ${records} events were late`)
}
