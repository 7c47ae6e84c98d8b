import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { makeEventDecoder } from '../src/schema/decode.ts'
import { type Bench, type BenchContext, type BenchRow, compare, cpuSeconds } from './harness.ts'
import { CardEvents, cardViews, type EventText } from './workloads/card-events.ts'
import { expressionCases, expressionValues } from './workloads/expressions.ts'
import { FoldRun } from './workloads/fold-run.ts'

const texts: readonly EventText[] = ['flat', 'nested', 'non-ascii', 'escaped']
const hourMs = 3_600_000

const bench: Bench = {
  name: 'ablations',
  describe:
    'What each piece of cleverness is worth: generated code against its interpreter, the byte projector against JSON.parse, batches against one by one',
  async run(context) {
    return [
      ...(await generated(context)),
      ...(await expressions(context)),
      ...(await projected(context)),
      ...(await batched(context)),
    ]
  },
}

export const { name, describe, run } = bench

/** The same work in two processes, one of them with code generation off. */
async function generated(context: BenchContext): Promise<BenchRow[]> {
  const [on, off] = await Promise.all([startProcess([]), startProcess(['--disallow-code-generation-from-strings'])])
  if ((await ask(on, 'generates')) !== 1 || (await ask(off, 'generates')) !== 0) {
    throw new Error('the processes do not differ')
  }
  const rows: BenchRow[] = []
  for (const what of ['fold', 'read'] as const) {
    rows.push(
      ...(await compare(context, {
        contender: { what: `${what}, generated code`, measure: () => ask(on, what) },
        peer: { what: `${what}, interpreted`, measure: () => ask(off, what) },
        unit: what === 'fold' ? 'us CPU/event' : 'us CPU/read of 10 features',
        better: 'lower',
      })),
    )
  }
  on.disconnect()
  off.disconnect()
  return rows
}

async function startProcess(flags: readonly string[]): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('workloads/ablation-process.ts', import.meta.url)), [], {
    execArgv: ['--conditions=millrace-source', '--expose-gc', ...flags],
  })
  // Answered once it has folded what it begins with.
  await ask(child, 'generates')
  return child
}

async function ask(child: ChildProcess, what: 'fold' | 'read' | 'generates'): Promise<number> {
  const ended = new AbortController()
  const { signal } = ended
  const answered = once(child, 'message', { signal })
  const exited = once(child, 'exit', { signal }).then(() => {
    throw new Error('a process of the ablation ended')
  })
  child.send(what)
  try {
    const [answer] = (await Promise.race([answered, exited])) as [number]
    return answer
  } finally {
    ended.abort()
    await Promise.allSettled([answered, exited])
  }
}

async function expressions(context: BenchContext): Promise<BenchRow[]> {
  const repeats = context.quick ? 10 : 100
  const values = expressionValues(4_096)
  const rows: BenchRow[] = []
  for (const { what, generated, closures } of expressionCases()) {
    const cost = (evaluate: typeof generated): number => {
      let found = 0
      const seconds = cpuSeconds(() => {
        for (let repeat = 0; repeat < repeats; repeat++) {
          for (const one of values) if (evaluate(one)[0] !== null) found += 1
        }
      })
      if (found === 0) throw new Error('every value was null')
      return (seconds * 1e9) / (repeats * values.length)
    }
    rows.push(
      ...(await compare(context, {
        contender: { what: `${what}: generated`, measure: () => cost(generated) },
        peer: { what: `${what}: closures`, measure: () => cost(closures) },
        unit: 'ns CPU/evaluation',
        better: 'lower',
      })),
    )
  }
  return rows
}

async function projected(context: BenchContext): Promise<BenchRow[]> {
  const count = context.quick ? 10_000 : 50_000
  const rows: BenchRow[] = []
  for (const text of texts) {
    const { plan } = new FoldRun(cardViews(text, { windowsMs: [hourMs] }))
    const [stream] = plan.streams
    const plainly = makeEventDecoder(stream!.fields)
    const raw = new CardEvents({ customers: 10_000, spread: 'uniform', stepMs: 100, text }).next(count)
    const cost = (decode: (value: Uint8Array) => object): number =>
      (cpuSeconds(() => {
        for (const value of raw) if (!('row' in decode(value))) throw new Error('an event was refused')
      }) *
        1e6) /
      count
    rows.push(
      ...(await compare(context, {
        contender: { what: `decode, ${text}: projector`, measure: () => cost(stream!.format.decode) },
        peer: { what: `decode, ${text}: JSON.parse`, measure: () => cost(plainly) },
        unit: 'us CPU/event decoded',
        better: 'lower',
      })),
    )
  }
  return rows.map((row) => ({ ...row, note: row.note ?? 'six of 13 fields, checked; both give a row' }))
}

async function batched(context: BenchContext): Promise<BenchRow[]> {
  const chunk = context.quick ? 10_000 : 40_000
  const [together, single] = [true, false].map((batches) => {
    const events = new CardEvents({ customers: 50_000, spread: 'uniform', stepMs: 100 })
    const fold = new FoldRun(cardViews('flat', { windowsMs: [hourMs, 24 * hourMs] }))
    for (const values of events.everyCustomer(10_000)) fold.take(values)
    return (): number => (fold.take(events.next(chunk), { batches }) * 1e6) / chunk
  })
  const rows = await compare(context, {
    contender: { what: 'records in batches', measure: together! },
    peer: { what: 'records one by one', measure: single! },
    unit: 'us CPU/event, 50 k keys',
    better: 'lower',
  })
  return [...rows]
}
