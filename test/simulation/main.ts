/**
 * Runs the simulation from the command line.
 *
 *     npm run simulate -- --seeds 1000 [--from 1000000] [--jobs 2] [--twice] [--all] [--result FILE]
 *     npm run simulate -- --seed 42 [--lives 1] [--batches 3] [--without 'slow,hang']     one seed, every step printed
 *     npm run simulate -- --mutants [--mutant NAME] [--seeds 100000] [--jobs 2]           planted bugs
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type BatchResult, runBatch } from './batch.ts'
import { type FaultKind, faultKinds } from './faults.ts'
import { huntAll } from './hunt.ts'
import { mutants } from './mutants.ts'
import { laterSeeds } from './scenario.ts'
import { inMacrotask } from './scheduler.ts'
import { replayCommand, shrink } from './shrink.ts'
import { simulate } from './simulation.ts'
import { Sometimes } from './sometimes.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: String(laterSeeds) },
    jobs: { type: 'string', default: '1' },
    seed: { type: 'string' },
    lives: { type: 'string' },
    batches: { type: 'string' },
    without: { type: 'string' },
    twice: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    result: { type: 'string' },
    json: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    mutant: { type: 'string' },
  },
})

const seeds = Number(values.seeds)
const from = Number(values.from)
const jobs = Number(values.jobs)

if (values.seed !== undefined) await replay(Number(values.seed))
else if (values.mutants || values.mutant !== undefined) await hunt()
else if (values.json) await asWorker()
else await explore()

async function replay(seed: number): Promise<void> {
  const without = values.without?.split(',') ?? []
  const strange = without.find((kind) => !faultKinds.some((known) => known === kind))
  if (strange !== undefined) throw new Error(`no kind of fault is "${strange}"; there are ${faultKinds.join(', ')}`)
  const limits = {
    lives: values.lives === undefined ? undefined : Number(values.lives),
    batches: values.batches === undefined ? undefined : Number(values.batches),
    without: without as FaultKind[],
  }
  const trace = (line: string): void => console.log(line)
  const { violation, hash, steps } = await inMacrotask(() => simulate(seed, new Sometimes(), { limits, trace }))
  console.log(
    violation === null ? `seed ${seed}: ${steps} steps, trace ${hash}, nothing to blame` : String(violation.stack),
  )
  process.exitCode = violation === null ? 0 : 1
}

async function explore(): Promise<void> {
  const startedAt = performance.now()
  const results = jobs === 1 ? [await runHere({ from, seeds })] : await runInJobs()
  const seconds = (performance.now() - startedAt) / 1_000
  const sometimes = new Sometimes()
  for (const result of results) sometimes.add(result.sometimes)
  const failures = results.flatMap((result) => result.failures)
  const total = {
    seeds: results.reduce((sum, result) => sum + result.seeds, 0),
    from,
    steps: results.reduce((sum, result) => sum + result.steps, 0),
    seconds: Math.round(seconds),
    failures,
    sometimes: sometimes.entries(),
  }
  console.log(JSON.stringify(total.sometimes, null, 2))
  console.log(`${total.seeds} seeds, ${total.steps} steps in ${total.seconds} s: ${failures.length} failed`)
  if (values.result !== undefined) writeFileSync(values.result, `${JSON.stringify(total, null, 2)}\n`)
  for (const { seed, property, message } of failures.slice(0, 10)) {
    console.error(`\nseed ${seed}: ${message}`)
    console.error(`  ${replayCommand(seed)}`)
    console.error(`  ${replayCommand(seed, await shrink(seed, property))}   (smaller)`)
  }
  process.exitCode = failures.length === 0 ? 0 : 1
}

async function runHere(range: { readonly from: number; readonly seeds: number }): Promise<BatchResult> {
  const startedAt = performance.now()
  let shownAt = startedAt
  return await runBatch({
    ...range,
    twice: values.twice,
    stops: !values.all,
    onProgress: (done, failures) => {
      const now = performance.now()
      if (now - shownAt < 5_000) return
      shownAt = now
      const rate = (done / (now - startedAt)) * 1_000
      // What was run so far is kept, should this be ended early.
      const soFar = { from: range.from, seeds: done, seconds: Math.round((now - startedAt) / 1_000), failures }
      if (values.result !== undefined) writeFileSync(`${values.result}.partial`, `${JSON.stringify(soFar, null, 2)}\n`)
      process.stderr.write(`${done} of ${range.seeds} seeds, ${rate.toFixed(0)}/s, ${failures.length} failed\n`)
    },
  })
}

/** One process of several: says its result as one line of JSON. */
async function asWorker(): Promise<void> {
  process.stdout.write(`${JSON.stringify(await runHere({ from, seeds }))}\n`)
}

async function runInJobs(): Promise<BatchResult[]> {
  const share = Math.ceil(seeds / jobs)
  return await Promise.all(
    Array.from({ length: jobs }, async (_, job) => {
      const flags = [...(values.twice ? ['--twice'] : []), ...(values.all ? ['--all'] : [])]
      return await runWorker(['--from', String(from + job * share), '--seeds', String(share), ...flags])
    }),
  )
}

async function runWorker(args: readonly string[]): Promise<BatchResult> {
  const file = fileURLToPath(import.meta.url)
  const child = spawn(process.execPath, ['--conditions=millrace-source', file, '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  await new Promise((resolve) => child.on('close', resolve))
  return JSON.parse(output) as BatchResult
}

async function hunt(): Promise<void> {
  const chosen = mutants.filter(({ name }) => values.mutant === undefined || name === values.mutant)
  if (chosen.length === 0) throw new Error(`no mutant is called "${values.mutant}"`)
  const found = await huntAll(chosen, {
    from,
    seedsMax: seeds,
    jobs,
    onFound: (one) => console.log(JSON.stringify(one)),
  })
  const counts = found.map(({ seeds: needed }) => needed ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)
  const caught = found.filter(({ seeds: needed }) => needed !== null).length
  const summary = {
    mutants: found.length,
    caught,
    medianSeeds: counts[Math.floor(counts.length / 2)] ?? 0,
    maxSeeds: counts.at(-1) ?? 0,
    found,
  }
  console.log(`${caught} of ${found.length} caught; seeds: median ${summary.medianSeeds}, max ${summary.maxSeeds}`)
  if (values.result !== undefined) writeFileSync(values.result, `${JSON.stringify(summary, null, 2)}\n`)
  process.exitCode = caught === found.length ? 0 : 1
}
