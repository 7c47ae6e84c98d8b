import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { aims, answersTo, rowText } from './aims.ts'
import { type BenchRecord, type BenchRow, figure } from './harness.ts'
import { chartsOf, readResults, resultsFolder } from './results.ts'

/** Written by people: what remains slow, and why. */
const costs = new URL('costs.md', import.meta.url)

/** Writes the page of the results that are there: bench/README.md, or that of quick results beside them. */
export function writePage(quick: boolean): void {
  mkdirSync(resultsFolder(quick), { recursive: true })
  const page = new URL('README.md', quick ? resultsFolder(true) : import.meta.url)
  writeFileSync(page, pageOf(readResults(quick), quick ? '' : 'results/'))
}

/** @param folder where the pictures lie, seen from the page. */
export function pageOf(records: readonly BenchRecord[], folder: string): string {
  const parts = [head, aimsPart(records), ...records.map((record) => sectionOf(record, folder))]
  if (existsSync(costs)) parts.splice(2, 0, readFileSync(costs, 'utf8').trimEnd())
  return `${parts.join('\n\n')}\n`
}

const head = `# Benchmarks

Generated from \`bench/results/*.json\` by \`npm run bench -- page\`; every run of a benchmark writes it anew.
\`npm run bench -- all\` measures everything, \`npm run bench -- NAME\` one, \`--quick\` a small version of it.

Figures are medians. A ratio is taken pair by pair from turns A B A B in one run, after one turn of each that is not
counted: it is what to trust, since the machine is shared and its speed varies. In pictures peers are orange and dashed.`

function aimsPart(records: readonly BenchRecord[]): string {
  const rows = aims.map((aim) => {
    const answers = answersTo(aim, records)
    const measured =
      answers.length === 0
        ? `not measured: ${aim.missing ?? `no result of \`${aim.bench}\``}`
        : answers.map(rowText).join('<br>')
    return `| ${aim.what} | ${measured} | ${aim.floor} | ${aim.aim} | ${answers.length > 0 ? `[${aim.bench}](#${aim.bench})` : aim.bench} |`
  })
  return `## What to aim for, and what is\n\n| what | measured | floor | aim | by |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}`
}

function sectionOf(record: BenchRecord, folder: string): string {
  const { name, describe, rows, command, date, runs, machine, versions } = record
  const lines = rows.map(
    ({ what, value, samples, unit, note = '' }) =>
      `| ${cell(what)} | ${figure(value)} | ${spreadOf(samples)} | ${cell(unit)} | ${cell(note)} |`,
  )
  const picture = chartsOf(record).length === 0 ? [] : [`![${name}](${folder}${name}.svg)`]
  const memory = `${Math.round(machine.memoryBytes / 2 ** 30)} GiB`
  const software = Object.entries(versions).map(([what, version]) => `${what} ${version}`)
  return [
    `## ${name}`,
    `${describe}.`,
    `\`${command}\`: ${runs} ${runs === 1 ? 'run' : 'runs'}, ${date.slice(0, 10)}, ${machine.cores} cores (${machine.cpu}), ${memory}; ${software.join(', ')}.`,
    ...picture,
    `| what | median | least to most | unit | in and out of it |\n| --- | ---: | --- | --- | --- |\n${lines.join('\n')}`,
  ].join('\n\n')
}

function spreadOf(samples: BenchRow['samples']): string {
  if (samples === undefined || samples.length === 0) return ''
  return `${figure(Math.min(...samples))} to ${figure(Math.max(...samples))}`
}

function cell(content: string): string {
  return content.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
