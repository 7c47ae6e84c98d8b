/**
 * Expressions as a tree of plain data: what filters, derived inputs and arithmetic between features are made of.
 * One tree can be evaluated here and compiled to SQL elsewhere; nothing in it is ever evaluated as code.
 *
 * Null follows SQL: an operation on null gives null, `and`/`or` are three-valued. So does every result that is no
 * number: division by zero, a logarithm of zero. A result that is too large for a double is the largest one of its
 * sign, as IEEE 754 rounds towards zero: a number stays where the type promises one, on the right side of every bound.
 */
export type Expression =
  | { readonly op: 'field'; readonly name: string }
  | { readonly op: 'literal'; readonly value: Literal }
  | { readonly op: 'aggregate'; readonly call: AggregateCall }
  | { readonly op: Operator; readonly args: readonly Expression[]; readonly options?: OperatorOptions }

export type Literal = string | number | boolean | null

export type Operator =
  | 'add'
  | 'subtract'
  | 'multiply'
  | 'divide'
  | 'negate'
  | 'abs'
  | 'round'
  | 'log'
  | 'sqrt'
  | 'eq'
  | 'ne'
  | 'lt'
  | 'lte'
  | 'gt'
  | 'gte'
  | 'in'
  | 'and'
  | 'or'
  | 'not'
  | 'isNull'
  | 'coalesce'
  | 'case'
  | 'number'
  | 'hour'
  | 'dayOfWeek'
  | 'isWeekend'
  | 'oneHot'
  | 'bucketize'

export type OperatorOptions = {
  /** IANA zone of a time part. */
  readonly zone?: string
  /** The categories of `oneHot`, the set of `in`. */
  readonly values?: readonly Literal[]
  /** Ascending boundaries of `bucketize`. */
  readonly boundaries?: readonly number[]
}

/** An aggregation asked for by a feature: over which input, of which events, in which window. */
export type AggregateCall = {
  readonly name: string
  /** Null for `count`, which counts events. */
  readonly input: Expression | null
  /** Only events for which this is true; null: all. */
  readonly filter: Expression | null
  readonly window: WindowSpec
  readonly options: AggregateOptions
}

export type AggregateOptions = {
  readonly k?: number
  readonly cap?: number
  readonly of?: 'sample' | 'population'
}

/** As written by the author: durations as text, checked by the plan. */
export type WindowSpec = {
  readonly over: string
  readonly offset: string | null
  /** Left out where the window is exact, so that what was declared before there was a choice keeps its hash. */
  readonly precision?: Precision
}

/** How exact the tail of a window is: rounded down to multiples of a duration. */
export type Precision = { readonly sawtooth: string }

/** Calls `visit` for the tree and everything below it, parents first. Does not enter aggregate calls. */
export function walk(tree: Expression, visit: (node: Expression) => void): void {
  visit(tree)
  if ('args' in tree) for (const arg of tree.args) walk(arg, visit)
}
