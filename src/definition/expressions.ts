import type { Expression, Literal, Operator, OperatorOptions } from '../schema/expression.ts'

/**
 * The typed builder of expressions. What an author holds are the interfaces below; at run time there is one class
 * that builds the tree of `schema/expression.ts`. `Null` is `null` where the value may be missing.
 */
interface AnyExpression<Null extends null> {
  readonly tree: Expression
  isNull(): BooleanExpression
  readonly nullable?: Null
}

type NumberLike<Null extends null> = number | NumberExpression<Null>

export interface NumberExpression<Null extends null = never> extends AnyExpression<Null> {
  readonly expressionType: 'number'
  plus<N extends null = never>(other: NumberLike<N>): NumberExpression<Null | N>
  minus<N extends null = never>(other: NumberLike<N>): NumberExpression<Null | N>
  times<N extends null = never>(other: NumberLike<N>): NumberExpression<Null | N>
  /** Null when `other` is zero. */
  dividedBy(other: NumberLike<null>): NumberExpression<null>
  /** The share of `other`: the same as `dividedBy`, for features that are rates. */
  per(other: NumberLike<null>): NumberExpression<null>
  negated(): NumberExpression<Null>
  abs(): NumberExpression<Null>
  /** To the nearest whole number, halves away from zero. */
  round(): NumberExpression<Null>
  /** Natural logarithm; null at or below zero. */
  log(): NumberExpression<null>
  /** Null below zero. */
  sqrt(): NumberExpression<null>
  eq(other: NumberLike<null>): BooleanExpression<Null>
  ne(other: NumberLike<null>): BooleanExpression<Null>
  lt(other: NumberLike<null>): BooleanExpression<Null>
  lte(other: NumberLike<null>): BooleanExpression<Null>
  gt(other: NumberLike<null>): BooleanExpression<Null>
  gte(other: NumberLike<null>): BooleanExpression<Null>
  in(values: readonly number[]): BooleanExpression<Null>
  orElse(value: number): NumberExpression
  /** How many of the ascending boundaries are at or below the value: 0 before the first. */
  bucketize(boundaries: readonly number[]): NumberExpression<Null>
}

export interface StringExpression<Null extends null = never> extends AnyExpression<Null> {
  readonly expressionType: 'string'
  eq(other: string | StringExpression<null>): BooleanExpression<Null>
  ne(other: string | StringExpression<null>): BooleanExpression<Null>
  in(values: readonly string[]): BooleanExpression<Null>
  orElse(value: string): StringExpression
  /** A list with 1 at the category's place and 0 elsewhere; all 0 for another value or null. */
  oneHot(categories: readonly string[]): ListExpression<number>
}

export interface BooleanExpression<Null extends null = null> extends AnyExpression<Null> {
  readonly expressionType: 'boolean'
  and(other: BooleanExpression<null>): BooleanExpression<Null>
  or(other: BooleanExpression<null>): BooleanExpression<Null>
  not(): BooleanExpression<Null>
  orElse(value: boolean): BooleanExpression<never>
  /** 1 for true, 0 for false. */
  asNumber(): NumberExpression<Null>
}

export interface TimeExpression<Null extends null = never> extends AnyExpression<Null> {
  readonly expressionType: 'timestamp'
  /** Hour of the day, 0 to 23, in an IANA zone; UTC when none is named. */
  hour(zone?: string): NumberExpression<Null>
  /** ISO day of the week: Monday is 1, Sunday 7. */
  dayOfWeek(zone?: string): NumberExpression<Null>
  /** Saturday or Sunday. */
  isWeekend(zone?: string): BooleanExpression<Null>
  lt(other: TimeExpression<null>): BooleanExpression<Null>
  gt(other: TimeExpression<null>): BooleanExpression<Null>
  /** Milliseconds from `other` to this instant. */
  since<N extends null = never>(other: TimeExpression<N>): NumberExpression<Null | N>
}

export interface ListExpression<Item> {
  readonly expressionType: 'list'
  readonly tree: Expression
  readonly item?: Item
}

export type ScalarExpression =
  | NumberExpression<null>
  | StringExpression<null>
  | BooleanExpression<null>
  | TimeExpression<null>
export type AnyFeatureExpression = ScalarExpression | ListExpression<unknown>

