import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openTableReader, train } from 'millrace'
import { type Bench, type BenchContext, type BenchRow, compare, elapsedMs, median } from './harness.ts'
import { labelWithDuckDB } from './peers/duckdb-point-in-time.ts'
import { type OrderFiles, ordersPlan, userOrders, writeOrders } from './workloads/orders.ts'

const features = ['count_1h', 'sum_1h', 'count_1d', 'sum_1d'] as const

const bench: Bench = {
  name: 'point-in-time',
  describe: '1 M labels x 10 M events x 2 windows, Parquet to Parquet, against DuckDB (one thread each) and pandas',
  peers: ['@duckdb/node-api'],
  async run(context) {
    const counts = context.quick
      ? { events: 300_000, labels: 30_000, users: 3_000 }
      : { events: 10_000_000, labels: 1_000_000, users: 100_000 }
    const files = { events: join(context.folder, 'events.parquet'), labels: join(context.folder, 'labels.parquet') }
    await writeOrders(files, counts)
    const ours = join(context.folder, 'ours.parquet')
    const theirs = join(context.folder, 'theirs.parquet')
    const phases = new Map<string, number[]>()
    const figures = await compare(context, {
      contender: { what: 'millrace train', measure: () => elapsedMs(() => labelWithMillrace(files, ours, phases)) },
      peer: { what: 'DuckDB windows', measure: () => elapsedMs(() => labelWithDuckDB(files, theirs)) },
      unit: 'ms',
      better: 'lower',
    })
    const parts = [...phases].map(
      ([phase, samples]): BenchRow => ({ what: `millrace: ${phase}`, value: median(samples), unit: 'ms', samples }),
    )
    return [
      ...figures,
      ...parts,
      { what: 'rows', value: counts.labels, unit: 'labels', note: `${counts.events} events of ${counts.users} users` },
      ...(await comparePandas(context, files)),
      await differences({ ours, theirs, labels: counts.labels }),
    ]
  },
}

export const { name, describe, peers, run } = bench

async function labelWithMillrace(files: OrderFiles, output: string, phases: Map<string, number[]>): Promise<void> {
  let phase: string | null = null
  let since = 0
  const enter = (next: string | null): void => {
    if (next === phase) return
    const now = performance.now()
    if (phase !== null) phases.set(phase, [...(phases.get(phase) ?? []), now - since])
    phase = next
    since = now
  }
  await train({
    plan: ordersPlan,
    target: userOrders.name,
    spine: files.labels,
    at: 'asked_at',
    history: { files: { orders: [files.events] } },
    output,
    threads: 1,
    onProgress: (progress) => enter(progress.phase),
  })
  enter(null)
}

/** Only where there is a Python that has pandas: the one of MILLRACE_PYTHON, or the first in the path. */
async function comparePandas(context: BenchContext, files: OrderFiles): Promise<readonly BenchRow[]> {
  const python = process.env['MILLRACE_PYTHON'] ?? 'python3'
  const script = fileURLToPath(new URL('peers/pandas-point-in-time.py', import.meta.url))
  const output = join(context.folder, 'pandas.parquet')
  try {
    execFileSync(python, ['-c', 'import pandas, pyarrow'], { stdio: 'ignore' })
  } catch {
    context.log('pandas: NOT RUN, for there is no Python that has it and pyarrow (MILLRACE_PYTHON names one)')
    return []
  }
  const samples: number[] = []
  for (let index = 0; index < Math.min(3, context.runs); index++) {
    const seconds = execFileSync(python, [script, files.events, files.labels, output], { encoding: 'utf8' })
    samples.push(Number(seconds) * 1_000)
    context.log(`pandas ${Math.round(samples.at(-1)!)} ms`)
  }
  return [
    { what: 'pandas rolling', value: median(samples), unit: 'ms', samples },
    await differences({ ours: join(context.folder, 'ours.parquet'), theirs: output, labels: 0, peer: 'pandas' }),
  ]
}

type Compared = { readonly ours: string; readonly theirs: string; readonly labels: number; readonly peer?: string }

/** A fast wrong answer is none. Their sums are rounded at every step. */
async function differences({ ours, theirs, peer = 'DuckDB' }: Compared): Promise<BenchRow> {
  const [mine, other] = await Promise.all([readColumns(ours), readColumns(theirs)])
  let value = 0
  for (const [feature, values] of mine.entries()) {
    for (const [row, one] of values.entries()) {
      const another = other[feature]![row]!
      if (Math.abs(one - another) > 1e-6 * Math.max(1, Math.abs(one))) value += 1
    }
  }
  return { what: `values that differ from those of ${peer}`, value, unit: 'of 4 per row', note: 'sums within 1e-6' }
}

async function readColumns(file: string): Promise<number[][]> {
  const columns = features.map((): number[] => [])
  for await (const batch of (await openTableReader(file)).read(features)) {
    batch.columns.forEach((values, index) => {
      for (const value of values) columns[index]!.push(Number(value))
    })
  }
  return columns
}
