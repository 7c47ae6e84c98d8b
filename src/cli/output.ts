import pc from 'picocolors'
import { MillraceError, messageOf } from '../base/faults.ts'

/** Rows under a head, columns aligned; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)))
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => /^-?[\d.,]*$/.test(row[column] ?? '')))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (numeric[column] === true ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd()
  return [pc.dim(line(head)), ...rows.map(line)].join('\n')
}

/** A feature value for people: what a number is exactly, never rounded. */
export function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** For machines: one JSON document. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}

/** What happened, what came and what to do next; never a stack trace for a fault the user can mend. */
export function printFault(error: unknown): void {
  if (error instanceof MillraceError) {
    process.stderr.write(`${pc.red(`${error.code}`)}: ${error.message}\n${pc.dim(error.hint)}\n`)
    return
  }
  process.stderr.write(`${pc.red('error')}: ${messageOf(error)}\n`)
}

/** Progress of long work on one line of the terminal; silent where nobody watches. */
export function makeProgressLine(): (progress: { phase: string; done: number; total: number | null }) => void {
  if (!process.stderr.isTTY) return () => undefined
  let startedAt = performance.now()
  let phase = ''
  return ({ phase: current, done, total }) => {
    if (current !== phase) {
      startedAt = performance.now()
      phase = current
    }
    const seconds = (performance.now() - startedAt) / 1_000
    const rate = seconds > 0.2 ? ` ${Math.round(done / seconds).toLocaleString('en')}/s` : ''
    const share =
      total === null || total === 0 ? '' : ` of ${total.toLocaleString('en')} (${Math.floor((100 * done) / total)} %)`
    process.stderr.write(`\r\u001b[K${pc.dim(`${phase}: ${done.toLocaleString('en')}${share}${rate}`)}`)
  }
}

export function endProgressLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}
