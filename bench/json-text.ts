import { type Bench, type BenchRow, compare } from './harness.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { CardEvents, cardViews, type EventText, readerOf } from './workloads/card-events.ts'
import { FoldRun } from './workloads/fold-run.ts'

const texts: readonly EventText[] = ['flat', 'nested', 'non-ascii', 'escaped']
const hourMs = 3_600_000

const bench: Bench = {
  name: 'json-text',
  describe:
    'JSON bytes to folded state for events that are flat, nested, in other scripts than Latin, and full of escapes, against JSON.parse and Maps',
  async run(context) {
    const events = context.quick ? 20_000 : 100_000
    const rows: BenchRow[] = []
    for (const text of texts) {
      const raw = new CardEvents({ customers: 10_000, spread: 'uniform', stepMs: 100, text }).next(events)
      const bytes = raw.reduce((sum, { length }) => sum + length, 0) / events
      const compared = await compare(context, {
        contender: { what: `millrace, ${text}`, measure: () => foldWithMillrace(text, raw) },
        peer: { what: `plain Maps, ${text}`, measure: () => foldPlainly(text, raw) },
        unit: 'k events/s of CPU',
        better: 'higher',
      })
      rows.push(...compared.map((row) => ({ ...row, note: `${Math.round(bytes)} bytes an event` })))
    }
    return rows
  },
}

export const { name, describe, run } = bench

function foldWithMillrace(text: EventText, raw: readonly Uint8Array[]): number {
  const fold = new FoldRun(cardViews(text, { windowsMs: [hourMs, 24 * hourMs] }))
  const seconds = fold.take(raw)
  if (fold.counts.accepted !== raw.length)
    throw new Error(`of ${raw.length} events ${fold.counts.accepted} were accepted`)
  return raw.length / 1_000 / seconds
}

function foldPlainly(text: EventText, raw: readonly Uint8Array[]): number {
  const fold = new PlainFold({ read: readerOf(text) })
  return raw.length / 1_000 / fold.takeAll(raw)
}
