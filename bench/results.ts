import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { BenchRecord, BenchRow } from './harness.ts'
import { type BarChart, type Chart, chartsSvg } from './plot.ts'

const fullFolder = new URL('results/', import.meta.url)
const quickFolder = new URL('results/quick/', import.meta.url)

/** Quick figures lie apart, and in no repository: nobody shall quote them. */
export function resultsFolder(quick: boolean): URL {
  return quick ? quickFolder : fullFolder
}

/** Writes the result as JSON and, where there is something to draw, as SVG. */
export function writeResult(record: BenchRecord): void {
  const folder = resultsFolder(record.quick === true)
  mkdirSync(folder, { recursive: true })
  writeFileSync(new URL(`${record.name}.json`, folder), `${JSON.stringify(record, null, 2)}\n`)
  const charts = chartsOf(record)
  if (charts.length > 0) writeFileSync(new URL(`${record.name}.svg`, folder), chartsSvg(charts))
}

export function readResults(quick: boolean): readonly BenchRecord[] {
  const folder = resultsFolder(quick)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as BenchRecord)
}

/** Its own pictures; without any, bars of what was compared, one group for each unit. */
export function chartsOf({ rows, charts }: BenchRecord): readonly Chart[] {
  if (charts !== undefined && charts.length > 0) return charts
  const units = [...new Set(rows.filter(isCompared).map(({ unit }) => unit))]
  return units.map((unit): BarChart => {
    const bars = rows.filter((row) => isCompared(row) && row.unit === unit)
    return {
      kind: 'bars',
      title: 'Medians',
      unit,
      bars: bars.map(({ what, side, value }) => ({ name: what, role: side === 'peer' ? 'peer' : 'ours', value })),
    }
  })
}

function isCompared({ side }: BenchRow): boolean {
  return side === 'ours' || side === 'peer'
}
