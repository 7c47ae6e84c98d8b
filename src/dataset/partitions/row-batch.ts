/**
 * Numbers, NaN for null: whole numbers, floats, decimals scaled, timestamps in epoch milliseconds, booleans 0 or 1. Or
 * texts as they are.
 */
export type BatchColumn = Float64Array | (string | null)[]

export type ColumnKind = 'number' | 'text'

/** Rows in columns. All of equal length. */
export type RowBatch = { readonly rows: number; readonly columns: readonly BatchColumn[] }

export function makeColumn(kind: ColumnKind, rows: number): BatchColumn {
  return kind === 'number' ? new Float64Array(rows) : Array.from({ length: rows }, () => null)
}

export function kindOfColumn(column: BatchColumn): ColumnKind {
  return column instanceof Float64Array ? 'number' : 'text'
}

/** A value as a column of numbers holds it. */
export function numberOf(value: number | boolean | null): number {
  return value === null ? Number.NaN : Number(value)
}
