import type { AggregateCall, Expression, Literal, Operator, OperatorOptions, Precision } from '../schema/expression.ts'
import {
  orNull,
  type Place,
  readList,
  readNumber,
  readObject,
  readOneOf,
  readText,
  refuse,
  refuseValue,
} from './json-reader.ts'

/** How deep a tree may be, aggregate calls and what is inside them counted along: all who walk it are recursive. */
export const expressionDepthMax = 256
/** Of the arguments of `case`, and of the values of `in`, `oneHot` and `bucketize`. */
const listCountMax = 1_000

/** How many arguments the builder gives to each operator. `case` has pairs of condition and result, then a result. */
const arity: Readonly<Record<Operator, 1 | 2 | 'pairs and one'>> = {
  add: 2,
  subtract: 2,
  multiply: 2,
  divide: 2,
  negate: 1,
  abs: 1,
  round: 1,
  log: 1,
  sqrt: 1,
  eq: 2,
  ne: 2,
  lt: 2,
  lte: 2,
  gt: 2,
  gte: 2,
  in: 1,
  and: 2,
  or: 2,
  not: 1,
  isNull: 1,
  coalesce: 2,
  case: 'pairs and one',
  number: 1,
  hour: 1,
  dayOfWeek: 1,
  isWeekend: 1,
  oneHot: 1,
  bucketize: 1,
}

const operators = Object.keys(arity) as Operator[]
const aggregations = 'count sum mean variance stddev min max first last latest lastK distinctCount'.split(' ')

/**
 * A tree that is made of nothing but what an author's builder makes: known operators with their number of arguments,
 * plain literals, no member too many. What it means, types and names, the plan checks. Reads trees as well as JSON.
 */
export function readExpression(place: Place, depth = 0): Expression {
  if (depth > expressionDepthMax) refuse(place, 'an expression inside too many others', `${expressionDepthMax} levels`)
  const { op } = readHead(place)
  switch (op) {
    case 'field':
      return { op, name: readText(readObject(place, ['op', 'name']).name) }
    case 'literal':
      return { op, value: readLiteral(readObject(place, ['op', 'value']).value) }
    case 'aggregate':
      return { op, call: readCall(readObject(place, ['op', 'call']).call, depth + 1) }
    default: {
      const node = readObject(place, ['op', 'args', 'options?'])
      const args = readArguments(node.args, op).map((arg) => readExpression(arg, depth + 1))
      return node.options.value === undefined ? { op, args } : { op, args, options: readOptions(node.options) }
    }
  }
}

function readHead(place: Place): { op: Expression['op'] } {
  const { op } = readObject(place, ['op', 'name?', 'value?', 'call?', 'args?', 'options?'])
  return { op: readOneOf(op, ['field', 'literal', 'aggregate', ...operators]) }
}

function readArguments(place: Place, op: Operator): readonly Place[] {
  const args = readList(place, listCountMax)
  const wanted = arity[op]
  const fits = wanted === 'pairs and one' ? args.length >= 3 && args.length % 2 === 1 : args.length === wanted
  return fits ? args : refuse(place, `${args.length} arguments of "${op}"`, String(wanted))
}

function readLiteral(place: Place): Literal {
  const { value } = place
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  return typeof value === 'number'
    ? readNumber(place)
    : refuseValue(place, 'a finite number, a string, true, false or null')
}

function readOptions(place: Place): OperatorOptions {
  const { zone, values, boundaries } = readObject(place, ['zone?', 'values?', 'boundaries?'])
  return {
    ...(zone.value === undefined ? {} : { zone: readText(zone) }),
    ...(values.value === undefined ? {} : { values: readList(values, listCountMax).map(readLiteral) }),
    ...(boundaries.value === undefined ? {} : { boundaries: readList(boundaries, listCountMax).map(readNumber) }),
  }
}

function readCall(place: Place, depth: number): AggregateCall {
  const call = readObject(place, ['name', 'input', 'filter', 'window', 'options'])
  const { over, offset, precision } = readObject(call.window, ['over', 'offset', 'precision?'])
  const { k, cap, of } = readObject(call.options, ['k?', 'cap?', 'of?'])
  const tree = (at: Place): Expression => readExpression(at, depth)
  return {
    name: readOneOf(call.name, aggregations),
    input: orNull(call.input, tree),
    filter: orNull(call.filter, tree),
    window: {
      over: readText(over),
      offset: orNull(offset, readText),
      ...(precision.value === undefined ? {} : { precision: readPrecision(precision) }),
    },
    options: {
      ...(k.value === undefined ? {} : { k: readNumber(k) }),
      ...(cap.value === undefined ? {} : { cap: readNumber(cap) }),
      ...(of.value === undefined ? {} : { of: readOneOf(of, ['sample', 'population']) }),
    },
  }
}

function readPrecision(place: Place): Precision {
  return { sawtooth: readText(readObject(place, ['sawtooth']).sawtooth) }
}
