import type { Aggregation, ColumnType } from '../aggregation.ts'
import {
  addFloat,
  addFloatSum,
  decodeFloatSum,
  divideFloat,
  encodeFloatSum,
  type FloatSum,
  makeFloatSum,
} from '../exact/float-sum.ts'
import {
  addInteger,
  addIntegerSum,
  decodeIntegerSum,
  divideInteger,
  encodeIntegerSum,
  type IntegerSum,
  integerSumOf,
  makeIntegerSum,
} from '../exact/integer-sum.ts'
import { numberInput, scaleOf } from './column.ts'

type MeanState<Sum> = { count: number; readonly sum: Sum }

/** The exact sum divided by the count: one rounding, when read. Of booleans: the share that is true. */
export function makeMean(type: ColumnType): Aggregation<MeanState<FloatSum>> | Aggregation<MeanState<IntegerSum>> {
  return type.kind === 'float' ? floatMean : makeIntegerMean(scaleOf(type))
}

const floatMean: Aggregation<MeanState<FloatSum>> = {
  name: 'mean',

  zero: () => ({ count: 0, sum: makeFloatSum() }),

  add(state, input) {
    state.count += 1
    addFloat(state.sum, input as number)
    return state
  },

  remove(state, input) {
    state.count -= 1
    addFloat(state.sum, -(input as number))
    return state
  },

  merge(left, right) {
    left.count += right.count
    addFloatSum(left.sum, right.sum)
    return left
  },

  value: ({ count, sum }) => (count === 0 ? null : divideFloat(sum, count)),

  encode({ count, sum }, writer) {
    writer.varint(count)
    encodeFloatSum(sum, writer)
  },

  decode: (reader) => ({ count: reader.varint(), sum: decodeFloatSum(reader) }),
}

function makeIntegerMean(scale: number): Aggregation<MeanState<IntegerSum>> {
  return {
    name: 'mean',

    zero: () => ({ count: 0, sum: makeIntegerSum() }),

    add(state, input) {
      state.count += 1
      addInteger(state.sum, numberInput(input))
      return state
    },

    remove(state, input) {
      state.count -= 1
      addInteger(state.sum, -numberInput(input))
      return state
    },

    tally: {
      needs: ['sum'],
      state(tally) {
        const sum = integerSumOf(tally)
        return sum === null ? null : { count: tally.count, sum }
      },
    },

    merge(left, right) {
      left.count += right.count
      addIntegerSum(left.sum, right.sum)
      return left
    },

    value: ({ count, sum }) => (count === 0 ? null : divideInteger(sum, count, scale)),

    encode({ count, sum }, writer) {
      writer.varint(count)
      encodeIntegerSum(sum, writer)
    },

    decode: (reader) => ({ count: reader.varint(), sum: decodeIntegerSum(reader) }),
  }
}
