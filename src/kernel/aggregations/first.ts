import type { Aggregation, ColumnType } from '../aggregation.ts'
import { makePick, type PickState } from './pick.ts'

/** The input of the oldest event. */
export function makeFirst(type: ColumnType): Aggregation<PickState> {
  return makePick('first', type, -1)
}
