/**
 * Computes the published features for every payment of a file, by the training path or by the streaming path, and
 * compares them with the published values.
 *
 *     npm run verify:cards -- --events FILE.parquet --expected FILE.parquet [--path training|stream] [--from DAY] [--to DAY]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compile, millrace, openTableReader, train } from 'millrace'
import { Comparison } from './comparison.ts'
import { fraudV1 } from './features.ts'

const features = fraudV1.views.flatMap((view) => Object.keys(view.features))

type Expected = ReadonlyMap<string, readonly number[]>
type Payments = {
  readonly ids: string[]
  readonly instants: number[]
  readonly customers: number[]
  readonly terminals: number[]
  readonly amounts: number[]
  readonly frauds: boolean[]
}

type Job = {
  readonly eventsFile: string
  readonly payments: Payments
  /** Rows to compare, by number. */
  readonly rows: readonly number[]
  readonly folder: string
  readonly report: (row: number, actual: readonly (number | null)[]) => void
}

async function main(): Promise<number> {
  const { values: args } = parseArgs({
    options: {
      events: { type: 'string' },
      expected: { type: 'string' },
      path: { type: 'string', default: 'training' },
      from: { type: 'string' },
      to: { type: 'string' },
    },
  })
  if (args.events === undefined || args.expected === undefined || !['training', 'stream'].includes(args.path)) {
    console.error('usage: verify:cards -- --events FILE.parquet --expected FILE.parquet [--path training|stream]')
    console.error('                       [--from YYYY-MM-DD] [--to YYYY-MM-DD]   (days compared, both included, UTC)')
    return 2
  }
  const startedAt = performance.now()
  const payments = await readPayments(args.events)
  const expected = await readExpected(args.expected)
  const from = args.from === undefined ? Number.NEGATIVE_INFINITY : dayMs(args.from)
  const to = args.to === undefined ? Number.POSITIVE_INFINITY : dayMs(args.to) + 86_400_000
  const rows = payments.ids.flatMap((id, row) => {
    const at = payments.instants[row]!
    return expected.has(id) && at >= from && at < to ? [row] : []
  })
  console.log(
    `${payments.ids.length} payments, ${expected.size} published rows, ${rows.length} to compare, path ${args.path}`,
  )

  const ties = tiedRows(payments)
  const comparison = new Comparison(features)
  const folder = await mkdtemp(join(tmpdir(), 'millrace-verify-'))
  try {
    const report = (row: number, actual: readonly (number | null)[]): void => {
      const id = payments.ids[row]!
      comparison.add({ id, tie: ties.has(row), actual, expected: expected.get(id)! })
    }
    const job: Job = { eventsFile: args.events, payments, rows, folder, report }
    await (args.path === 'stream' ? byStream(job) : byTraining(job))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  progress('')
  console.log(comparison.table())
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  const missing = [...expected.keys()].length - new Set(payments.ids.filter((id) => expected.has(id))).size
  if (missing > 0) console.log(`${missing} published rows have no payment in ${args.events}`)
  const failed = missing > 0 ? features.length : comparison.failed
  console.log(`${features.length - failed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

/** The payments file is its own spine: each row as of just after itself. */
async function byTraining({ eventsFile, rows, folder, report, payments }: Job): Promise<void> {
  const output = join(folder, 'training.parquet')
  const manifest = await train({
    plan: compile([fraudV1]),
    target: fraudV1.name,
    spine: eventsFile,
    at: 'ts',
    inclusive: true,
    history: { files: { payments: [eventsFile] } },
    output,
    onProgress: ({ phase, done, total }) => progress(`${phase} ${done}${total === null ? '' : ` of ${total}`}`),
  })
  console.log(
    `\nplan ${manifest.plan.slice(0, 12)}, ${manifest.output.rows} rows written, sha256 ${manifest.output.sha256.slice(0, 12)}`,
  )
  const columns = await readColumns(output, ['transaction_id', ...features])
  const [ids, ...values] = columns
  for (const row of rows) {
    if (String(ids![row]) !== payments.ids[row]) throw new Error(`row ${row} of the training set is another payment`)
    report(
      row,
      values.map((column) => column[row] as number | null),
    )
  }
}

/** Events in small batches through log and engine; each vector is read as of just after its own event. */
async function byStream({ payments, rows, folder, report }: Job): Promise<void> {
  const mill = await millrace({ definitions: [fraudV1], folder, checkpointMs: 5_000 })
  try {
    const wanted = new Set(rows)
    const order = payments.ids.map((_, row) => row).sort((a, b) => payments.instants[a]! - payments.instants[b]!)
    for (let from = 0; from < order.length; ) {
      // A batch spans less event time than the horizon of a read, so that each of its events can still be read at.
      const end = payments.instants[order[from]!]! + 30 * 60_000
      let to = from
      while (to < order.length && to - from < 2_000 && payments.instants[order[to]!]! < end) to += 1
      const batch = order.slice(from, to)
      await mill.ingest(
        'payments',
        batch.map((row) => rawPayment(payments, row)),
      )
      await mill.caughtUp()
      for (const row of batch) {
        if (!wanted.has(row)) continue
        const keys = { customer_id: payments.customers[row]!, terminal_id: payments.terminals[row]! }
        const { values } = mill.read(fraudV1.name, keys, { asOf: payments.instants[row]! + 1 })
        report(row, values as (number | null)[])
      }
      from = to
      if (from % 20_000 < batch.length) progress(`streamed ${from} of ${order.length}`)
    }
    const { sources, views } = mill.counts
    const total = (part: 'records' | 'accepted' | 'duplicate' | 'late' | 'refused'): number =>
      sources.reduce((sum, source) => sum + source[part], 0)
    console.log(
      `\n${total('records')} records = ${total('accepted')} accepted + ${total('duplicate')} duplicate + ${total('late')} late + ${total('refused')} refused`,
    )
    for (const [view, { applied, filtered, unkeyed }] of Object.entries(views)) {
      console.log(`${view}: ${applied} applied + ${filtered} filtered + ${unkeyed} unkeyed`)
    }
  } finally {
    await mill.close()
  }
}

function rawPayment(payments: Payments, row: number): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      transaction_id: payments.ids[row],
      ts: payments.instants[row],
      customer_id: payments.customers[row],
      terminal_id: payments.terminals[row],
      amount: payments.amounts[row],
      fraud: payments.frauds[row],
    }),
  )
}

async function readPayments(file: string): Promise<Payments> {
  const names = ['transaction_id', 'ts', 'customer_id', 'terminal_id', 'amount', 'fraud']
  const [ids, instants, customers, terminals, amounts, frauds] = await readColumns(file, names)
  return {
    ids: ids!.map(String),
    instants: instants!.map(Number),
    customers: customers!.map(Number),
    terminals: terminals!.map(Number),
    amounts: amounts!.map(Number),
    frauds: frauds!.map((fraud) => Number(fraud) === 1),
  }
}

async function readExpected(file: string): Promise<Expected> {
  const [ids, ...columns] = await readColumns(file, ['transaction_id', ...features])
  return new Map(ids!.map((id, row) => [String(id), columns.map((column) => Number(column[row]))]))
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

/** Rows that share customer and second with another row. */
function tiedRows({ instants, customers }: Payments): ReadonlySet<number> {
  const first = new Map<string, number>()
  const tied = new Set<number>()
  instants.forEach((at, row) => {
    const place = `${customers[row]} ${Math.floor(at / 1000)}`
    const other = first.get(place)
    if (other === undefined) first.set(place, row)
    else tied.add(other).add(row)
  })
  return tied
}

function dayMs(day: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(ms)) throw new Error(`"${day}" is no day: write YYYY-MM-DD`)
  return ms
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}

process.exitCode = await main()
