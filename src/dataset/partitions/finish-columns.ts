import type { FeatureValue } from '../../kernel/aggregation.ts'
import { type SweptColumn, sweptColumn, valueAt } from '../../kernel/sweep/swept-column.ts'
import { finishValues, isTooOld } from '../../plan/finish-view.ts'
import type { ViewPlan } from '../../plan/plan.ts'
import type { ValueType } from '../../schema/value-type.ts'

/** What the kernel found at many reads: per aggregate a column; the newest event's time, or -1; the instants. */
export type FoundColumns = {
  readonly columns: readonly SweptColumn[]
  readonly newest: Float64Array
  readonly t: Float64Array
}

/**
 * The features of a view at many reads. One that is an aggregate as it stands is that aggregate's column, but where the
 * ttl makes it empty; all others go through `finishValues` read by read, as every read of the stream does.
 */
export function finishColumns(view: ViewPlan, found: FoundColumns): SweptColumn[] {
  const computed = view.features.some(({ slot }) => slot === null) ? computeFeatures(view, found) : null
  return view.features.map(({ slot, type }, feature) =>
    slot === null
      ? sweptColumn(kindOf(type), computed![feature]!)
      : emptied(view, { ...found, column: found.columns[slot]!, empty: view.empty[feature]! }),
  )
}

function computeFeatures(view: ViewPlan, { columns, newest, t }: FoundColumns): FeatureValue[][] {
  const features = view.features.map((): FeatureValue[] => [])
  const aggregates: FeatureValue[] = columns.map(() => null)
  // What nothing is computed from stays null, and so do features that are not computed: nobody looks at them.
  const used = [...new Set(view.features.flatMap(({ slot, aggregates: own }) => (slot === null ? own : [])))]
  const computed = [...view.features.keys()].filter((feature) => view.features[feature]!.slot === null)
  for (let read = 0; read < t.length; read++) {
    for (const slot of used) aggregates[slot] = valueAt(columns[slot]!, read)
    const values = finishValues(view, { aggregates, newest: newest[read]!, t: t[read]! })
    for (const feature of computed) features[feature]!.push(values[feature]!)
  }
  return features
}

type Emptying = FoundColumns & { readonly column: SweptColumn; readonly empty: FeatureValue }

/** Without events an aggregate is empty by itself. */
function emptied(view: ViewPlan, { column, newest, t, empty }: Emptying): SweptColumn {
  if (view.ttlMs === null) return column
  const isEmpty = (read: number): boolean => newest[read]! >= 0 && isTooOld(view, t[read]! - newest[read]!)
  if (column.kind === 'list') {
    return { kind: 'list', values: column.values.map((value, read) => (isEmpty(read) ? empty : value)) }
  }
  const none = empty === null ? Number.NaN : Number(empty)
  return { ...column, values: column.values.map((value, read) => (isEmpty(read) ? none : value)) }
}

function kindOf({ kind }: ValueType): SweptColumn['kind'] {
  if (kind === 'string') return 'text'
  return kind === 'boolean' || kind === 'list' ? kind : 'number'
}
