import type { Aggregation, ColumnType } from '../aggregation.ts'
import { type ExtremeState, makeExtreme } from './extreme.ts'

/** The largest input. */
export function makeMax(type: ColumnType): Aggregation<ExtremeState> {
  return makeExtreme('max', type, 1)
}
