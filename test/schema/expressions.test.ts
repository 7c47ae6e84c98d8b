// Goal: each operator gives what SQL gives, nulls and rounding included.
// Method: the builder that authors use makes the tree; it is evaluated over a row of plain values.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type BooleanExpression,
  expressionOf,
  type NumberExpression,
  type StringExpression,
  type TimeExpression,
  when,
} from '../../src/definition/expressions.ts'
import { compileExpression, type Value } from '../../src/schema/evaluate.ts'
import type { Expression, Literal } from '../../src/schema/expression.ts'

const number = (value: number | null): NumberExpression<null> => expressionOf({ op: 'literal', value })
const text = (value: string | null): StringExpression<null> => expressionOf({ op: 'literal', value })
const truth = (value: boolean | null): BooleanExpression => expressionOf({ op: 'literal', value })
const time = (instant: string): TimeExpression => expressionOf({ op: 'literal', value: Date.parse(instant) })

function valueOf({ tree }: { readonly tree: Expression }): Value {
  return compileExpression<null>(tree, () => () => null)(null)
}

type Row = readonly [string, { readonly tree: Expression }, Value]

const rows: readonly Row[] = [
  ['1 + 2', number(1).plus(2), 3],
  ['1 - null', number(1).minus(number(null)), null],
  ['1 / 0', number(1).dividedBy(0), null],
  ['0 / 0', number(0).per(0), null],
  ['1e308 * 10', number(1e308).times(10), Number.MAX_VALUE],
  ['1e308 * -10', number(1e308).times(-10), -Number.MAX_VALUE],
  ['1e308 / 1e-10', number(1e308).dividedBy(1e-10), Number.MAX_VALUE],
  ['0 * -1 is not -0', number(0).times(-1), 0],
  ['-(0)', number(0).negated(), 0],
  ['the literal -0', number(-0), 0],
  ['or else -0', number(null).orElse(-0), 0],
  ['|-2|', number(-2).abs(), 2],
  ['round(0.5)', number(0.5).round(), 1],
  ['round(-0.5)', number(-0.5).round(), -1],
  ['round(2.5)', number(2.5).round(), 3],
  ['round(-0.4) is not -0', number(-0.4).round(), 0],
  ['round of the number before 0.5', number(0.49999999999999994).round(), 0],
  ['round just below 2^52', number(2 ** 51 + 0.5).round(), 2 ** 51 + 1],
  ['log(0)', number(0).log(), null],
  ['log(-1)', number(-1).log(), null],
  ['log(1)', number(1).log(), 0],
  ['sqrt(-1)', number(-1).sqrt(), null],
  ['sqrt(9)', number(9).sqrt(), 3],
  ['null = null', number(null).eq(number(null)), null],
  ['1 <> null', number(1).ne(number(null)), null],
  ['0 = -0', number(0).eq(-0), true],
  ['2 >= 2', number(2).gte(2), true],
  ['2 > 2', number(2).gt(2), false],
  ['1 in (1, 2)', number(1).in([1, 2]), true],
  ['null in (1)', number(null).in([1]), null],
  ['"B" < "a"', expressionOf({ op: 'lt', args: [text('B').tree, text('a').tree] }), true],
  [
    'U+E000 < U+1F600, by code points',
    expressionOf({ op: 'lt', args: [text('\ue000').tree, text('\u{1f600}').tree] }),
    true,
  ],
  ['null or else 5', number(null).orElse(5), 5],
  ['0 or else 5', number(0).orElse(5), 0],
  ['"" or else "x"', text('').orElse('x'), ''],
  ['null is null', text(null).isNull(), true],
  ['0 is null', number(0).isNull(), false],
  ['true as a number', truth(true).asNumber(), 1],
  ['null as a number', truth(null).asNumber(), null],
  ['not null', truth(null).not(), null],
  ['when null', when(truth(null), 'a').otherwise('b'), 'b'],
  ['when without another', when(truth(false), 'a').otherwise(null), null],
  ['the first that is true', when(truth(false), 1).when(truth(true), 2).when(truth(true), 3).otherwise(4), 2],
  ['buckets: below the first', number(0.9).bucketize([1, 10]), 0],
  ['buckets: at a boundary', number(1).bucketize([1, 10]), 1],
  ['buckets: beyond the last', number(11).bucketize([1, 10]), 2],
  ['buckets of null', number(null).bucketize([1]), null],
  ['one-hot', text('b').oneHot(['a', 'b']), [0, 1]],
  ['one-hot of another', text('c').oneHot(['a', 'b']), [0, 0]],
  ['one-hot of null', text(null).oneHot(['a', 'b']), [0, 0]],
  ['Sunday is a weekend', time('2024-03-31T23:59:59.999Z').isWeekend(), true],
  ['but Monday in Paris', time('2024-03-31T23:59:59.999Z').isWeekend('Europe/Paris'), false],
  ['day of the week', time('2024-03-31T23:59:59.999Z').dayOfWeek(), 7],
  ['hour in Kolkata', time('2024-03-31T23:59:59.999Z').hour('Asia/Kolkata'), 5],
  ['since', time('2024-01-01T00:00:01Z').since(time('2024-01-01T00:00:00Z')), 1_000],
]

for (const [name, expression, expected] of rows) {
  test(`${name} is ${JSON.stringify(expected)}`, () => {
    const value = valueOf(expression)
    assert.deepEqual(value, expected)
    assert.ok(!Object.is(value, -0), 'never -0')
  })
}

const truths: readonly (boolean | null)[] = [true, false, null]

test('and: false decides, else null, else true', () => {
  const table = truths.map((a) => truths.map((b) => valueOf(truth(a).and(truth(b)))))
  assert.deepEqual(table, [
    [true, false, null],
    [false, false, false],
    [null, false, null],
  ])
})

test('or: true decides, else null, else false', () => {
  const table = truths.map((a) => truths.map((b) => valueOf(truth(a).or(truth(b)))))
  assert.deepEqual(table, [
    [true, true, true],
    [true, false, null],
    [true, null, null],
  ])
})

test('every operator but the null-aware ones gives null for null', () => {
  const nothing: Literal = null
  const one = number(nothing)
  const all = [
    one.plus(1),
    one.times(2),
    one.negated(),
    one.abs(),
    one.round(),
    one.log(),
    one.sqrt(),
    one.lt(1),
    one.lte(1),
  ]
  for (const expression of all) assert.equal(valueOf(expression), null)
})
