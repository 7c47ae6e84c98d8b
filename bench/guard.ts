import { type Bench, cpuSeconds, median, sampled } from './harness.ts'
import { usPerRead } from './curve.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { CardEvents, cardViews, type CardWorkload, startMs } from './workloads/card-events.ts'
import { FoldRun } from './workloads/fold-run.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** Both sides cost something, in any unit; the guard watches the quotient. */
export type Sides = { readonly ours: () => number; readonly theirs: () => number }

export type Guard = {
  readonly what: string
  /** The ratio of the costs as `npm run bench -- guard` last measured it: smaller is better. */
  readonly measured: number
  /**
   * What no change may exceed: far enough above `measured` for the noise of a busy machine, and below the double of it,
   * so that whoever makes this path half as fast hears of it.
   */
  readonly limit: number
  readonly sides: () => Sides
}

/** No time is ever compared with a number: machines differ, ratios of two things on one machine hardly. */
export const guards: readonly Guard[] = [
  {
    what: 'folding JSON events : JSON.parse and plain Maps',
    measured: 0.77,
    limit: 1.4,
    sides: () => foldAgainstPlain({ customers: 5_000, spread: 'uniform', stepMs: 100 }),
  },
  {
    what: 'an event under a window of 30 days : of an hour',
    measured: 1.3,
    limit: 2.2,
    sides: () => foldsOf({ windowsMs: [30 * dayMs] }, { windowsMs: [hourMs] }),
  },
  {
    what: 'an event among 50 k keys : among 1 k keys',
    measured: 1.1,
    limit: 2,
    sides: () => foldAmong(50_000, 1_000),
  },
  {
    what: 'a read of 50 features in process : JSON.parse of their JSON',
    measured: 3.4,
    limit: 6,
    sides: readAgainstParse,
  },
  {
    what: 'a read of a key with 20,000 events : with 20',
    measured: 47,
    limit: 85,
    sides: hotAgainstSmall,
  },
]

/** Median of the ratios of so many pairs of turns, after some in which the compiler learns. */
export function ratioOf({ ours, theirs }: Sides, pairs: number): number {
  const ratios: number[] = []
  for (let pair = -warmUps; pair < pairs; pair++) {
    globalThis.gc?.()
    const ratio = ours() / theirs()
    if (pair >= 0) ratios.push(ratio)
  }
  return median(ratios)
}

export const warmUps = 3

/** Pairs of turns for one verdict of the guard. */
export const guardPairs = 5

const bench: Bench = {
  name: 'guard',
  describe: 'The ratios that the tests guard, measured as they measure them, again and again',
  async run(context) {
    const times = context.quick ? 1 : 4 * context.runs
    return await Promise.resolve(
      guards.map(({ what, limit, sides }) => {
        const prepared = sides()
        const samples = Array.from({ length: times }, () => ratioOf(prepared, guardPairs))
        const row = { ...sampled(what, 'times the cost', samples), note: `limit ${limit}` }
        context.log(`${what}: ${row.value}`)
        return row
      }),
    )
  },
}

export const { name, describe, run } = bench

const chunk = 5_000

function foldAgainstPlain(workload: CardWorkload): Sides {
  const events = new CardEvents(workload)
  const ours = new FoldRun(cardViews('flat', { windowsMs: [hourMs, dayMs] }))
  const plain = new PlainFold({ customerMs: dayMs, terminalMs: dayMs })
  let next: Uint8Array[] = []
  return {
    ours: () => {
      next = events.next(chunk)
      return ours.take(next)
    },
    theirs: () => plain.takeAll(next),
  }
}

type Shape = Parameters<typeof cardViews>[1]

/** The same events under two definitions, after 60 days of them: about 250 per key in the longer window. */
function foldsOf(one: Shape, other: Shape): Sides {
  const history = 20_000
  const events = new CardEvents({ customers: 40, spread: 'uniform', stepMs: (60 * dayMs) / history })
  const [ours, theirs] = [new FoldRun(cardViews('flat', one)), new FoldRun(cardViews('flat', other))]
  const values = events.next(history)
  ours.take(values)
  theirs.take(values)
  let next: Uint8Array[] = []
  return {
    ours: () => {
      next = events.next(chunk)
      return ours.take(next)
    },
    theirs: () => theirs.take(next),
  }
}

function foldAmong(many: number, few: number): Sides {
  const [ours, theirs] = [many, few].map((customers) => {
    const events = new CardEvents({ customers, spread: 'uniform', stepMs: 10 })
    const fold = new FoldRun(cardViews('flat', { windowsMs: [hourMs, dayMs] }))
    for (const values of events.everyCustomer(10_000)) fold.take(values)
    return () => fold.take(events.next(chunk))
  })
  return { ours: ours!, theirs: theirs! }
}

const minutes = [1, 5, 15, 30, 60, 180, 360, 720, 1_440, 10_080]

/** One customer in turn of 200, with 50 events each, all of them in the longest of ten windows. */
function readAgainstParse(): Sides {
  const customers = 200
  const events = new CardEvents({ customers, spread: 'uniform', stepMs: 10_000 })
  const fold = new FoldRun(cardViews('flat', { windowsMs: minutes.map((count) => count * 60_000) }))
  fold.take(events.next(50 * customers))
  const asOf = events.newestMs + 1
  const { values } = fold.read('customers', { customerId: 1 }, asOf)
  const names = fold.plan.views.find((view) => view.name === 'customers')!.features.map((feature) => feature.name)
  const json = JSON.stringify(Object.fromEntries(names.map((name, index) => [name, values[index]])))
  const count = 3_000
  return {
    ours: () => usPerRead(count, (nth) => fold.read('customers', { customerId: nth % customers }, asOf).values.length),
    theirs: () =>
      cpuSeconds(() => {
        for (let nth = 0; nth < count; nth++) JSON.parse(json)
      }) *
      (1e6 / count),
  }
}

/** All events of both keys lie inside the window. */
function hotAgainstSmall(): Sides {
  const [hot, small] = [20_000, 20].map((count) => {
    const events = new CardEvents({ customers: 1, spread: 'uniform', stepMs: 1_000 })
    const fold = new FoldRun(cardViews('flat', { windowsMs: [dayMs] }))
    fold.take(events.next(count))
    // As of instants at which the tail of the window lies amid the events, too.
    return (reads: number) =>
      usPerRead(
        reads,
        (nth) => fold.read('customers', { customerId: 0 }, startMs + count * 1_000 - (nth % 7)).values.length,
      )
  })
  return { ours: () => hot!(100), theirs: () => small!(3_000) }
}
