import { compareStrings } from '../base/compare.ts'
import type { Expression, Literal, Operator, OperatorOptions } from './expression.ts'
import { dayOfWeekOf, hourOf, makeLocalTime } from './time-parts.ts'

/** What an expression gives. Numbers are never NaN, infinite or -0. */
export type Value = string | number | boolean | null | readonly Value[]

/** An expression ready to run on contexts of one kind: a row of a stream, or the aggregate values of a vector. */
export type Evaluator<Context> = (context: Context) => Value

/** Resolves what stands at the leaves: fields of an event, or aggregations. */
export type LeafResolver<Context> = (leaf: Extract<Expression, { op: 'field' | 'aggregate' }>) => Evaluator<Context>

/** Compiles a tree into closures, once; no part of it is evaluated as code. The plan has checked its types. */
export function compileExpression<Context>(tree: Expression, leaf: LeafResolver<Context>): Evaluator<Context> {
  if (tree.op === 'field' || tree.op === 'aggregate') return leaf(tree)
  if (tree.op === 'literal') {
    const value = tree.value === 0 ? 0 : tree.value // Never -0.
    return () => value
  }
  const args = tree.args.map((arg) => compileExpression(arg, leaf))
  return compileOperator(tree.op, args, tree.options ?? {})
}

type Args<Context> = readonly Evaluator<Context>[]

function compileOperator<C>(op: Operator, args: Args<C>, options: OperatorOptions): Evaluator<C> {
  const [first = () => null, second = () => null] = args
  switch (op) {
    case 'add':
      return arithmetic(first, second, (a, b) => a + b)
    case 'subtract':
      return arithmetic(first, second, (a, b) => a - b)
    case 'multiply':
      return arithmetic(first, second, (a, b) => a * b)
    case 'divide':
      return arithmetic(first, second, (a, b) => (b === 0 ? Number.NaN : a / b))
    case 'negate':
      return unary(first, (a) => -a)
    case 'abs':
      return unary(first, Math.abs)
    case 'round':
      return unary(first, roundHalfAwayFromZero)
    case 'log':
      return unary(first, Math.log)
    case 'sqrt':
      return unary(first, Math.sqrt)
    case 'number':
      return (context) => {
        const value = first(context)
        return value === null ? null : value === true ? 1 : 0
      }
    case 'eq':
      return comparison(first, second, (order) => order === 0)
    case 'ne':
      return comparison(first, second, (order) => order !== 0)
    case 'lt':
      return comparison(first, second, (order) => order < 0)
    case 'lte':
      return comparison(first, second, (order) => order <= 0)
    case 'gt':
      return comparison(first, second, (order) => order > 0)
    case 'gte':
      return comparison(first, second, (order) => order >= 0)
    case 'hour':
    case 'dayOfWeek':
    case 'isWeekend':
      return timePart(op, first, options.zone ?? 'UTC')
    case 'in':
    case 'oneHot':
    case 'bucketize':
      return lookup(op, first, options)
    default:
      return logic(op, args)
  }
}

/** The one place where a number enters: anything that is no ordinary number becomes null, -0 becomes 0. */
function ordinary(value: number): number | null {
  return Math.abs(value) <= Number.MAX_VALUE ? value + 0 : null
}

/** A result too large for a double is the largest one: there is a number, and the type promises it. */
function saturate(value: number): number {
  return value > Number.MAX_VALUE ? Number.MAX_VALUE : value < -Number.MAX_VALUE ? -Number.MAX_VALUE : value
}

function arithmetic<C>(
  left: Evaluator<C>,
  right: Evaluator<C>,
  operate: (a: number, b: number) => number,
): Evaluator<C> {
  return (context) => {
    const a = left(context)
    const b = right(context)
    return a === null || b === null ? null : ordinary(saturate(operate(a as number, b as number)))
  }
}

function unary<C>(operand: Evaluator<C>, operate: (a: number) => number): Evaluator<C> {
  return (context) => {
    const value = operand(context)
    return value === null ? null : ordinary(operate(value as number))
  }
}

