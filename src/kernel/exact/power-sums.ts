import type { ByteReader, ByteWriter } from '../../base/bytes.ts'
import type { Tally } from '../aggregation.ts'
import {
  addDyadic,
  type Dyadic,
  decodeDyadic,
  dyadicOf,
  encodeDyadic,
  makeDyadic,
  squareDyadic,
  subtractDyadic,
} from './dyadic.ts'
import {
  addInteger,
  addIntegerSum,
  addWideInteger,
  decodeIntegerSum,
  encodeIntegerSum,
  type IntegerSum,
  integerOf,
  integerSumOf,
  makeIntegerSum,
} from './integer-sum.ts'
import type { Ratio } from './rounding.ts'

/**
 * Count, Σx and Σx², all exact. Whatever depends on these alone, such as a variance, can then be rounded once, and
 * what was added can be taken back: the textbook formula cancels badly only when its sums are rounded.
 */
export interface PowerSums<Sum> {
  readonly zero: () => PowerSumsState<Sum>
  /** Adds a value that is exact in the column's own unit. */
  readonly add: (state: PowerSumsState<Sum>, value: number) => void
  readonly remove: (state: PowerSumsState<Sum>, value: number) => void
  /** As `Aggregation.tally` has it. */
  readonly ofTally?: (tally: Tally) => PowerSumsState<Sum> | null
  /** Leaves `right` alone. */
  readonly merge: (left: PowerSumsState<Sum>, right: PowerSumsState<Sum>) => void
  /** `count · Σx² − (Σx)²`, which is `count²` times the variance of the population. */
  readonly spread: (state: PowerSumsState<Sum>) => Ratio
  readonly encode: (state: PowerSumsState<Sum>, writer: ByteWriter) => void
  readonly decode: (reader: ByteReader) => PowerSumsState<Sum>
}

export type PowerSumsState<Sum> = { count: number; readonly sum: Sum; readonly squares: Sum }

/** Of a state with more than `lost` values. The sample variance loses one degree of freedom, the population's none. */
export function varianceOf<Sum>(sums: PowerSums<Sum>, state: PowerSumsState<Sum>, lost: 0 | 1): Ratio {
  const { numerator, denominator } = sums.spread(state)
  return { numerator, denominator: denominator * BigInt(state.count) * BigInt(state.count - lost) }
}

/** For safe integers that stand for `value / 10^scale`. */
export function makeIntegerPowerSums(scale: number): PowerSums<IntegerSum> {
  const unit = 10n ** BigInt(2 * scale)
  return {
    zero: () => ({ count: 0, sum: makeIntegerSum(), squares: makeIntegerSum() }),

    add(state, value) {
      state.count += 1
      addInteger(state.sum, value)
      const square = value * value
      if (square <= Number.MAX_SAFE_INTEGER) addInteger(state.squares, square)
      else addWideInteger(state.squares, BigInt(value) ** 2n)
    },

    remove(state, value) {
      state.count -= 1
      addInteger(state.sum, -value)
      const square = value * value
      if (square <= Number.MAX_SAFE_INTEGER) addInteger(state.squares, -square)
      else addWideInteger(state.squares, -(BigInt(value) ** 2n))
    },

    ofTally(tally) {
      const sum = integerSumOf(tally)
      const squares = integerSumOf({ sum: tally.squares, magnitude: tally.squares })
      return sum === null || squares === null ? null : { count: tally.count, sum, squares }
    },

    merge(left, right) {
      left.count += right.count
      addIntegerSum(left.sum, right.sum)
      addIntegerSum(left.squares, right.squares)
    },

    spread({ count, sum, squares }) {
      return { numerator: BigInt(count) * integerOf(squares) - integerOf(sum) ** 2n, denominator: unit }
    },

    encode({ count, sum, squares }, writer) {
      writer.varint(count)
      encodeIntegerSum(sum, writer)
      encodeIntegerSum(squares, writer)
    },

    decode: (reader) => ({
      count: reader.varint(),
      sum: decodeIntegerSum(reader),
      squares: decodeIntegerSum(reader),
    }),
  }
}

/**
 * For finite doubles. The squares go from 2^-2148 to 2^2048, far beyond doubles at both ends, so both sums are binary
 * fractions over a bigint. They are as long as the range of the values added: about 120 bits for like numbers, at
 * most 4,200.
 */
export const floatPowerSums: PowerSums<Dyadic> = {
  zero: () => ({ count: 0, sum: makeDyadic(), squares: makeDyadic() }),

  add(state, value) {
    const exact = dyadicOf(value)
    state.count += 1
    addDyadic(state.sum, exact)
    addDyadic(state.squares, squareDyadic(exact))
  },

  remove(state, value) {
    const exact = dyadicOf(value)
    state.count -= 1
    subtractDyadic(state.sum, exact)
    subtractDyadic(state.squares, squareDyadic(exact))
  },

  merge(left, right) {
    left.count += right.count
    addDyadic(left.sum, right.sum)
    addDyadic(left.squares, right.squares)
  },

  spread({ count, sum, squares }) {
    const spread = { mantissa: BigInt(count) * squares.mantissa, exponent: squares.exponent }
    subtractDyadic(spread, squareDyadic(sum))
    const shift = BigInt(Math.abs(spread.exponent))
    return spread.exponent < 0
      ? { numerator: spread.mantissa, denominator: 1n << shift }
      : { numerator: spread.mantissa << shift, denominator: 1n }
  },

  encode({ count, sum, squares }, writer) {
    writer.varint(count)
    encodeDyadic(sum, writer)
    encodeDyadic(squares, writer)
  },

  decode: (reader) => ({ count: reader.varint(), sum: decodeDyadic(reader), squares: decodeDyadic(reader) }),
}
