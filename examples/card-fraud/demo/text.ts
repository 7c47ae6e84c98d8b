import { styleText } from 'node:util'
import type { Pair } from './compare-samples.ts'
import { featureNames } from './samples.ts'
import type { Scores, Tally } from './scorer.ts'
import type { ScoredPayment } from './snapshot.ts'

/** 1234567.8 → 1,234,568. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** Exactly what a value is, for comparing by eye. */
export function exact(value: unknown): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

export function milliseconds(value: number | null): string {
  return value === null ? '-' : `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`
}

/** 2025-06-02 13:24:05, always UTC. */
export function instant(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

/** Both sides of a pair, a line per feature. */
export function pairLines({ sample, row }: Pair): string[] {
  const cells = featureNames.map((name, index) => [name, exact(sample.values[index]), exact(row[index])] as const)
  const width = (column: 0 | 1): number => Math.max(...cells.map((cell) => cell[column].length))
  return [
    `${sampleTitle({ sample })}: served, training row`,
    ...cells.map(([name, served, trained]) => {
      const mark = served === trained ? '' : '  DIFFERENT'
      return `  ${name.padEnd(width(0))}  ${served.padEnd(width(1))}  ${trained}${mark}`
    }),
  ]
}

export function sampleTitle({ sample: { kind, customerId, terminalId, asOf } }: Pick<Pair, 'sample'>): string {
  const how = { 'with event': 'scored before it was sent', 'as of': 'read after it was sent', now: 'read at now' }[kind]
  return `customer ${customerId} at terminal ${terminalId}, ${how}, as of ${instant(asOf)}.${String(asOf % 1_000).padStart(3, '0')}`
}

/** What the features say of a payment, by name. */
export function featuresOf({ sample }: ScoredPayment): Readonly<Record<string, unknown>> {
  return Object.fromEntries(featureNames.map((name, index) => [name, sample.values[index]]))
}

/** Scenario → what the fraud is about. */
export const fraudNames = ['', 'amount', 'terminal', 'card'] as const

/** A line per model: who answers, and what came of its scores. */
export function scoreLines({ champion, challenger, swappedAt, auc }: Scores): string[] {
  if (champion.scored + champion.unscored === 0) return []
  const line = (tally: Tally, role: string, area: number | null): string => {
    const { model, scored, caught, missed, falseAlarms } = tally
    const shown = area === null ? '' : `, AUC ${area.toFixed(3)}`
    return `${model} ${role}: ${count(scored)} scored, ${caught} of ${caught + missed} frauds caught, ${falseAlarms} false alarms${shown}`
  }
  const roles = swappedAt === null ? ['answers', 'runs beside'] : ['answered first', `since ${instant(swappedAt)}`]
  return [line(champion, roles[0]!, auc.champion), line(challenger, roles[1]!, auc.challenger)]
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Colours, or none: a terminal that takes them, and nobody who asked for NO_COLOR. */
export type Palette = Readonly<Record<Style, (text: string) => string>>

export function makePalette(colored: boolean): Palette {
  const paint = (style: Style) => (text: string) =>
    colored && text !== '' ? styleText(style, text, { validateStream: false }) : text
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    red: paint('red'),
    green: paint('green'),
    yellow: paint('yellow'),
    cyan: paint('cyan'),
  }
}

const escape = String.fromCharCode(27)
const pieces = new RegExp(`${escape}\\[[0-9;]*m|[^${escape}]`, 'gu')

/** Cuts a line to what a terminal shows in `width` columns; styles take no room and are ended. */
export function fit(line: string, width: number): string {
  let room = width
  let fitted = ''
  for (const [piece] of line.matchAll(pieces)) {
    if (piece.startsWith(escape)) fitted += piece
    else if (room > 0) {
      fitted += piece
      room -= 1
    }
  }
  return fitted
}
