import type { FeatureValue } from '../kernel/aggregation.ts'
import type { FeatureStatus } from '../plan/finish-view.ts'
import type { VectorShape } from './prepared-vector.ts'

/**
 * The vectors of some entities, one after the other. Whoever fills them uses the arrays again for the next request, so
 * they may be longer than what counts: value `j` of vector `i` is `values[i * width + j]`, `width` being the number of
 * names.
 */
export type VectorRows = {
  shape: VectorShape
  /** How many vectors there are. */
  size: number
  /** Of all vectors; `'latest'` when each has its own. */
  instant: number | 'latest'
  /** What the values have seen: stream → next offset per partition. */
  prefix: Readonly<Record<string, readonly number[]>>
  /** By vector. */
  asOf: number[]
  values: FeatureValue[]
  /** Whether status and age were asked for; otherwise those arrays say nothing. */
  full: boolean
  status: FeatureStatus[]
  ageMs: (number | null)[]
}

const emptyShape: VectorShape = { service: null, names: [], types: [], views: [] }

export function makeVectorRows(): VectorRows {
  return {
    shape: emptyShape,
    size: 0,
    instant: 0,
    prefix: {},
    asOf: [],
    values: [],
    full: false,
    status: [],
    ageMs: [],
  }
}

/** Values beyond which the memory of one large request is not kept for the next ones. */
const keptMax = 64 * 1024

export function clearRows(rows: VectorRows): void {
  rows.size = 0
  if (rows.values.length <= keptMax) return
  rows.values = []
  rows.status = []
  rows.ageMs = []
}
