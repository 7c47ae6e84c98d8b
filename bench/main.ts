/**
 * `npm run bench` lists the benchmarks; `npm run bench -- NAME [--runs N] [--quick]` runs one and writes its result;
 * `npm run bench -- all` runs every one in a process of its own; `npm run bench -- page` writes bench/README.md and the
 * pictures again from the results.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { notHere } from './aims.ts'
import { allBenches } from './catalog.ts'
import { type Bench, makeRecord, table } from './harness.ts'
import { writePage } from './page.ts'
import type { Chart } from './plot.ts'
import { readResults, writeResult } from './results.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string' }, quick: { type: 'boolean', default: false } },
})
const { quick } = values
const runs = Number(values.runs ?? (quick ? 1 : 5))
const [name] = positionals

if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs is "${values.runs}"; give a whole number from 1`)
  process.exitCode = 1
} else if (name === 'page') {
  for (const record of readResults(quick)) writeResult(record)
  writePage(quick)
} else {
  const benches = await allBenches()
  const bench = benches.find((candidate) => candidate.name === name)
  if (name === undefined) list(benches)
  else if (name === 'all') runAll(benches)
  else if (bench !== undefined) await runBench(bench)
  else {
    console.error(`no benchmark is named "${name}"; there are ${benches.map((each) => each.name).join(', ')}`)
    process.exitCode = 1
  }
}

function list(benches: readonly Bench[]): void {
  const width = Math.max(...benches.map((each) => each.name.length))
  for (const each of benches) console.log(`${each.name.padEnd(width)}  ${each.describe}`)
}

async function runBench(bench: Bench): Promise<void> {
  const lacking = (await bench.lacks?.()) ?? null
  if (lacking !== null) {
    console.log(`${bench.name}: NOT RUN: ${lacking}`)
    return
  }
  const folder = await mkdtemp(join(tmpdir(), `millrace-bench-${bench.name}-`))
  const charts: Chart[] = []
  try {
    const rows = await bench.run({
      runs,
      quick,
      folder,
      log: (text) => console.error(text),
      chart: (chart) => charts.push(chart),
    })
    const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`
    const occasion = { date: new Date().toISOString(), command, runs, ...(quick ? { quick } : {}) }
    writeResult(await makeRecord(bench, { rows, ...(charts.length > 0 ? { charts } : {}) }, occasion))
    writePage(quick)
    console.log(`${bench.describe}\n\n${table(rows)}`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Each in a fresh process: what one leaves in the heap or teaches the compiler is none of the next one's. */
function runAll(benches: readonly Bench[]): void {
  const failed: string[] = []
  const own = process.argv.slice(2).filter((argument) => argument !== 'all')
  for (const each of benches) {
    console.log(`\n== ${each.name}`)
    const { status } = spawnSync(process.execPath, [...process.execArgv, process.argv[1]!, each.name, ...own], {
      stdio: 'inherit',
    })
    if (status !== 0) failed.push(each.name)
  }
  const names = benches.map((each) => each.name)
  for (const { what, why } of notHere(names)) console.log(`\n== ${what}\nNOT RUN: ${why}`)
  if (failed.length === 0) return
  console.error(`\nfailed: ${failed.join(', ')}`)
  process.exitCode = 1
}
