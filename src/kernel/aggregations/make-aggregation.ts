import { assert } from '../../base/assert.ts'
import type { Aggregation, AggregationSpec, ColumnType } from '../aggregation.ts'
import { count } from './count.ts'
import { makeDistinctCount } from './distinct-count.ts'
import { makeFirst } from './first.ts'
import { makeLast } from './last.ts'
import { makeLastK } from './last-k.ts'
import { makeLatest } from './latest.ts'
import { makeMax } from './max.ts'
import { makeMean } from './mean.ts'
import { makeMin } from './min.ts'
import { makeSum } from './sum.ts'
import { makeVariance } from './variance.ts'

/**
 * The aggregation of a spec that the plan has checked. Its states are opaque: they may only go back to an aggregation
 * made from an equal spec.
 */
export function makeAggregation(spec: AggregationSpec): Aggregation {
  return opaque(chosen(spec))
}

function chosen(spec: AggregationSpec): Pick<Aggregation, 'name'> {
  switch (spec.name) {
    case 'count':
      return count
    case 'sum':
      return makeSum(numeric(spec.input))
    case 'mean':
      return makeMean(numeric(spec.input))
    case 'variance':
    case 'stddev':
      return makeVariance({ ...spec, input: numeric(spec.input) })
    case 'min':
      return makeMin(spec.input)
    case 'max':
      return makeMax(spec.input)
    case 'first':
      return makeFirst(spec.input)
    case 'last':
      return makeLast(spec.input)
    case 'lastK':
      return makeLastK(spec.input, spec.k)
    case 'distinctCount':
      return makeDistinctCount(spec.input, spec.cap)
    case 'latest':
      return makeLatest(spec.input)
  }
}

function numeric(type: ColumnType): ColumnType {
  assert(type.kind !== 'string', 'strings cannot be added up')
  return type
}

/** Each aggregation knows the type of its own state; beyond this file nobody does. */
function opaque(aggregation: Pick<Aggregation, 'name'>): Aggregation {
  return aggregation as Aggregation
}
