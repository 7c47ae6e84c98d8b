import type { ViewPlan } from '../../plan/plan.ts'
import type { FieldKind } from '../../schema/field.ts'
import type { ColumnKind } from './row-batch.ts'

/**
 * Columns of a view's events in segments: key, ts, the tie where the program keeps ties, then those of the program.
 *
 * A key of one join key that is a number is that number; any other is a text: the join key itself, or the bytes of
 * several as Latin-1.
 */
export function eventKinds(view: ViewPlan, tie: ColumnKind): ColumnKind[] {
  const ties: ColumnKind[] = view.program.keepsTies ? [tie] : []
  return [keyKind(view), 'number', ...ties, ...view.program.columns.map(({ kind }) => columnKind(kind))]
}

/** Columns of the spine in segments: key, instant, row number. */
export function spineKinds(view: Pick<ViewPlan, 'keys'>): ColumnKind[] {
  return [keyKind(view), 'number', 'number']
}

/** Columns of results in segments: row number, then a column per feature. Lists are texts of JSON. */
export function resultKinds(view: ViewPlan): ColumnKind[] {
  return [
    'number',
    ...view.features.map(
      ({ type }): ColumnKind => (type.kind === 'string' || type.kind === 'list' ? 'text' : 'number'),
    ),
  ]
}

export function keyKind({ keys }: Pick<ViewPlan, 'keys'>): ColumnKind {
  return keys.length === 1 ? columnKind(keys[0]!.field.kind) : 'text'
}

export function columnKind(kind: FieldKind): ColumnKind {
  return kind === 'string' ? 'text' : 'number'
}
