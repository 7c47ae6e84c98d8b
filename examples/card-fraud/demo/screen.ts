import { explainRejection } from './rejections.ts'
import { lookLines } from './look.ts'
import { featureNames } from './samples.ts'
import { isBalanced, type ScoredPayment, type Snapshot, totalsOf } from './snapshot.ts'
import { alarmScore } from './scorer.ts'
import {
  count,
  exact,
  featuresOf,
  fit,
  fraudNames,
  instant,
  milliseconds,
  type Palette,
  sampleTitle,
  scoreLines,
} from './text.ts'

export type ScreenSize = { readonly columns: number; readonly rows: number }

/** The whole screen as lines that fit: what there is room for, the proof and the totals before anything else. */
export function screenLines(snapshot: Snapshot, size: ScreenSize, palette: Palette): string[] {
  const look = [
    '',
    heading('LOOK from another terminal', palette),
    ...lookLines(snapshot.place).map((line) => `  ${line}`),
  ]
  const head = headLines(snapshot, palette)
  const proof = proofLines(snapshot, size, palette)
  let room = size.rows - head.length - proof.length
  const withLook = room >= look.length + 8
  if (withLook) room -= look.length
  // Each list has a blank line and a heading; the payments a second line of headings.
  const letterRows = Math.max(0, Math.min(4, Math.floor(room / 3) - 1))
  room -= letterRows === 0 ? 0 : letterRows + 2
  const paymentRows = Math.max(0, Math.min(10, room - 3))
  const lines = [
    ...head,
    ...(paymentRows === 0 ? [] : paymentLines(snapshot, paymentRows, palette)),
    ...(letterRows === 0 ? [] : letterLines(snapshot, letterRows, palette)),
    ...proof,
    ...(withLook ? look : []),
  ]
  return lines.slice(0, size.rows).map((line) => fit(line, size.columns))
}

function heading(text: string, { bold, cyan }: Palette): string {
  return bold(cyan(text))
}

function headLines(snapshot: Snapshot, palette: Palette): string[] {
  const { bold, dim, green, red, yellow } = palette
  const { counts, rates, latency, warmUp } = snapshot
  const { records, accepted, duplicate, late, refused } = totalsOf(counts)
  const balanced = isBalanced(counts) ? green('✓') : red('✗')
  const phase =
    warmUp === null ? `${bold(`${count(snapshot.speed)}×`)} real time` : `${bar(warmUp)} ${yellow('history first')}`
  const views = Object.entries(counts.views).map(
    ([view, { applied, filtered, unkeyed }]) =>
      `${label(view, palette)}${count(accepted)} = ${count(applied)} applied + ${count(filtered)} filtered + ${count(unkeyed)} unkeyed`,
  )
  return [
    `${bold('millrace')}  ${dim('card payments become fraud features')}`,
    `${label('simulated time', palette)}${bold(instant(snapshot.simulatedAt))} UTC  ${phase}`,
    `${label('payments', palette)}${bold(count(rates.now))}/s now, ${count(rates.overall)}/s overall`,
    `${label('latency', palette)}in the features after ${milliseconds(latency.visibleMsP50)} (p50), ${milliseconds(latency.visibleMsP99)} (p99); a vector read in ${milliseconds(latency.readMsP50)}`,
    `${label('records', palette)}${balanced} ${bold(count(records))} = ${count(accepted)} accepted + ${count(duplicate)} duplicate + ${count(late)} late + ${count(refused)} refused`,
    ...views,
    ...scoreLines(snapshot.scores).map((line) => `${label('model', palette)}${line}`),
  ]
}

function label(text: string, { dim }: Palette): string {
  return `${dim(text.padEnd(17))} `
}

function bar(share: number): string {
  const full = Math.round(16 * share)
  return `${'█'.repeat(full)}${'░'.repeat(16 - full)}`
}

const paymentHeads = [
  '                                       last day   last 30 days amount/  fraud here        ',
  'time     customer terminal   amount  count   mean  count   mean   mean   7 d  30 d  score  fraud',
] as const

function paymentLines({ payments }: Snapshot, rows: number, palette: Palette): string[] {
  const title = 'PAYMENTS'
  return [
    '',
    `${heading(title, palette)}${palette.dim(paymentHeads[0].slice(title.length))}`,
    palette.dim(paymentHeads[1]),
    ...payments.slice(0, rows).map((scored) => paymentLine(scored, palette)),
  ]
}

