/**
 * Folds and reads in a process of its own, told by messages, so that code generation can be off in it for good:
 * `fold` and `read` are answered with microseconds of CPU.
 */
import { usPerRead } from '../curve.ts'
import { CardEvents, cardViews } from './card-events.ts'
import { FoldRun } from './fold-run.ts'

const customers = 5_000
const chunk = 20_000
const hourMs = 3_600_000
const windowsMs = [hourMs, 24 * hourMs]

const events = new CardEvents({ customers, spread: 'uniform', stepMs: 500 })
const fold = new FoldRun(cardViews('flat', { windowsMs }))
fold.take(events.next(150_000))

process.on('message', (what: 'fold' | 'read' | 'generates') => process.send!(answers[what]()))
process.on('disconnect', () => process.exit())

const answers = {
  fold: () => (fold.take(events.next(chunk)) * 1e6) / chunk,
  /** Ten features of a customer with about 30 events. */
  read: () => {
    const asOf = events.newestMs + 1
    return usPerRead(20_000, (nth) => fold.read('customers', { customerId: nth % customers }, asOf).values.length)
  },
  generates: () => {
    try {
      // oxlint-disable-next-line no-implied-eval -- asks whether it is allowed
      return new Function('return 1')() as number
    } catch {
      return 0
    }
  },
}
