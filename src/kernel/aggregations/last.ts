import type { Aggregation, ColumnType } from '../aggregation.ts'
import { makePick, type PickState } from './pick.ts'

/** The input of the newest event. */
export function makeLast(type: ColumnType): Aggregation<PickState> {
  return makePick('last', type, 1)
}