function paymentLine(scored: ScoredPayment, { red, yellow, bold, dim }: Palette): string {
  const { at, customerId, terminalId, amount, scenario } = scored.payment
  const features = featuresOf(scored)
  const number = (name: string): number => Number(features[name])
  const wholes = (name: string): string => String(number(name)).padStart(5)
  const cents = (name: string): string => number(name).toFixed(2).padStart(6)
  const risk = (name: string): string => {
    const text = `${Math.round(100 * number(name))}%`.padStart(5)
    return number(name) >= 0.2 ? yellow(text) : dim(text)
  }
  const ratio = number('c_avg_30d') === 0 ? 1 : amount / number('c_avg_30d')
  const times = `${ratio.toFixed(1)}×`.padStart(6)
  const keys = [customerId, terminalId].map((key) => String(key).padStart(8))
  const who = `${instant(at).slice(11)} ${keys.join(' ')}  ${amount.toFixed(2).padStart(7)}`
  const cells = [
    scenario === 0 ? who : red(who),
    `${wholes('c_nb_1d')} ${cents('c_avg_1d')}`,
    `${wholes('c_nb_30d')} ${cents('c_avg_30d')}`,
    `${ratio >= 3 ? yellow(times) : times} ${risk('t_risk_7d')} ${risk('t_risk_30d')}`,
    scoreCell(scored, { yellow, bold, dim }),
    scenario === 0 ? '' : bold(red(fraudNames[scenario])),
  ]
  return cells.join('  ')
}

function scoreCell({ score }: ScoredPayment, { yellow, bold, dim }: Pick<Palette, 'yellow' | 'bold' | 'dim'>): string {
  const text = (score === null ? '-' : score.toFixed(2)).padStart(5)
  return score !== null && score >= alarmScore ? bold(yellow(text)) : dim(text)
}

function letterLines({ deadLetters }: Snapshot, rows: number, palette: Palette): string[] {
  return [
    '',
    heading('DEAD LETTERS', palette),
    ...deadLetters.slice(0, rows).map((letter) => {
      const place = `${letter.topic}/${letter.partition}@${letter.offset}`
      return `  ${palette.dim(place.padEnd(18))} ${palette.yellow(letter.reason.padEnd(9))} ${explainRejection(letter)}`
    }),
  ]
}

function proofLines({ proof }: Snapshot, { columns, rows }: ScreenSize, palette: Palette): string[] {
  const { bold, dim, green, red } = palette
  const { compared, different, latest, records, seconds } = proof
  const verdict =
    different === 0
      ? green(`${count(compared)} equal, 0 different`)
      : red(`${count(compared - different)} equal, ${count(different)} different`)
  const lines = [
    '',
    `${heading('PROOF', palette)}  ${bold(count(compared))} sampled vectors compared with training rows: ${bold(verdict)}`,
  ]
  if (latest === null) return lines
  const half = Math.ceil(featureNames.length / 2)
  // Two features side by side, each: name, served, training row, sign.
  const valueWidth = Math.max(6, Math.min(22, Math.floor((columns - 2 * 16 - 4) / 4)))
  const cell = (index: number): string => {
    const name = featureNames[index]
    if (name === undefined) return ''
    const [served, trained] = [latest.sample.values[index], latest.row[index]]
    const sign = Object.is(served, trained) ? green('=') : red('≠')
    return `  ${dim(name.padEnd(10))} ${shorten(served, valueWidth)} ${sign} ${shorten(trained, valueWidth)}`
  }
  const side = `  ${'feature'.padEnd(10)} ${'served'.padEnd(valueWidth)}   ${'training row'.padEnd(valueWidth)}`
  const shown = rows < 36 ? 3 : half
  return [
    ...lines,
    `  ${sampleTitle(latest)}`,
    dim(`  the rows by another thread, from ${count(records)} records of the log on disk, in ${seconds.toFixed(1)} s`),
    dim(`${side}${side}`),
    ...Array.from({ length: shown }, (_, index) => `${cell(index)}${cell(half + index)}`),
  ]
}

function shorten(value: unknown, width: number): string {
  const text = exact(value)
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`
}
