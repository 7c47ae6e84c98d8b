import { cpus, totalmem } from 'node:os'
import { readFile } from 'node:fs/promises'
import type { Chart } from './plot.ts'

/**
 * One figure of a benchmark. `value` is the median where there are samples; the note says what is in and out of it.
 */
export type BenchRow = {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly note?: string
  readonly samples?: readonly number[]
  /** Of a comparison: whose figure it is, or that it is ours over theirs. */
  readonly side?: 'ours' | 'peer' | 'ratio'
}

/** What every `bench/NAME.ts` exports. */
export type Bench = {
  readonly name: string
  /** One sentence: what is measured, against what. */
  readonly describe: string
  /** Packages whose versions belong to the result. */
  readonly peers?: readonly string[]
  /** What it lacks on this machine, in one sentence; null when it can run. Default: nothing. */
  readonly lacks?: () => string | null | Promise<string | null>
  readonly run: (context: BenchContext) => Promise<readonly BenchRow[]>
}

export type BenchContext = {
  readonly runs: number
  /** A look at the shape of things: fewer events and points, figures that nobody quotes. */
  readonly quick: boolean
  /** A folder for files, removed afterwards. */
  readonly folder: string
  /** Adds a picture to the result. Without any, the sides of its comparisons are drawn as bars. */
  readonly chart: (chart: Chart) => void
  /** Progress, for whoever waits. */
  readonly log: (text: string) => void
}

/** Measures once and returns the figure, in the unit of the comparison. */
export type Side = { readonly what: string; readonly measure: () => number | Promise<number> }

export type Comparison = {
  readonly contender: Side
  readonly peer: Side
  readonly unit: string
  readonly better: 'lower' | 'higher'
}

/**
 * Measures both sides in turn, A B A B, so that a machine that slows down slows both, and takes the ratio pair by
 * pair: above 1 the contender is that many times better. One turn of each goes before, unmeasured.
 */
export async function compare(context: BenchContext, comparison: Comparison): Promise<readonly BenchRow[]> {
  const { contender, peer, unit, better } = comparison
  const ours: number[] = []
  const theirs: number[] = []
  for (let run = -1; run < context.runs; run++) {
    const our = await measured(contender)
    const their = await measured(peer)
    if (run < 0) continue
    ours.push(our)
    theirs.push(their)
    context.log(
      `${run + 1}/${context.runs}  ${contender.what} ${figure(our)} ${unit}, ${peer.what} ${figure(their)} ${unit}`,
    )
  }
  const ratios = ours.map((our, run) => (better === 'lower' ? theirs[run]! / our : our / theirs[run]!))
  return [
    { ...sampled(contender.what, unit, ours), side: 'ours' },
    { ...sampled(peer.what, unit, theirs), side: 'peer' },
    { ...sampled(`${contender.what} : ${peer.what}`, 'times better', ratios), side: 'ratio' },
  ]
}

/** One side alone, over as many runs. */
export async function repeat(context: BenchContext, side: Side, unit: string): Promise<BenchRow> {
  const samples: number[] = []
  for (let run = -1; run < context.runs; run++) {
    const value = await measured(side)
    if (run < 0) continue
    samples.push(value)
    context.log(`${run + 1}/${context.runs}  ${side.what} ${figure(value)} ${unit}`)
  }
  return sampled(side.what, unit, samples)
}

/** Milliseconds that `work` takes. */
export async function elapsedMs(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/**
 * Seconds of CPU that `work` takes, on all threads of this process: on a shared machine steadier than the clock on the
 * wall, and it counts what the collector and the compiler do beside the work.
 */
export function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

async function measured(side: Side): Promise<number> {
  // What one side left behind must not be collected on the other's time.
  globalThis.gc?.()
  return side.measure()
}

export function sampled(what: string, unit: string, samples: readonly number[]): BenchRow {
  return { what, unit, value: median(samples), samples }
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Aligned columns: what, median, least, greatest, unit, note. */
export function table(rows: readonly BenchRow[]): string {
  const cells = rows.map(({ what, value, unit, note = '', samples }) => {
    const spread = samples === undefined ? ['', ''] : [figure(Math.min(...samples)), figure(Math.max(...samples))]
    return [what, figure(value), ...spread, unit, note]
  })
  const lines = [['', 'median', 'min', 'max', '', ''], ...cells]
  const widths = lines[0]!.map((_, c) => Math.max(...lines.map((line) => line[c]!.length)))
  const isNumber = (c: number): boolean => c >= 1 && c <= 3
  return lines
    .map((line) =>
      line.map((cell, c) => (isNumber(c) ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!))).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Four significant digits, and no exponent. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value) || 1)))
  return value.toLocaleString('en', { maximumFractionDigits: Math.min(digits, 6), useGrouping: true })
}

export type BenchRecord = {
  readonly name: string
  readonly describe: string
  readonly date: string
  readonly command: string
  readonly runs: number
  readonly quick?: boolean
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryBytes: number }
  readonly versions: Readonly<Record<string, string>>
  readonly rows: readonly BenchRow[]
  readonly charts?: readonly Chart[]
}

export type Occasion = {
  readonly date: string
  readonly command: string
  readonly runs: number
  readonly quick?: boolean
}

export type Outcome = { readonly rows: readonly BenchRow[]; readonly charts?: readonly Chart[] }

/** What a result file holds: enough to say where and with what the figures came about. */
export async function makeRecord(bench: Bench, outcome: Outcome, occasion: Occasion): Promise<BenchRecord> {
  const versions: Record<string, string> = { node: process.versions.node, millrace: await versionIn('../package.json') }
  for (const peer of bench.peers ?? []) versions[peer] = await versionIn(`../node_modules/${peer}/package.json`)
  const processors = cpus()
  return {
    name: bench.name,
    describe: bench.describe,
    ...occasion,
    machine: { cpu: processors[0]?.model ?? 'unknown', cores: processors.length, memoryBytes: totalmem() },
    versions,
    ...outcome,
  }
}

async function versionIn(path: string): Promise<string> {
  const text = await readFile(new URL(path, import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
