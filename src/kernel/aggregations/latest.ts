import type { Aggregation, ColumnType } from '../aggregation.ts'
import { makePick, type PickState } from './pick.ts'

/** The input of the newest event, where null is an input like any other: a row that was emptied reads as null. */
export function makeLatest(type: ColumnType): Aggregation<PickState> {
  return makePick('latest', type, 1)
}
