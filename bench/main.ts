/** `npm run bench` lists the benchmarks; `npm run bench -- NAME [--runs N]` runs one and writes its result. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, type BenchContext, makeRecord, table } from './harness.ts'

const resultsFolder = new URL('results/', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '5' } },
})
const benches = await allBenches()
const [name] = positionals
const bench = benches.find((candidate) => candidate.name === name)
const runs = Number(values.runs)

if (name === undefined) {
  const width = Math.max(...benches.map((each) => each.name.length))
  for (const each of benches) console.log(`${each.name.padEnd(width)}  ${each.describe}`)
} else if (bench === undefined) {
  console.error(`no benchmark is named "${name}"; there are ${benches.map((each) => each.name).join(', ')}`)
  process.exitCode = 1
} else if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs is "${values.runs}"; give a whole number from 1`)
  process.exitCode = 1
} else {
  await runBench(bench)
}

async function runBench(chosen: Bench): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), `millrace-bench-${chosen.name}-`))
  const context: BenchContext = { runs, folder, log: (text) => console.error(text) }
  try {
    const rows = await chosen.run(context)
    const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`
    const record = await makeRecord(chosen, rows, { date: new Date().toISOString(), command, runs })
    await mkdir(resultsFolder, { recursive: true })
    await writeFile(new URL(`${chosen.name}.json`, resultsFolder), `${JSON.stringify(record, null, 2)}\n`)
    console.log(`${chosen.describe}\n\n${table(rows)}`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The files beside this one that export what a benchmark exports. */
async function allBenches(): Promise<readonly Bench[]> {
  const found: Bench[] = []
  for (const file of (await readdir(new URL('.', import.meta.url))).toSorted()) {
    if (!file.endsWith('.ts') || file === 'main.ts') continue
    const exported: unknown = await import(new URL(file, import.meta.url).href)
    if (isBench(exported)) found.push(exported)
  }
  return found
}

function isBench(exported: unknown): exported is Bench {
  const { name: title, describe, run } = exported as Partial<Bench>
  return typeof title === 'string' && typeof describe === 'string' && typeof run === 'function'
}
