import type { Interval } from '../../model/experiment/statistics.ts'
import type { ExperimentReport } from './report.ts'

const [width, left, right, top, step] = [720, 150, 110, 64, 44]

/** Rates of the arms with their intervals, and below them the lifts over the control, as an SVG image. */
export function plotReport({ experiment, arms }: ExperimentReport): string {
  const rates = arms.flatMap(({ name, rate, interval }) =>
    rate === null || interval === null ? [] : [{ name, value: rate, interval }],
  )
  const lifts = arms.flatMap(({ name, comparison }) =>
    comparison === null ? [] : [{ name, value: comparison.lift, interval: comparison.interval }],
  )
  const second = top + rates.length * step + 70
  const height = second + Math.max(lifts.length, 1) * step + 40
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="20" y="30" font-size="17" fill="#1a1a1a">${escape(experiment)}</text>`,
    ...panel('Rate, 95 % interval', rates, { y: top, zero: false }),
    ...panel('Lift over the control, valid at every look', lifts, { y: second, zero: true }),
    '</svg>',
    '',
  ].join('\n')
}

type Row = { readonly name: string; readonly value: number; readonly interval: Interval }

function panel(
  title: string,
  rows: readonly Row[],
  { y, zero }: { readonly y: number; readonly zero: boolean },
): string[] {
  const heading = `<text x="20" y="${y - 8}" fill="#5f6368">${title}</text>`
  if (rows.length === 0) return [heading, `<text x="${left}" y="${y + 26}" fill="#5f6368">nothing to say yet</text>`]
  const ends = rows.flatMap(({ interval }) => [interval.low, interval.high]).concat(zero ? [0] : [])
  const [low, high] = [Math.min(...ends), Math.max(...ends)]
  const span = high - low || 1
  const x = (value: number): string => (left + ((value - low) / span) * (width - left - right)).toFixed(1)
  const bottom = y + rows.length * step
  const line = zero
    ? [`<line x1="${x(0)}" y1="${y}" x2="${x(0)}" y2="${bottom}" stroke="#9aa0a6" stroke-dasharray="4 3"/>`]
    : []
  const drawn = rows.flatMap(({ name, value, interval }, index) => {
    const at = y + index * step + step / 2
    const isClear = zero && (interval.low > 0 || interval.high < 0)
    const colour = zero ? (isClear ? '#188038' : '#5f6368') : index === 0 ? '#5f6368' : '#1a73e8'
    return [
      `<text x="20" y="${at + 4}" fill="#1a1a1a">${escape(name)}</text>`,
      `<line x1="${x(interval.low)}" y1="${at}" x2="${x(interval.high)}" y2="${at}" stroke="${colour}" stroke-width="3" stroke-linecap="round"/>`,
      `<circle cx="${x(value)}" cy="${at}" r="6" fill="${colour}"/>`,
      `<text x="${width - right + 16}" y="${at + 4}" fill="#1a1a1a">${percent(value, zero)}</text>`,
    ]
  })
  const axis = [low, high].map(
    (value, index) =>
      `<text x="${x(value)}" y="${bottom + 16}" fill="#5f6368" text-anchor="${index === 0 ? 'start' : 'end'}">${percent(value, zero)}</text>`,
  )
  return [heading, ...line, ...drawn, ...axis]
}

function percent(value: number, isSigned: boolean): string {
  return `${isSigned && value > 0 ? '+' : ''}${(value * 100).toFixed(2)} %`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
