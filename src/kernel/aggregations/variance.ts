import type { Aggregation, ColumnType } from '../aggregation.ts'
import type { Dyadic } from '../exact/dyadic.ts'
import type { IntegerSum } from '../exact/integer-sum.ts'
import {
  floatPowerSums,
  makeIntegerPowerSums,
  type PowerSums,
  type PowerSumsState,
  varianceOf,
} from '../exact/power-sums.ts'
import { type Ratio, roundRatio, roundSquareRoot } from '../exact/rounding.ts'
import { numberInput, scaleOf } from './column.ts'

type VarianceAggregation = Aggregation<PowerSumsState<Dyadic>> | Aggregation<PowerSumsState<IntegerSum>>

type Kind = { readonly name: 'variance' | 'stddev'; readonly input: ColumnType; readonly of: 'sample' | 'population' }

/** The variance, or its square root, from exact power sums: one rounding, when read. */
export function makeVariance(kind: Kind): VarianceAggregation {
  return kind.input.kind === 'float'
    ? varianceOver(floatPowerSums, kind)
    : varianceOver(makeIntegerPowerSums(scaleOf(kind.input)), kind)
}

function varianceOver<Sum>(sums: PowerSums<Sum>, { name, of }: Kind): Aggregation<PowerSumsState<Sum>> {
  const lost = of === 'sample' ? 1 : 0
  const round = name === 'stddev' ? roundSquareRoot : roundVariance
  return {
    name,

    zero: sums.zero,

    add(state, input) {
      sums.add(state, numberInput(input))
      return state
    },

    remove(state, input) {
      sums.remove(state, numberInput(input))
      return state
    },

    tally: sums.ofTally === undefined ? undefined : { needs: ['sum', 'squares'], state: sums.ofTally },

    merge(left, right) {
      sums.merge(left, right)
      return left
    },

    value: (state) => (state.count <= lost ? null : round(varianceOf(sums, state, lost))),

    encode: sums.encode,

    decode: sums.decode,
  }
}

/** Of values beyond 10^154 the variance may exceed every double: null, as every result that is no ordinary number. */
function roundVariance(variance: Ratio): number | null {
  const rounded = roundRatio(variance)
  return rounded <= Number.MAX_VALUE ? rounded : null
}
