/** Expressions as authors write them, over values in which one in twenty is null. */
import { compileExpression, type Value } from '../../src/schema/evaluate.ts'
import type { Expression, Literal, Operator } from '../../src/schema/expression.ts'
import { generateExpressions, leafAt, type SlotOf } from '../../src/schema/generate-expression.ts'

export type ExpressionCase = {
  readonly what: string
  readonly generated: (values: readonly Value[]) => Value[]
  readonly closures: (values: readonly Value[]) => Value[]
}

const place = (index: number): Expression => ({ op: 'field', name: String(index) })
const literal = (value: Literal): Expression => ({ op: 'literal', value })
const apply = (op: Operator, ...args: Expression[]): Expression => ({ op, args })

/** Place 10 holds a text, 11 an amount in cents, the others numbers. */
const slotOf: SlotOf = (leaf) => {
  const index = leaf.op === 'field' ? Number(leaf.name) : 0
  return { index, kind: index === 10 ? 'string' : index === 11 ? 'decimal' : 'float', divisor: index === 11 ? 100 : 1 }
}

const ten = Array.from({ length: 10 }, (_, index) => index)
const trees: Readonly<Record<string, readonly Expression[]>> = {
  'a filter of three comparisons': [
    apply(
      'and',
      apply('and', apply('gt', place(11), literal(12.5)), apply('eq', place(10), literal('card'))),
      apply('lt', place(0), literal(800)),
    ),
  ],
  'a computed column': [apply('multiply', apply('round', place(11)), apply('add', place(1), literal(1)))],
  'ten features, plain': ten.map(place),
  'ten features, five ratios': ten.map((n) => (n < 5 ? place(n) : apply('divide', place(n), place(n - 5)))),
  'ten features, ratios of differences or 0': ten.map((n) =>
    apply(
      'coalesce',
      apply('divide', apply('subtract', place(n), place((n + 3) % 10)), place((n + 5) % 10)),
      literal(0),
    ),
  ),
}

/** Without any where code generation is off. */
export function expressionCases(): ExpressionCase[] {
  return Object.entries(trees).flatMap(([what, made]) => {
    const generated = generateExpressions(made, slotOf)
    const evaluators = made.map((tree) => compileExpression(tree, leafAt(slotOf)))
    const closures = (values: readonly Value[]): Value[] => evaluators.map((evaluate) => evaluate(values))
    return generated === null ? [] : [{ what, generated, closures }]
  })
}

export function expressionValues(count: number): readonly Value[][] {
  let seed = 7
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  return Array.from({ length: count }, () => [
    ...ten.map((n) => (random() < 0.05 ? null : n < 4 ? Math.floor(random() * 1_000) : random() * 1_000)),
    random() < 0.5 ? 'card' : 'cash',
    Math.floor(random() * 100_000),
  ])
}
