import type { ColumnValue } from '../aggregation.ts'
import type { KernelEvent } from '../event-columns.ts'
import type { AggregateProgram, ViewProgram } from '../program.ts'
import type { Texts } from './texts.ts'

/**
 * How an event lies in a row of doubles: its time, its tie where the program keeps ties, then one double per column.
 *
 * Null is NaN, which no event holds. Booleans are 0 and 1, texts numbers of `Texts`. A tie is an integer as it is; a
 * text among ties is its number plus a half.
 */
export type RowLayout = {
  readonly width: number
  /** Where the first column lies. */
  readonly first: number
  readonly keepsTies: boolean
  /** By column. */
  readonly kinds: readonly RowKind[]
  /** Where in a row texts lie. */
  readonly texts: readonly number[]
  /** The aggregates over a lifetime, in program order: those that need a base. */
  readonly lifetimes: readonly AggregateProgram[]
}

export type RowKind = 'number' | 'boolean' | 'text'

const layouts = new WeakMap<ViewProgram, RowLayout>()

export function layoutOf(program: ViewProgram): RowLayout {
  let layout = layouts.get(program)
  if (layout === undefined) {
    layout = makeLayout(program)
    layouts.set(program, layout)
  }
  return layout
}

function makeLayout({ columns, windows, aggregates, keepsTies }: ViewProgram): RowLayout {
  const first = keepsTies ? 2 : 1
  const kinds = columns.map(({ kind }): RowKind => (kind === 'string' ? 'text' : kind === 'boolean' ? kind : 'number'))
  return {
    width: first + columns.length,
    first,
    keepsTies,
    kinds,
    texts: kinds.flatMap((kind, column) => (kind === 'text' ? [first + column] : [])),
    lifetimes: aggregates.filter(({ window }) => windows[window]!.lengthMs === null),
  }
}

/** Writes an event; the row then holds its texts. */
export function writeRow(layout: RowLayout, texts: Texts, event: KernelEvent, row: Float64Array): void {
  row[0] = event.ts
  if (layout.keepsTies) row[1] = toTie(texts, event.tie)
  for (let column = 0; column < layout.kinds.length; column++) {
    row[layout.first + column] = toDouble(texts, event.values[column]!)
  }
}

export function toTie(texts: Texts, tie: string | number): number {
  return typeof tie === 'number' ? tie : texts.takeOnce(tie) + 0.5
}

export function toDouble(texts: Texts, value: ColumnValue): number {
  if (typeof value === 'number') return value
  if (value === null) return Number.NaN
  return typeof value === 'string' ? texts.take(value) : value ? 1 : 0
}

export function tieOf(texts: Texts, tie: number): string | number {
  return Number.isInteger(tie) ? tie : texts.at(tie - 0.5)
}

export function valueOf(kind: RowKind, texts: Texts, value: number): ColumnValue {
  if (Number.isNaN(value)) return null
  return kind === 'number' ? value : kind === 'boolean' ? value === 1 : texts.at(value)
}

/** Gives back the texts that a row holds. */
export function releaseRow(layout: RowLayout, texts: Texts, row: Float64Array, at = 0): void {
  if (layout.keepsTies && !Number.isInteger(row[at + 1]!)) texts.release(row[at + 1]! - 0.5)
  for (const place of layout.texts) {
    const number = row[at + place]!
    if (!Number.isNaN(number)) texts.release(number)
  }
}
