import pc from 'picocolors'
import { MillraceError, messageOf } from '../base/faults.ts'
import { quoteHint } from './options.ts'
import { makeProgress, type Progress } from './progress.ts'
import { visible } from './visible.ts'

/** Rows under a head, columns aligned; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(visible))
  const widths = head.map((_, column) => Math.max(...[head, ...shown].map((row) => (row[column] ?? '').length)))
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => /^-?[\d.,]*$/.test(row[column] ?? '')))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (numeric[column] === true ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd()
  return [pc.dim(line(head)), ...shown.map(line)].join('\n')
}

/** A feature value for people: what a number is exactly, never rounded. */
export function valueText(value: unknown): string {
  return visible(typeof value === 'string' ? value : JSON.stringify(value))
}

/** `1 event`, `2 events` */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

/** How long ago, for people: 1 ms, 20.0 s, 3.2 h, 12.5 d. */
export function ageText(ms: number): string {
  for (const [unit, unitMs] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const) {
    if (ms >= unitMs) return `${(ms / unitMs).toFixed(1)} ${unit}`
  }
  return `${ms} ms`
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** For machines: one JSON document. What JSON does not escape by itself, a terminal could still obey. */
export function printJson(value: unknown): void {
  print(visible(JSON.stringify(value, null, 2)))
}

/** What happened, what came and what to do next; never a stack trace for a fault the user can mend. */
export function printFault(error: unknown): void {
  if (error instanceof MillraceError) printRefusal(error)
  else process.stderr.write(`${pc.red('error')}: ${visible(messageOf(error))}\n`)
}

export type FaultText = { readonly code: string; readonly message: string; readonly hint: string }

/** A fault, thrown here or answered by a server, with lines of detail between what happened and what to do. */
export function printRefusal({ code, message, hint }: FaultText, details: readonly string[] = []): void {
  const advice = code === 'KEY_MALFORMED' && hint === 'Give a string.' ? `${hint} ${quoteHint}` : hint
  const lines = [`${pc.red(visible(code))}: ${visible(message)}`, ...details.map(visible), pc.dim(visible(advice))]
  process.stderr.write(`${lines.join('\n')}\n`)
}

/** The fault in the body of an answer. A server of another kind has none. */
export function faultIn(body: unknown): FaultText {
  const error = (body as { error?: Partial<FaultText> } | null)?.error
  return {
    code: error?.code ?? 'error',
    message: error?.message ?? JSON.stringify(body),
    hint: error?.hint ?? 'The server is no millrace, or of another version.',
  }
}

/** Progress of long work, on stderr. */
export function makeProgressLine(): (progress: Progress) => void {
  return makeProgress({
    isTTY: process.stderr.isTTY,
    columns: process.stderr.columns,
    write: (text) => void process.stderr.write(text),
    elapsed: () => performance.now(),
  })
}

export function endProgressLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}
