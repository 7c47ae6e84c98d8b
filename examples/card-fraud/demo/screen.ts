import { explainRejection } from './rejections.ts'
import { lookLines } from './look.ts'
import { featureNames } from './samples.ts'
import { isBalanced, type ScoredPayment, type Snapshot, totalsOf } from './snapshot.ts'
import { count, exact, featuresOf, fit, fraudNames, instant, milliseconds, type Palette, sampleTitle } from './text.ts'

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
  const balanced = isBalanced(counts) ? green('✓ nothing lost') : red('✗ DOES NOT ADD UP')
  const phase =
    warmUp === null
      ? `${bold(`${count(snapshot.speed)}×`)} real time`
      : `${yellow('45 days of history first')} ${bar(warmUp)} ${Math.floor(100 * warmUp)} %`
  return [
    `${bold('millrace')} ${dim('card payments become fraud features')}   ${bold(instant(snapshot.simulatedAt))} UTC   ${phase}`,
    '',
    `${label('payments', palette)}${bold(count(rates.now))}/s now, ${count(rates.overall)}/s overall   ${dim('in the features after')} ${milliseconds(latency.visibleMsP50)} ${dim('(p50)')} ${milliseconds(latency.visibleMsP99)} ${dim('(p99)')}   ${dim('read in')} ${milliseconds(latency.readMsP50)}`,
    `${label('records', palette)}${bold(count(records))} = ${count(accepted)} accepted + ${count(duplicate)} duplicate + ${count(late)} late + ${count(refused)} refused   ${balanced}`,
    ...Object.entries(counts.views).map(
      ([view, { applied, filtered, unkeyed }]) =>
        `${label(view, palette)}${count(applied)} applied + ${count(filtered)} filtered + ${count(unkeyed)} unkeyed`,
    ),
  ]
}

function label(text: string, { dim }: Palette): string {
  return `${dim(text.padEnd(17))} `
}

function bar(share: number): string {
  const full = Math.round(20 * share)
  return `${'█'.repeat(full)}${'░'.repeat(20 - full)}`
}

const paymentHeads = [
  '                                      last day       last 30 days    amount ÷  fraud at terminal',
  'time      customer  terminal    amount  count    mean  count    mean      mean   7d    30d       truth',
]

function paymentLines({ payments }: Snapshot, rows: number, palette: Palette): string[] {
  return [
    '',
    `${heading('PAYMENTS', palette)}${palette.dim((paymentHeads[0] ?? '').slice(8))}`,
    palette.dim(paymentHeads[1]!),
    ...payments.slice(0, rows).map((scored) => paymentLine(scored, palette)),
  ]
}

function paymentLine(scored: ScoredPayment, { red, yellow, bold, dim }: Palette): string {
  const { at, customerId, terminalId, amount, scenario } = scored.payment
  const features = featuresOf(scored)
  const number = (name: string): number => Number(features[name])
  const ratio = number('c_avg_30d') === 0 ? 1 : amount / number('c_avg_30d')
  const risk = (name: string): string => {
    const text = `${Math.round(100 * number(name))} %`.padStart(6)
    return number(name) >= 0.2 ? yellow(text) : dim(text)
  }
  const times = `${ratio.toFixed(1)}×`.padStart(8)
  const cells = [
    instant(at).slice(11),
    String(customerId).padStart(8),
    String(terminalId).padStart(8),
    amount.toFixed(2).padStart(8),
    String(number('c_nb_1d')).padStart(5),
    number('c_avg_1d').toFixed(2).padStart(6),
    String(number('c_nb_30d')).padStart(5),
    number('c_avg_30d').toFixed(2).padStart(6),
    ratio >= 3 ? yellow(times) : times,
    risk('t_risk_7d'),
    risk('t_risk_30d'),
    scenario === 0 ? '' : bold(red(`FRAUD ${fraudNames[scenario]}`)),
  ]
  if (scenario !== 0) for (let cell = 0; cell < 4; cell++) cells[cell] = red(cells[cell]!)
  return cells.join('  ')
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
  const shown = rows < 30 ? 2 : half
  return [
    ...lines,
    dim(`  ${sampleTitle(latest)}; the row from ${count(records)} records of the log, in ${seconds.toFixed(1)} s`),
    dim(`${side}${side}`),
    ...Array.from({ length: shown }, (_, index) => `${cell(index)}${cell(half + index)}`),
  ]
}

function shorten(value: unknown, width: number): string {
  const text = exact(value)
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`
}
