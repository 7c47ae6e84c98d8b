// Goal: generated expressions give what the closures give, to the bit.
// Method: random well-typed trees of all operators over random rows, in both forms. `SEED=…` replays a run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileExpression, type Value } from '../../src/schema/evaluate.ts'
import type { Expression, Literal, Operator } from '../../src/schema/expression.ts'
import {
  generateExpression,
  generateExpressions,
  leafAt,
  makeEvaluator,
  type Slot,
  type SlotOf,
} from '../../src/schema/generate-expression.ts'
import { condition, instant, numberOf, text, texts } from '../oracle/arbitraries.ts'

const runs = { numRuns: 3_000, ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }) }

const kinds: Readonly<Record<string, Slot['kind']>> = {
  s: 'string',
  k2: 'string',
  i: 'int',
  f: 'float',
  d: 'decimal',
  b: 'boolean',
  t: 'timestamp',
  at: 'timestamp',
}

/** A divisor that is a whole number is written out; another reaches the source as a constant. */
const slotsAt =
  (divisor: number): SlotOf =>
  (leaf) => {
    assert(leaf.op === 'field')
    const kind = kinds[leaf.name]!
    return { index: Object.keys(kinds).indexOf(leaf.name), kind, divisor: kind === 'decimal' ? divisor : 1 }
  }

const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 4 })
const anyText = fc.oneof(fc.constantFrom(...texts), fc.string({ unit: 'binary', maxLength: 3 }))
const anyNumber = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 0.1, 2, -3, 0.5, -0.5, 2.5, 0.49999999999999994, 5e-324, 1e-300),
  fc.constantFrom(2 ** 53, 2 ** 960, -(2 ** 960), Number.MAX_VALUE, -Number.MAX_VALUE, 1e300),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const anyInstant = fc.integer({ min: -(10 ** 12), max: 2 * 10 ** 12 })

const row: fc.Arbitrary<readonly Value[]> = fc.tuple(
  orNull(anyText),
  orNull(anyText),
  orNull(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger())),
  orNull(anyNumber),
  orNull(fc.oneof(fc.integer({ min: -300, max: 300 }), fc.maxSafeInteger())),
  orNull(fc.boolean()),
  orNull(anyInstant),
  orNull(anyInstant),
)

const literal = (value: Literal): Expression => ({ op: 'literal', value })
const apply = (op: Operator, ...args: Expression[]): Expression => ({ op, args })

const numberTree = fc.oneof(
  numberOf(2),
  fc
    .tuple(fc.constantFrom<Operator>('add', 'subtract', 'multiply', 'divide'), numberOf(2), numberOf(2))
    .map(([op, a, b]) => apply(op, a, b)),
  fc.tuple(condition(1), condition(1), numberOf(1), numberOf(1), numberOf(1)).map(([p, q, a, b, c]) => {
    return apply('case', p, a, q, b, c)
  }),
  fc.tuple(numberOf(2), numberOf(1)).map(([a, b]) => apply('coalesce', apply('case', apply('isNull', b), a, b), b)),
  fc.tuple(condition(1), numberOf(1)).map(([p, a]) => apply('add', apply('case', p, literal(null), a), literal(0.1))),
)
const relation = fc.constantFrom<Operator>('eq', 'ne', 'lt', 'lte', 'gt', 'gte')
const conditionTree = fc.oneof(
  condition(2),
  fc
    .tuple(fc.constantFrom<Operator>('and', 'or'), fc.array(condition(1), { minLength: 1, maxLength: 4 }))
    .map(([op, args]) => apply(op, ...args)),
  fc.tuple(relation, text(1), text(1)).map(([op, a, b]) => apply(op, a, b)),
  fc.tuple(relation, condition(1), condition(1)).map(([op, a, b]) => apply(op, a, b)),
  fc.tuple(relation, numberTree, fc.oneof(numberTree, fc.constant(literal(null)))).map(([op, a, b]) => apply(op, a, b)),
  condition(1).map((a): Expression => ({ op: 'in', args: [a], options: { values: [true] } })),
)
const listTree = text(1).map(
  (a): Expression => ({ op: 'oneHot', args: [a], options: { values: ['a', 'b', '\ud83d'] } }),
)
const tree = fc.oneof(
  numberTree,
  conditionTree,
  text(2),
  instant,
  listTree,
  listTree.map((a) => apply('isNull', a)),
  fc.constantFrom(literal(null), literal(-0), literal('"\\'), apply('coalesce', literal(null), literal(null))),
)

/** `deepEqual` of `node:assert/strict` tells -0 from 0. */
test('a generated expression gives what the closures give, to the bit', () => {
  fc.assert(
    fc.property(
      tree,
      fc.constantFrom(1, 100, 1e-3),
      fc.array(row, { minLength: 1, maxLength: 12 }),
      (made, by, rows) => {
        const slotOf = slotsAt(by)
        const generated = generateExpression(made, slotOf)
        assert(generated !== null, 'it was generated')
        const closures = compileExpression(made, leafAt(slotOf))
        for (const values of rows) assert.deepEqual(generated(values), closures(values))
      },
    ),
    runs,
  )
})

test('several generated expressions give a list of what each gives', () => {
  const some = fc.array(tree, { maxLength: 6 })
  fc.assert(
    fc.property(some, row, (trees, values) => {
      const slotOf = slotsAt(100)
      const generated = generateExpressions(trees, slotOf)
      assert(generated !== null, 'they were generated')
      assert.deepEqual(
        generated(values),
        trees.map((one) => compileExpression(one, leafAt(slotOf))(values)),
      )
    }),
    { ...runs, numRuns: 500 },
  )
})

test('the trees have every operator', () => {
  const found = new Set<string>()
  const visit = (node: Expression): void => {
    found.add(node.op)
    if ('args' in node) node.args.forEach(visit)
  }
  fc.sample(tree, { numRuns: 2_000, seed: 1 }).forEach(visit)
  const operators = 'add subtract multiply divide negate abs round log sqrt eq ne lt lte gt gte in and or not isNull'
  const others = 'coalesce case number hour dayOfWeek isWeekend oneHot bucketize field literal'
  assert.deepEqual([...found].sort(), `${operators} ${others}`.split(' ').sort())
})

test('no text of a tree is in the source', () => {
  const equal = apply('eq', { op: 'field', name: 's' }, literal('sesame'))
  const evaluate = makeEvaluator(equal, slotsAt(1))
  assert.match(String(evaluate), /values\[0\]/)
  assert.doesNotMatch(String(evaluate), /sesame/)
  assert.equal(evaluate(['sesame']), true)
})

test('a case of thousands of branches is generated too', () => {
  const branches = Array.from({ length: 5_000 }, (_, n) => [
    apply('eq', { op: 'field', name: 'i' }, literal(n)),
    literal(-n),
  ])
  const evaluate = generateExpression(apply('case', ...branches.flat(), literal(null)), slotsAt(1))
  assert.deepEqual(
    [0, 4_999, 5_000, null].map((i) => evaluate?.(['', '', i])),
    [0, -4_999, null, null],
  )
})
