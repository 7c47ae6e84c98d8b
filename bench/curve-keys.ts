import { getHeapStatistics } from 'node:v8'
import { Curve } from './curve.ts'
import { type Bench, type BenchContext, type BenchRow, figure } from './harness.ts'
import { PlainFold } from './peers/plain-fold.ts'
import { CardEvents, cardViews, type CardWorkload } from './workloads/card-events.ts'
import { FoldRun } from './workloads/fold-run.ts'

const dayMs = 86_400_000
const chunk = 20_000

const bench: Bench = {
  name: 'curve-keys',
  describe:
    'Cost of an event against the number of keys that have a state, 1 k to 10 M as far as memory allows, uniform and Zipf, against plain Maps',
  async run(context) {
    return [...(await overKeys(context, 'uniform')), ...(await overKeys(context, 'zipf'))]
  },
}

export const { name, describe, run } = bench

async function overKeys(context: BenchContext, spread: CardWorkload['spread']): Promise<BenchRow[]> {
  const curve = new Curve(context, {
    title: `An event: ${spread === 'zipf' ? 'Zipf' : 'uniform'}`,
    x: { title: 'customers with a state, and a tenth as many terminals', scale: 'log' },
    y: { title: 'us of CPU per event', scale: 'log' },
    unit: 'us CPU/event',
  })
  const notes: BenchRow[] = []
  let bytesPerKey = 2_000
  // Under Zipf most of ten million keys are hardly met again; the even spread is the harder one.
  const most = context.quick ? 100_000 : spread === 'uniform' ? 10_000_000 : 1_000_000
  for (const keys of [1_000, 10_000, 100_000, 1_000_000, 10_000_000].filter((each) => each <= most)) {
    const lacking = lackingMemory(keys * bytesPerKey)
    if (lacking !== null) {
      context.log(`${keys} keys: left out, ${lacking}`)
      notes.push({ what: `left out, ${spread}`, value: keys, unit: 'keys', note: lacking })
      continue
    }
    bytesPerKey = await atKeys(curve, { customers: keys, spread, stepMs: 10 })
  }
  curve.draw()
  const growth = ['millrace', 'plain Maps'].map((line) => ({
    ...curve.growth(line),
    note: `${spread}, most over fewest keys`,
  }))
  return [...curve.rows, ...growth, ...notes]
}

/** Gives the bytes that a key took, on both sides together. */
async function atKeys(curve: Curve, workload: CardWorkload): Promise<number> {
  const before = usedBytes()
  const events = new CardEvents(workload)
  const ours = new FoldRun(cardViews('flat', { windowsMs: [dayMs, 7 * dayMs] }))
  const plain = new PlainFold({ customerMs: 7 * dayMs, terminalMs: 7 * dayMs })
  for (const values of events.everyCustomer(chunk)) {
    ours.take(values)
    plain.takeAll(values)
  }
  const bytesPerKey = (usedBytes() - before) / workload.customers
  const perEvent = (seconds: number): number => (seconds * 1e6) / chunk
  let next: Uint8Array[] = []
  await curve.measure(workload.customers, `${workload.customers} keys, ${workload.spread}`, [
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
  return bytesPerKey
}

function usedBytes(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Others use this machine too: half of what is free, and three quarters of the heap's limit. */
function lackingMemory(bytes: number): string | null {
  const mb = (size: number): string => `${figure(size / 1e6)} MB`
  const free = process.availableMemory() / 2
  if (bytes > free) return `about ${mb(bytes)} are needed and half of the free memory is ${mb(free)}`
  const heap = getHeapStatistics().heap_size_limit * 0.75
  return bytes > heap ? `about ${mb(bytes)} are needed and the heap may hold ${mb(heap)}` : null
}
