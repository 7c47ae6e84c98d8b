import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/faults.ts'
import type { TableBatch, TableColumn, TableValue } from './table-file.ts'

export type BatchPlace = { readonly path: string; readonly rowsBefore: number }

/**
 * What every table writer asks of a batch before it takes any of it: the declared columns in their order, of equal
 * length, each value of its column's type. Anything else is a mistake of ours. Text that has no UTF-8 is not: it comes
 * from events, and writing it would silently change it.
 */
export function checkBatch(columns: readonly TableColumn[], batch: TableBatch, place: BatchPlace): void {
  assert(batch.columns.length === columns.length, 'a batch has the columns of its table')
  for (const [c, column] of columns.entries()) {
    const values = batch.columns[c]!
    assert(values.length === batch.rows, `column "${column.name}" has a value in every row of the batch`)
    const r =
      values instanceof Float64Array ? firstUnfit(values, column) : firstMisfit[column.type](values, column.nullable)
    if (r !== -1) refuse(column, values[r] ?? null, place.rowsBefore + r + 1, place.path)
  }
}

type Values = readonly TableValue[]

const int64End = 2n ** 63n

/** Where the first value stands that the column does not take, or -1. A loop per type: every value passes here. */
const firstMisfit: Readonly<Record<TableColumn['type'], (values: Values, nullable: boolean) => number>> = {
  string: (values, nullable) => values.findIndex((value) => (value === null ? !nullable : !isText(value))),
  int64: (values, nullable) => {
    for (let r = 0; r < values.length; r++) {
      const value = values[r]!
      if (Number.isSafeInteger(value) || (value === null && nullable)) continue
      if (typeof value !== 'bigint' || value < -int64End || value >= int64End) return r
    }
    return -1
  },
  double: (values, nullable) => {
    for (let r = 0; r < values.length; r++) {
      if (typeof values[r] !== 'number' && (values[r] !== null || !nullable)) return r
    }
    return -1
  },
  boolean: (values, nullable) => values.findIndex((value) => (value === null ? !nullable : typeof value !== 'boolean')),
  timestamp: (values, nullable) => {
    for (let r = 0; r < values.length; r++) {
      if (!Number.isSafeInteger(values[r]) && (values[r] !== null || !nullable)) return r
    }
    return -1
  },
  'list<double>': (values, nullable) =>
    values.findIndex((value) => (value === null ? !nullable : !isListOf(value, (item) => typeof item === 'number'))),
  'list<boolean>': (values, nullable) =>
    values.findIndex((value) => (value === null ? !nullable : !isListOf(value, (item) => typeof item === 'boolean'))),
  'list<string>': (values, nullable) =>
    values.findIndex((value) => (value === null ? !nullable : !isListOf(value, isText))),
}

/** The same for numbers, where NaN is null. */
function firstUnfit(values: Float64Array, { name, type, nullable }: TableColumn): number {
  const isWhole = type === 'int64' || type === 'timestamp'
  assert(isWhole || type === 'double', `column "${name}" of numbers is ${type}`)
  for (let r = 0; r < values.length; r++) {
    if (Number.isNaN(values[r])) {
      if (!nullable) return r
    } else if (isWhole && !Number.isSafeInteger(values[r])) return r
  }
  return -1
}

function isListOf(value: TableValue, fits: (item: TableValue) => boolean): boolean {
  return Array.isArray(value) && value.every((item: TableValue) => item === null || fits(item))
}

function isText(value: TableValue): boolean {
  return typeof value === 'string' && value.isWellFormed()
}

function refuse(column: TableColumn, value: TableValue, row: number, file: string): never {
  const texts = Array.isArray(value) ? value : [value]
  const half = texts.some((text) => typeof text === 'string' && !text.isWellFormed())
  assert(
    half && column.type.includes('string'),
    `row ${row} of column "${column.name}" is ${nullability(column)}${column.type}`,
  )
  const came = 'text with half of a surrogate pair'
  throw new MillraceError('FILE_VALUE_REFUSED', {
    file,
    row,
    column: column.name,
    came,
    allowed: 'well-formed Unicode text',
  })
}

function nullability({ nullable }: TableColumn): string {
  return nullable ? 'null or ' : ''
}
