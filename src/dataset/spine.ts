import { MillraceError } from '../base/faults.ts'
import type { KeyColumn, ViewPlan } from '../plan/plan.ts'
import type { RowValue } from '../schema/decode.ts'
import { timestamp } from '../schema/field.ts'
import type { TableReader, TableValue } from '../store/offline/table-file.ts'
import { type FileValueParser, makeFileValueParser } from './file-values.ts'

/** The rows a training set is built for: join keys, an instant, and whatever else the file has, such as labels. */
export type Spine = {
  readonly rows: number
  /** Instant of each row, epoch milliseconds. */
  readonly instants: readonly number[]
  /** Join key → its value in each row. */
  readonly keys: ReadonlyMap<string, readonly (string | number | boolean)[]>
  /** Every column as it came, in file order: all of them go into the training set. */
  readonly columns: readonly { readonly name: string; readonly values: readonly TableValue[] }[]
}

export type SpineOptions = {
  readonly path: string
  /** The column that holds the instant. */
  readonly at: string
  readonly views: readonly ViewPlan[]
}

/** Reads a spine whole. Throws `FILE_COLUMN_MISSING` and `FILE_VALUE_REFUSED`. */
export async function readSpine(table: TableReader, { path, at, views }: SpineOptions): Promise<Spine> {
  const joinKeys = new Map<string, KeyColumn>(views.flatMap((view) => view.keys.map((key) => [key.name, key])))
  for (const [column, what] of [[at, 'the instant'], ...[...joinKeys.keys()].map((name) => [name, 'a join key'])]) {
    if (table.columns.includes(column!)) continue
    const columns = table.columns.join(', ')
    throw new MillraceError('FILE_COLUMN_MISSING', { file: path, column: column!, what: what!, columns })
  }
  const columns = table.columns.map((name) => ({ name, values: [] as TableValue[] }))
  let rows = 0
  for await (const batch of table.read(table.columns)) {
    rows += batch.rows
    batch.columns.forEach((values, index) => {
      const column = columns[index]!.values
      for (let row = 0; row < batch.rows; row++) column.push(values[row]!)
    })
  }
  const valuesOf = (name: string): readonly TableValue[] => columns.find((column) => column.name === name)!.values
  const parseAll = (name: string, parse: FileValueParser): RowValue[] =>
    valuesOf(name).map((value, row) => {
      const parsed = parse(value)
      if (parsed === null || typeof parsed !== 'object') return parsed
      throw new MillraceError('FILE_VALUE_REFUSED', { file: path, row: row + 1, column: name, ...parsed })
    })
  return {
    rows,
    instants: parseAll(at, makeFileValueParser(timestamp('ms'), table.instants.has(at))) as number[],
    keys: new Map(
      [...joinKeys].map(([name, { field }]) => [
        name,
        parseAll(name, makeFileValueParser(field, table.instants.has(name))) as string[],
      ]),
    ),
    columns,
  }
}
