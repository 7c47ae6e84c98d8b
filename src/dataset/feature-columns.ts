import { assert } from '../base/assert.ts'
import type { FeaturePlan, ViewPlan } from '../plan/plan.ts'
import type { ValueType } from '../schema/value-type.ts'
import type { TableColumn, TableColumnValues, TableValue } from '../store/offline/table-file.ts'
import { resultKinds } from './partitions/partition-layout.ts'
import { readPlaces, type SegmentStore } from './partitions/segment-store.ts'
import { readSegment, type SegmentColumn } from './partitions/segment.ts'

/** The column of a training set that a feature becomes. */
export function featureColumn({ name, type, nullable }: FeaturePlan): TableColumn {
  // Arithmetic beyond the largest double gives null, whatever its inputs are.
  return { name, type: columnTypeOf(type), nullable: nullable || type.kind === 'float' }
}

function columnTypeOf(type: ValueType): TableColumn['type'] {
  switch (type.kind) {
    case 'string':
    case 'boolean':
    case 'timestamp':
      return type.kind
    case 'int':
      return 'int64'
    case 'list':
      if (type.of.kind === 'boolean') return 'list<boolean>'
      return type.of.kind === 'string' ? 'list<string>' : 'list<double>'
    default:
      return 'double'
  }
}

/** Where results go back into the order of the spine's rows: a bucket is a run of rows. */
export type RowRange = { readonly bucket: number; readonly firstRow: number; readonly rows: number }

/** A view's features for a run of rows, in row order, from the results of all its partitions. */
export function featuresOf(view: ViewPlan, results: SegmentStore, range: RowRange): TableColumnValues[] {
  const { bucket, firstRow, rows } = range
  const into = view.features.map(({ type }): Float64Array | TableValue[] =>
    isNumeric(type) ? new Float64Array(rows) : Array.from({ length: rows }, () => null),
  )
  let placed = 0
  for (const bytes of readPlaces(results.places(bucket))) {
    const { columns } = readSegment(bytes, resultKinds(view))
    const [numbers, ...features] = columns
    assert(numbers?.kind === 'number', 'the first column of a result numbers the rows')
    features.forEach((column, feature) => {
      place(column, { rows: numbers.values, firstRow, type: view.features[feature]!.type, into: into[feature]! })
    })
    placed += numbers.values.length
  }
  assert(placed === rows, 'every row of the spine is in one partition of the view')
  return into
}

function isNumeric({ kind }: ValueType): boolean {
  return kind !== 'string' && kind !== 'boolean' && kind !== 'list'
}

type Placing = {
  readonly rows: Float64Array
  readonly firstRow: number
  readonly type: ValueType
  readonly into: Float64Array | TableValue[]
}

function place(column: SegmentColumn, { rows, firstRow, type, into }: Placing): void {
  if (column.kind === 'text') {
    const values: TableValue[] =
      type.kind === 'list' ? column.texts.all().map((text) => JSON.parse(text) as TableValue) : column.texts.all()
    for (let at = 0; at < rows.length; at++) {
      const place = column.places[at]!
      into[rows[at]! - firstRow] = place < 0 ? null : (values[place] as never)
    }
  } else if (into instanceof Float64Array) {
    for (let at = 0; at < rows.length; at++) into[rows[at]! - firstRow] = column.values[at]!
  } else {
    for (let at = 0; at < rows.length; at++) {
      const value = column.values[at]!
      into[rows[at]! - firstRow] = Number.isNaN(value) ? null : value === 1
    }
  }
}