/** As SQL rounds: 0.5 to 1, -0.5 to -1. */
export function roundHalfAwayFromZero(value: number): number {
  const magnitude = Math.abs(value)
  const below = Math.floor(magnitude)
  // Compared instead of adding one half, which would itself round 0.49999999999999994 up to 1.
  const rounded = magnitude - below >= 0.5 ? below + 1 : below
  return value < 0 ? -rounded : rounded
}

function comparison<C>(left: Evaluator<C>, right: Evaluator<C>, holds: (order: number) => boolean): Evaluator<C> {
  return (context) => {
    const a = left(context)
    const b = right(context)
    return a === null || b === null ? null : holds(compareValues(a, b))
  }
}

/** Order of two values of one type. Text goes by Unicode code points. */
function compareValues(left: Value, right: Value): number {
  if (typeof left === 'string') return compareStrings(left, right as string)
  const a = Number(left)
  const b = Number(right)
  return a < b ? -1 : a > b ? 1 : 0
}

/** A part of the local time of an instant. */
export function makeTimePart(op: 'hour' | 'dayOfWeek' | 'isWeekend', zone: string): (ts: number) => number | boolean {
  const local = makeLocalTime(zone)
  return {
    hour: (ts: number) => hourOf(local(ts)),
    dayOfWeek: (ts: number) => dayOfWeekOf(local(ts)),
    isWeekend: (ts: number) => dayOfWeekOf(local(ts)) >= 6,
  }[op]
}

function timePart<C>(op: 'hour' | 'dayOfWeek' | 'isWeekend', operand: Evaluator<C>, zone: string): Evaluator<C> {
  const part = makeTimePart(op, zone)
  return (context) => {
    const ts = operand(context)
    return ts === null ? null : part(ts as number)
  }
}

function lookup<C>(op: 'in' | 'oneHot' | 'bucketize', operand: Evaluator<C>, options: OperatorOptions): Evaluator<C> {
  const values = options.values ?? []
  const boundaries = options.boundaries ?? []
  if (op === 'in') {
    const members = new Set<Literal>(values)
    return (context) => {
      const value = operand(context)
      return value === null ? null : members.has(value as Literal)
    }
  }
  if (op === 'oneHot') return (context) => oneHotOf(values, operand(context))
  return (context) => {
    const value = operand(context)
    return value === null ? null : bucketOf(boundaries, value as number)
  }
}

export function oneHotOf(categories: readonly Literal[], value: Value): number[] {
  return categories.map((category) => (category === value ? 1 : 0))
}

/** How many of the boundaries are not above a value. */
export function bucketOf(boundaries: readonly number[], value: number): number {
  let count = 0
  for (const boundary of boundaries) if (boundary <= value) count += 1
  return count
}

function logic<C>(op: Operator, args: Args<C>): Evaluator<C> {
  switch (op) {
    case 'and':
      return threeValued(args, false)
    case 'or':
      return threeValued(args, true)
    case 'not':
      return (context) => {
        const value = args[0]!(context)
        return value === null ? null : value !== true
      }
    case 'isNull':
      return (context) => args[0]!(context) === null
    case 'coalesce':
      return (context) => args[0]!(context) ?? args[1]!(context)
    case 'case':
      return (context) => {
        for (let index = 0; index + 1 < args.length; index += 2) {
          if (args[index]!(context) === true) return args[index + 1]!(context)
        }
        return args.at(-1)!(context)
      }
    default:
      throw new TypeError(`operator "${op}" has no meaning`)
  }
}

/** `deciding` alone decides (false for `and`, true for `or`); else null if any is null. */
function threeValued<C>(args: Args<C>, deciding: boolean): Evaluator<C> {
  return (context) => {
    let unsure = false
    for (const arg of args) {
      const value = arg(context)
      if (value === deciding) return deciding
      if (value === null) unsure = true
    }
    return unsure ? null : !deciding
  }
}
