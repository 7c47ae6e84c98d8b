import type { Aggregation, ColumnType } from '../aggregation.ts'
import {
  addFloat,
  addFloatSum,
  decodeFloatSum,
  encodeFloatSum,
  type FloatSum,
  makeFloatSum,
  roundFloatSum,
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

/** The exact sum, rounded when read. Of booleans: how many are true. */
export function makeSum(type: ColumnType): Aggregation<FloatSum> | Aggregation<IntegerSum> {
  return type.kind === 'float' ? floatSum : makeIntegerSumOf(scaleOf(type))
}

const floatSum: Aggregation<FloatSum> = {
  name: 'sum',

  zero: makeFloatSum,

  add(state, input) {
    addFloat(state, input as number)
    return state
  },

  remove(state, input) {
    addFloat(state, -(input as number))
    return state
  },

  merge(left, right) {
    addFloatSum(left, right)
    return left
  },

  value: roundFloatSum,

  encode: encodeFloatSum,

  decode: decodeFloatSum,
}

function makeIntegerSumOf(scale: number): Aggregation<IntegerSum> {
  return {
    name: 'sum',

    zero: makeIntegerSum,

    add(state, input) {
      addInteger(state, numberInput(input))
      return state
    },

    remove(state, input) {
      addInteger(state, -numberInput(input))
      return state
    },

    tally: { needs: ['sum'], state: integerSumOf },

    merge(left, right) {
      addIntegerSum(left, right)
      return left
    },

    value: (state) => divideInteger(state, 1, scale),

    encode: encodeIntegerSum,

    decode: decodeIntegerSum,
  }
}
