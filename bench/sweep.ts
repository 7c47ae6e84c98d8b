import { join } from 'node:path'
import { compile, openTableReader, openTableWriter, train } from 'millrace'
import { fraudV1 } from '../examples/card-fraud/features.ts'
import { type Payment, simulatePayments } from '../examples/card-fraud/simulator.ts'
import { type Bench, type BenchContext, type BenchRow, compare, elapsedMs, median, sampled } from './harness.ts'
import { sweepWithDuckDB } from './peers/duckdb-sweep.ts'
import { pandasVersion, runPandas } from './peers/pandas.ts'

const daysInFull = 183
const shared = ['1d', '7d', '30d'].flatMap((length) => [
  [`c_nb_${length}`, `c_count_${length}`],
  [`c_avg_${length}`, `c_amount_mean_${length}`],
  [`t_nb_${length}`, `t_count_${length}`],
  [`t_risk_${length}`, `t_fraud_mean_${length}`],
])

const bench: Bench = {
  name: 'sweep',
  describe: `${daysInFull} days of simulated payments x 12 windows, Parquet to Parquet, against the windows of DuckDB and of pandas, one thread each`,
  peers: ['@duckdb/node-api'],
  async run(context) {
    const input = join(context.folder, 'payments.parquet')
    const rows = await writePayments(input, context.quick ? 45 : daysInFull)
    context.log(`${rows} payments`)
    const ours = join(context.folder, 'ours.parquet')
    const theirs = join(context.folder, 'theirs.parquet')
    const figures = await compare(context, {
      contender: { what: 'millrace train', measure: () => elapsedMs(() => sweepWithMillrace(input, ours)) },
      peer: { what: 'DuckDB windows', measure: () => elapsedMs(() => sweepWithDuckDB({ input, output: theirs })) },
      unit: 'ms',
      better: 'lower',
    })
    const differing = await countDifferences({ ours, theirs, within: 1e-9 }, context)
    return [
      ...figures,
      ...(await againstPandas(context, { input, ours, ourMs: figures[0]!.value })),
      {
        what: 'rows',
        value: rows,
        unit: 'rows',
        note: 'ours: spine and history are the same file, 14 features, manifest with checksums',
      },
      {
        what: 'values that differ',
        value: differing,
        unit: 'of 12 per row',
        note: 'counts exact, means within 1e-9; same second of a customer left out',
      },
    ]
  },
}

export const { name, describe, peers, run } = bench

type Ours = { readonly input: string; readonly ours: string; readonly ourMs: number }

/** In the same run as the others, but not in turn: it takes minutes. */
async function againstPandas(context: BenchContext, { input, ours, ourMs }: Ours): Promise<BenchRow[]> {
  const version = await pandasVersion()
  if (version === null) {
    return [
      {
        what: 'pandas',
        value: 0,
        unit: 'runs',
        note: 'NOT RUN: neither PANDAS_PYTHON nor python3 has pandas and pyarrow',
      },
    ]
  }
  const output = join(context.folder, 'pandas.parquet')
  const samples: number[] = []
  for (let run = 0; run < Math.min(context.runs, 2); run++) {
    samples.push(await runPandas('pandas-sweep.py', [input, output]))
    context.log(`pandas ${Math.round(samples.at(-1)!)} ms`)
  }
  const differing = await countDifferences({ ours, theirs: output, within: 1e-6 }, context)
  return [
    {
      ...sampled('pandas windows', 'ms', samples),
      side: 'peer',
      note: `pandas ${version}, without the start of Python`,
    },
    { what: 'millrace train : pandas windows', value: median(samples) / ourMs, unit: 'times better', side: 'ratio' },
    {
      what: 'values that differ from those of pandas',
      value: differing,
      unit: 'of 12 per row',
      note: 'means within 1e-6: its rolling sums drift',
    },
  ]
}

async function sweepWithMillrace(input: string, output: string): Promise<void> {
  await train({
    plan: compile([fraudV1]),
    target: fraudV1.name,
    spine: input,
    at: 'ts',
    inclusive: true,
    threads: 1,
    history: { files: { payments: [input] } },
    output,
  })
}

async function writePayments(path: string, days: number): Promise<number> {
  const writer = await openTableWriter(path, [
    { name: 'transaction_id', type: 'int64', nullable: false },
    { name: 'ts', type: 'timestamp', nullable: false },
    { name: 'customer_id', type: 'int64', nullable: false },
    { name: 'terminal_id', type: 'int64', nullable: false },
    { name: 'amount', type: 'double', nullable: false },
    { name: 'fraud', type: 'int64', nullable: false },
  ])
  let rows = 0
  let batch: Payment[] = []
  const flush = async (): Promise<void> => {
    const first = rows
    await writer.write({
      rows: batch.length,
      columns: [
        batch.map((_, index) => first + index),
        batch.map(({ at }) => at),
        batch.map(({ customerId }) => customerId),
        batch.map(({ terminalId }) => terminalId),
        batch.map(({ amount }) => amount),
        batch.map(({ fraud }) => (fraud ? 1 : 0)),
      ],
    })
    rows += batch.length
    batch = []
  }
  for (const payment of simulatePayments({ seed: 1, startMs: Date.UTC(2026, 0, 1), days })) {
    if (batch.push(payment) === 100_000) await flush()
  }
  await flush()
  await writer.close()
  return rows
}

type Compared = { readonly ours: string; readonly theirs: string; readonly within: number }

/** Both must have computed the same; a fast wrong answer is none. */
async function countDifferences({ ours, theirs, within }: Compared, context: BenchContext): Promise<number> {
  const mine = await readColumns(ours, ['transaction_id', 'ts', 'customer_id', ...shared.map(([name]) => name!)])
  const other = await readColumns(theirs, ['transaction_id', ...shared.map(([, name]) => name!)])
  const place = new Map(other[0]!.map((id, row) => [Number(id), row]))
  const seconds = new Map<string, number>()
  const second = (row: number): string => `${String(mine[2]![row])} ${String(mine[1]![row])}`
  mine[0]!.forEach((_, row) => seconds.set(second(row), (seconds.get(second(row)) ?? 0) + 1))
  let differing = 0
  mine[0]!.forEach((id, row) => {
    if (seconds.get(second(row))! > 1) return
    const at = place.get(Number(id))!
    shared.forEach((_, index) => {
      const value = Number(mine[index + 3]![row] ?? 0)
      const expected = Number(other[index + 1]![at] ?? 0)
      if (Math.abs(value - expected) > within * Math.max(1, Math.abs(expected))) differing += 1
    })
  })
  context.log(`${differing} values differ`)
  return differing
}

async function readColumns(file: string, names: readonly string[]): Promise<unknown[][]> {
  const columns = names.map((): unknown[] => [])
  for await (const batch of (await openTableReader(file)).read(names)) {
    batch.columns.forEach((values, index) => {
      for (const value of values) columns[index]!.push(value)
    })
  }
  return columns
}
