import { assert } from '../../base/assert.ts'
import { canonicalJson } from '../../base/hash.ts'
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

/** By spec, as canonical JSON. Few: definitions name them. */
const made = new Map<string, Aggregation>()

/**
 * The aggregation of a spec that the plan has checked: the same object for equal specs. Its states are opaque: they may
 * only go back to it.
 */
export function makeAggregation(spec: AggregationSpec): Aggregation {
  const name = canonicalJson(spec)
  const found = made.get(name) ?? opaque(chosen(spec))
  made.set(name, found)
  return found
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
