import type { Aggregation, ColumnType } from '../aggregation.ts'
import { type ExtremeState, makeExtreme } from './extreme.ts'

/** The smallest input. */
export function makeMin(type: ColumnType): Aggregation<ExtremeState> {
  return makeExtreme('min', type, -1)
}
