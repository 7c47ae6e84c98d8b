import type { ViewPlan } from '../../plan/plan.ts'
import type { RowValue } from '../../schema/decode.ts'
import type { FieldKind } from '../../schema/field.ts'
import { encodeKey } from '../../schema/key-codec.ts'
import { type BatchColumn, numberOf } from './row-batch.ts'

/** A value of a column as a row of events holds it. */
export function rowValue(kind: FieldKind, column: BatchColumn, row: number): RowValue {
  const value = column[row]!
  if (value === null || typeof value === 'string') return value
  if (Number.isNaN(value)) return null
  return kind === 'boolean' ? value === 1 : value
}

/** The column of keys from those of the join keys, in declared order; null where one of them is null. */
export function keyColumn({ keys }: Pick<ViewPlan, 'keys'>, joinKeys: readonly BatchColumn[]): BatchColumn {
  if (keys.length === 1) return joinKeys[0]!
  const kinds = keys.map(({ field }) => field.kind)
  return Array.from({ length: joinKeys[0]!.length }, (_, row) =>
    keyText(kinds, (index) => rowValue(kinds[index]!, joinKeys[index]!, row)),
  )
}

/** The key of one event as its column holds it: NaN or null where a join key is null. */
export function keyOf(kinds: readonly FieldKind[], joinKey: (index: number) => RowValue): string | number | null {
  if (kinds.length > 1) return keyText(kinds, joinKey)
  const value = joinKey(0)
  return typeof value === 'string' ? value : kinds[0] === 'string' ? null : numberOf(value)
}

function keyText(kinds: readonly FieldKind[], joinKey: (index: number) => RowValue): string | null {
  const values: (string | number | boolean)[] = []
  for (let index = 0; index < kinds.length; index++) {
    const value = joinKey(index)
    if (value === null) return null
    values.push(value)
  }
  return Buffer.from(encodeKey(kinds, values)).toString('latin1')
}
