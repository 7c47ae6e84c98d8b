/**
 * Trains the fraud models from nothing but payments, and shows that they get the same inputs wherever they run:
 *
 *     npm run train:cards -- --python PYTHON [--out FOLDER] [--events FILE.parquet --from DAY --to DAY]
 *
 * 1. payments: simulated, or of the published data set;
 * 2. `train` computes the features of each payment, itself included: a Parquet file and its manifest;
 * 3. `train.py` fits a logistic regression and boosted trees to it, and exports ONNX;
 * 4. the same payments stream through millrace, the models score them there, and for the rows that Python kept as
 *    samples all inputs have to be equal to the bit, and the scores within 1e-6.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { compile, train } from 'millrace'
import { scoring } from '../features.ts'
import { compareWithSamples, type Samples } from './compare-samples.ts'
import { dayMs, type EventRow, publishedRows, simulatedRows, writeTables } from './prepare.ts'

const script = fileURLToPath(new URL('train.py', import.meta.url))

async function main(): Promise<number> {
  const { values: args } = parseArgs({
    options: {
      python: { type: 'string' },
      out: { type: 'string' },
      events: { type: 'string' },
      from: { type: 'string', default: '2018-06-01' },
      to: { type: 'string', default: '2018-08-15' },
      seed: { type: 'string', default: '7' },
      customers: { type: 'string', default: '1000' },
      days: { type: 'string', default: '100' },
    },
  })
  if (args.python === undefined) {
    console.error('usage: npm run train:cards -- --python PYTHON [--out FOLDER]')
    console.error('         [--events FILE.parquet [--from YYYY-MM-DD] [--to YYYY-MM-DD]]   or')
    console.error('         [--seed N] [--customers N] [--days N]   of simulated payments')
    console.error('PYTHON has what examples/card-fraud/train/requirements.txt lists.')
    return 2
  }
  const folder = await mkdtemp(join(tmpdir(), 'millrace-train-'))
  try {
    const rows =
      args.events === undefined
        ? simulatedRows({
            seed: Number(args.seed),
            startMs: Date.UTC(2024, 0, 1),
            customers: Number(args.customers),
            days: Number(args.days),
          })
        : await publishedRows(args.events, dayOf(args.from), dayOf(args.to) + dayMs)
    console.log(`${rows.length} ${args.events === undefined ? 'simulated' : 'published'} payments`)
    const out = args.out === undefined ? join(folder, 'models') : resolve(args.out)
    const set = await makeTrainingSet(rows, folder)
    const cards = args.events === undefined ? Math.ceil(Number(args.customers) / 50) : 100
    await run(args.python, [script, '--set', set, '--out', out, '--cards', String(cards)])
    const samples = JSON.parse(await readFile(join(out, 'samples.json'), 'utf8')) as Samples
    return await compare(rows, samples, { folder, models: pathToFileURL(`${out}/`) })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function makeTrainingSet(rows: readonly EventRow[], folder: string): Promise<string> {
  const files = { events: join(folder, 'payments.parquet'), spine: join(folder, 'spine.parquet') }
  await writeTables(rows, files)
  const output = join(folder, 'training.parquet')
  const { output: written, plan } = await train({
    plan: compile([scoring]),
    target: scoring.name,
    spine: files.spine,
    at: 'ts',
    inclusive: true,
    history: { files: { payments: [files.events] } },
    output,
  })
  console.log(`training set: ${written.rows} rows, plan ${plan.slice(0, 12)}`)
  return output
}

async function compare(
  rows: readonly EventRow[],
  samples: Samples,
  place: { readonly folder: string; readonly models: URL },
): Promise<number> {
  const { compared, differingInputs, largestError, unscored } = await compareWithSamples(rows, samples, place)
  console.log(`inputs: ${compared} rows of ${samples.columns.length} compared, ${differingInputs} differ`)
  for (const [name, error] of Object.entries(largestError)) {
    console.log(`${name}: scores differ from Python's by ${error.toExponential(1)} at most`)
  }
  const passed = [
    compared === samples.ids.length && compared > 0,
    differingInputs === 0,
    unscored === 0,
    ...Object.values(largestError).map((error) => error <= 1e-6),
  ]
  const failed = passed.filter((one) => !one).length
  console.log(`${passed.length - failed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}`)
}

function dayOf(day: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(ms)) throw new Error(`"${day}" is no day: write YYYY-MM-DD`)
  return ms
}

process.exitCode = await main()
