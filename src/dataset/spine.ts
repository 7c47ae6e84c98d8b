import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/faults.ts'
import type { KeyColumn, ViewPlan } from '../plan/plan.ts'
import { timestamp } from '../schema/field.ts'
import type { TableBatch, TableColumn, TableColumnValues, TableReader } from '../store/offline/table-file.ts'
import { numbersFrom, parseFileColumn } from './file-values.ts'
import { BlockWriter } from './partitions/block-writer.ts'
import { keyColumn } from './partitions/key-column.ts'
import { spineKinds } from './partitions/partition-layout.ts'
import type { BatchColumn } from './partitions/row-batch.ts'
import type { SegmentStore } from './partitions/segment-store.ts'

/**
 * The rows a training set is built for: join keys, an instant, and whatever else the file has, such as labels. It is
 * read twice: once for keys and instants, and once more when everything in it goes into the training set.
 */
export type Spine = { readonly path: string; readonly table: TableReader; readonly at: string }

/** What the first reading tells. */
export type SpineSummary = {
  readonly rows: number
  /** All columns of the file, in file order, each of the narrowest type that holds its values. */
  readonly columns: readonly TableColumn[]
}

/** Names the keys of a view within a spine: views of equal names find their keys in the same columns. */
export function spineKeyName({ keys }: Pick<ViewPlan, 'keys'>): string {
  return JSON.stringify(keys.map(({ name, field: { kind, scale } }) => [name, kind, scale]))
}

export type SpineReading = {
  readonly views: readonly ViewPlan[]
  /** By `spineKeyName`: where the rows go. */
  readonly stores: ReadonlyMap<string, SegmentStore>
  readonly onRead: (rows: number) => void
}

/** Throws `FILE_COLUMN_MISSING` and `FILE_VALUE_REFUSED`. */
export async function readSpine({ path, table, at }: Spine, reading: SpineReading): Promise<SpineSummary> {
  const { views, stores, onRead } = reading
  const joinKeys = new Map<string, KeyColumn>(views.flatMap((view) => view.keys.map((key) => [key.name, key])))
  for (const [column, what] of [[at, 'the instant'], ...[...joinKeys.keys()].map((name) => [name, 'a join key'])]) {
    if (table.columns.includes(column!)) continue
    const columns = table.columns.join(', ')
    throw new MillraceError('FILE_COLUMN_MISSING', { file: path, column: column!, what: what!, columns })
  }
  const targets = [...stores].map(([name, store]) => {
    const view = views.find((one) => spineKeyName(one) === name)
    assert(view !== undefined, 'a store is for the keys of a view')
    return { view, writer: new BlockWriter(spineKinds(view), store) }
  })
  const types = table.columns.map(() => new TypeOfColumn())
  let rows = 0
  for await (const batch of numbersFrom(table, table.columns)) {
    batch.columns.forEach((values, column) => types[column]!.add(values))
    const parse = (column: string, field: KeyColumn['field']): BatchColumn =>
      parseFileColumn(batch.columns[table.columns.indexOf(column)]!, {
        field,
        holdsInstants: table.instants.has(column),
        place: { file: path, column, firstRow: rows + 1 },
      })
    const instants = parse(at, timestamp('ms'))
    const keys = new Map([...joinKeys].map(([name, { field }]) => [name, parse(name, field)]))
    const numbers = Float64Array.from({ length: batch.rows }, (_, index) => rows + index)
    for (const { view, writer } of targets) {
      const key = keyColumn(
        view,
        view.keys.map(({ name }) => keys.get(name)!),
      )
      writer.add([key, instants, numbers], null)
    }
    rows += batch.rows
    onRead(rows)
  }
  for (const { writer } of targets) writer.flush()
  return { rows, columns: table.columns.map((name, column) => types[column]!.column(name)) }
}

/** The spine again, as it goes into the training set. */
export async function* spineBatches(
  { path, table }: Spine,
  { rows, columns }: SpineSummary,
): AsyncGenerator<TableBatch> {
  let read = 0
  for await (const batch of numbersFrom(table, table.columns)) {
    read += batch.rows
    const typed = batch.columns.map((values, column) => asType(values, columns[column]!))
    yield { rows: batch.rows, columns: typed }
  }
  if (read !== rows)
    throw new MillraceError('FILE_UNREADABLE', { file: path, detail: 'it has changed since it was read' })
}

function asType(values: TableColumnValues, { type }: TableColumn): TableColumnValues {
  if (type !== 'string' || values instanceof Float64Array) return values
  return values.map((value) => (value === null || typeof value === 'string' ? value : JSON.stringify(value)))
}

/** The narrowest type that holds every value of a column; text of whole numbers (CSV) stays text. */
class TypeOfColumn {
  #present = false
  #nullable = false
  #booleans = true
  #integers = true
  #numbers = true

  add(values: TableColumnValues): void {
    if (values instanceof Float64Array) {
      this.#addNumbers(values)
      return
    }
    for (const value of values) {
      if (value === null) {
        this.#nullable = true
        continue
      }
      this.#present = true
      this.#booleans &&= typeof value === 'boolean'
      this.#integers &&= typeof value === 'bigint' || Number.isSafeInteger(value)
      this.#numbers &&= typeof value === 'bigint' || typeof value === 'number'
    }
  }

  #addNumbers(values: Float64Array): void {
    for (let row = 0; row < values.length; row++) {
      const value = values[row]!
      if (Number.isNaN(value)) {
        this.#nullable = true
        continue
      }
      this.#present = true
      this.#booleans = false
      if (!Number.isSafeInteger(value)) this.#integers = false
    }
  }

  column(name: string): TableColumn {
    const { type } = this
    return { name, type, nullable: this.#nullable }
  }

  get type(): TableColumn['type'] {
    if (!this.#present) return 'string'
    if (this.#booleans) return 'boolean'
    if (this.#integers) return 'int64'
    return this.#numbers ? 'double' : 'string'
  }
}