/** The value that an expression gives. */
export type ExpressionValue<E> =
  E extends ListExpression<infer Item>
    ? readonly Item[]
    : E extends NumberExpression<infer Null>
      ? number | Null
      : E extends StringExpression<infer Null>
        ? string | Null
        : E extends BooleanExpression<infer Null>
          ? boolean | Null
          : E extends TimeExpression<infer Null>
            ? number | Null
            : never

type Operand = Literal | { readonly tree: Expression }

function treeOf(operand: Operand): Expression {
  return operand !== null && typeof operand === 'object' ? operand.tree : { op: 'literal', value: operand }
}

/** Every method of every interface above; which ones an author sees is a matter of types. */
class ExpressionNode {
  readonly tree: Expression

  constructor(tree: Expression) {
    this.tree = tree
  }

  #apply(op: Operator, others: readonly Operand[] = [], options?: OperatorOptions): ExpressionNode {
    const args = [this.tree, ...others.map(treeOf)]
    return new ExpressionNode(options === undefined ? { op, args } : { op, args, options })
  }

  in(values: readonly Literal[]): ExpressionNode {
    return this.#apply('in', [], { values: [...values] })
  }

  plus = (other: Operand) => this.#apply('add', [other])
  minus = (other: Operand) => this.#apply('subtract', [other])
  since = (other: Operand) => this.#apply('subtract', [other])
  times = (other: Operand) => this.#apply('multiply', [other])
  dividedBy = (other: Operand) => this.#apply('divide', [other])
  per = (other: Operand) => this.#apply('divide', [other])
  negated = () => this.#apply('negate')
  abs = () => this.#apply('abs')
  round = () => this.#apply('round')
  log = () => this.#apply('log')
  sqrt = () => this.#apply('sqrt')
  eq = (other: Operand) => this.#apply('eq', [other])
  ne = (other: Operand) => this.#apply('ne', [other])
  lt = (other: Operand) => this.#apply('lt', [other])
  lte = (other: Operand) => this.#apply('lte', [other])
  gt = (other: Operand) => this.#apply('gt', [other])
  gte = (other: Operand) => this.#apply('gte', [other])
  and = (other: Operand) => this.#apply('and', [other])
  or = (other: Operand) => this.#apply('or', [other])
  not = () => this.#apply('not')
  isNull = () => this.#apply('isNull')
  orElse = (value: Literal) => this.#apply('coalesce', [value])
  asNumber = () => this.#apply('number')
  hour = (zone?: string) => this.#apply('hour', [], zoneOption(zone))
  dayOfWeek = (zone?: string) => this.#apply('dayOfWeek', [], zoneOption(zone))
  isWeekend = (zone?: string) => this.#apply('isWeekend', [], zoneOption(zone))
  oneHot = (categories: readonly string[]) => this.#apply('oneHot', [], { values: [...categories] })
  bucketize = (boundaries: readonly number[]) => this.#apply('bucketize', [], { boundaries: [...boundaries] })
}

function zoneOption(zone: string | undefined): OperatorOptions {
  return { zone: zone ?? 'UTC' }
}

/** Wraps a tree for an author to go on with. The caller says which of the interfaces it is. */
export function expressionOf<E extends AnyFeatureExpression>(tree: Expression): E {
  return new ExpressionNode(tree) as unknown as E
}

type Widen<E> = E extends number
  ? NumberExpression<null>
  : E extends string
    ? StringExpression<null>
    : E extends boolean
      ? BooleanExpression<null>
      : E

interface Case<Result> {
  when(condition: BooleanExpression<null>, value: Result | LiteralFor<Result>): Case<Result>
  /** Without it, `otherwise(null)`. */
  otherwise(value: Result | LiteralFor<Result> | null): Result
}

type LiteralFor<Result> =
  Result extends NumberExpression<null>
    ? number
    : Result extends StringExpression<null>
      ? string
      : Result extends BooleanExpression<null>
        ? boolean
        : never

/** `when(e.amount.gt(100), 'high').when(e.amount.gt(10), 'middle').otherwise('low')`: the first that is true. */
export function when<const V extends number | string | boolean | ScalarExpression>(
  condition: BooleanExpression<null>,
  value: V,
): Case<Widen<V>> {
  const build = (args: readonly Expression[]): Case<Widen<V>> => ({
    when: (next, result) => build([...args, next.tree, treeOf(result as Operand)]),
    otherwise: (result) =>
      expressionOf({ op: 'case', args: [...args, treeOf(result as Operand)] }) as unknown as Widen<V>,
  })
  return build([condition.tree, treeOf(value as Operand)])
}
