// Goal: whoever writes a definition with mistakes sees all of them at once, each with its place and a way out.
// Method: wrong definitions, most of which TypeScript would refuse, against the exact text of the fault.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MillraceError } from '../../src/base/faults.ts'
import type { Definition } from '../../src/definition/definition.ts'
import { expressionOf } from '../../src/definition/expressions.ts'
import {
  boolean,
  decimal,
  entity,
  featureService,
  featureView,
  float,
  int,
  sawtooth,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { compile } from '../../src/plan/compile.ts'

// What the compiler refuses has to be tried as well: definitions may come from JavaScript.
// oxlint-disable-next-line typescript/no-explicit-any
type Any = any
type Loose = (...args: Any[]) => Any
const [anyStream, anyView, anyEntity] = [stream as Loose, featureView as Loose, entity as Loose]

const customer = entity('customer', { customerId: int() })
const fields = {
  id: string(),
  customerId: int(),
  amount: decimal(2),
  city: string().optional(),
  fraud: boolean(),
  at: timestamp(),
}
const payments = stream('payments', { fields, time: 'at', id: 'id', lateness: '10m' })

/** A view with these features; `on` is as loose as JavaScript. */
const viewOf = (features: Loose, more: object = {}): Definition =>
  anyView('v', { from: payments, by: customer, features, ...more }) as Definition
const streamOf = (more: object): Definition =>
  anyView('v', {
    from: anyStream('s', { fields, time: 'at', lateness: '10m', ...more }),
    by: customer,
    features: (on: never) => ({ n: (on as { count: Loose }).count({ over: '1d' }) }),
  }) as Definition
const one = (make: Loose): Definition => viewOf((on: unknown) => ({ f: make(on) }))

function faultsOf(...definitions: Definition[]): readonly string[] {
  try {
    compile(definitions)
  } catch (error) {
    assert.ok(error instanceof MillraceError)
    assert.equal(error.code, 'DEFINITION')
    const lines = error.message.split('\n')
    const { count } = error.details as { count: number }
    assert.equal(lines[0], `${count} fault(s) in the definitions`)
    assert.equal(lines.length, count + 1)
    return lines.slice(1).map((line) => line.trim())
  }
  return []
}

const declared = 'id, customerId, amount, city, fraud, at'
const durations = 'a whole number and ms, s, m, h or d: 10m'
const names = 'letters, digits and _, at most 128, no digit first'

type Case = readonly [string, Definition, readonly string[]]

const calls: readonly Case[] = [
  ['a sound view', one((on: Any) => on.count({ over: '1d' })), []],
  [
    'an unknown field',
    one((on: Any) => on.sum('amuont', { over: '1d' })),
    [
      `v.features.f.input: field of stream "payments" "amuont" is not declared (did you mean "amount"? Declared: ${declared})`,
    ],
  ],
  [
    'a field of the prototype',
    one((on: Any) => on.sum('constructor', { over: '1d' })),
    [
      `v.features.f.input: field of stream "payments" "constructor" is not declared (did you mean "customerId"? Declared: ${declared})`,
    ],
  ],
  [
    'a sum of text',
    one((on: Any) => on.sum('id', { over: '1d' })),
    ['v.features.f: "sum" got string (it takes numbers and booleans)'],
  ],
  [
    'a deviation of instants',
    one((on: Any) => on.stddev('at', { over: '1d' })),
    ['v.features.f: "stddev" got timestamp (it takes numbers and booleans)'],
  ],
  [
    'a window of another unit',
    one((on: Any) => on.count({ over: '1w' })),
    [`v.features.f.over: "1w" is no duration (${durations})`],
  ],
  ['no window', one((on: Any) => on.count({})), [`v.features.f.over: undefined is no duration (${durations})`]],
  [
    'an empty window',
    one((on: Any) => on.count({ over: '0s' })),
    ['v.features.f.over: the window "0s" is empty (at least 1ms, or "lifetime")'],
  ],
  [
    'an offset of a lifetime',
    one((on: Any) => on.count({ over: 'lifetime', offset: '1d' })),
    ['v.features.f.offset: a lifetime has an offset (leave the offset out)'],
  ],
  [
    'a precision of a lifetime',
    one((on: Any) => on.count({ over: 'lifetime', precision: sawtooth('1h') })),
    ['v.features.f.precision: a lifetime has a precision (leave the precision out: nothing ever falls out)'],
  ],
  ['a hop as long as the window', one((on: Any) => on.count({ over: '1d', precision: sawtooth('24h') })), []],
  [
    'a hop longer than the window',
    one((on: Any) => on.count({ over: '1d', precision: sawtooth('25h') })),
    [
      'v.features.f.precision: the hop "25h" is longer than the window "1d" (at most 1d; a hundredth of it makes it up to 1 % longer)',
    ],
  ],
  [
    'an empty hop',
    one((on: Any) => on.count({ over: '1d', precision: sawtooth('0s') })),
    ['v.features.f.precision: the hop "0s" is empty (at least 1ms, or leave the precision out: exact)'],
  ],
  [
    'a hop of another unit',
    one((on: Any) => on.count({ over: '30d', precision: sawtooth('1w' as never) })),
    [`v.features.f.precision: "1w" is no duration (${durations})`],
  ],
  ...[['1h'], ['exact'], [7], [{}], [{ sawtooth: '1h', more: 1 }]].map(
    ([precision]): Case => [
      `a precision ${JSON.stringify(precision)}`,
      one((on: Any) => on.count({ over: '30d', precision })),
      [`v.features.f.precision: ${JSON.stringify(precision)} is no precision (sawtooth('6h'), or leave it out: exact)`],
    ],
  ),
  [
    'distinct in a sawtooth window without a cap',
    one((on: Any) => on.distinctCount('id', { over: '1d', precision: sawtooth('1h') })),
    ['v.features.f: "distinctCount" in a sawtooth window has no bound (add cap: 10000, or leave the precision out)'],
  ],
  [
    'k out of range',
    one((on: Any) => on.lastK('id', { over: '1d', k: 1_001 })),
    ['v.features.f: "lastK" got k = 1001 (a whole number from 1 to 1000)'],
  ],
  [
    'no k',
    one((on: Any) => on.lastK('id', { over: '1d' })),
    ['v.features.f: "lastK" got k = 0 (a whole number from 1 to 1000)'],
  ],
  [
    'distinct over a lifetime without a cap',
    one((on: Any) => on.distinctCount('id', { over: 'lifetime' })),
    ['v.features.f: "distinctCount" over a lifetime has no bound (add cap: 10000, or use a window)'],
  ],
  [
    'a cap out of range',
    one((on: Any) => on.distinctCount('id', { over: '1d', cap: 0.5 })),
    ['v.features.f: "distinctCount" got cap = 0.5 (a whole number from 1 to 1000000)'],
  ],
  [
    'a filter that is no condition',
    one((on: Any) => on.where((e: Any) => e.amount).count({ over: '1d' })),
    ['v.features.f.where: the filter gives decimal(2) (a filter is a condition)'],
  ],
  [
    'a list as an input',
    one((on: Any) => on.last((e: Any) => e.city.oneHot(['a']), { over: '1d' })),
    ['v.features.f.input: the input gives list of int (one value; a list only in on.row(…))'],
  ],
  [
    'an aggregation inside an event',
    one((on: Any) => on.sum(() => on.count({ over: '1d' }), { over: '1d' })),
    ['v.features.f.input: "count" stands inside an expression of one event (aggregate outside of it)'],
  ],
  [
    'a feature that aggregates nothing',
    viewOf(() => ({ f: expressionOf({ op: 'literal', value: 1 }) })),
    ['v.features.f: the feature aggregates nothing (use at least one of on.count, on.sum, on.mean, …)'],
  ],
  [
    'a field outside an aggregation',
    viewOf(() => ({ f: expressionOf({ op: 'field', name: 'amount' }) })),
    ['v.features.f: field "amount" stands outside an aggregation (wrap it: on.last(…), on.row(…))'],
  ],
]

const expressions: readonly Case[] = [
  [
    'arithmetic with text',
    one((on: Any) => on.sum((e: Any) => e.amount.plus(e.id), { over: '1d' })),
    ['v.features.f.input: "add" got string (it takes numbers)'],
  ],
  [
    'two types compared',
    one((on: Any) => on.where((e: Any) => e.amount.gt('100')).count({ over: '1d' })),
    ['v.features.f.where: "gt" got string (it takes two values of one type, here decimal(2))'],
  ],
  [
    'and with a number',
    one((on: Any) => on.where((e: Any) => e.fraud.and(e.amount)).count({ over: '1d' })),
    ['v.features.f.where: "and" got decimal(2) (it takes conditions)'],
  ],
  [
    'the hour of a number',
    one((on: Any) => on.row((e: Any) => e.amount.hour())),
    ['v.features.f.input: "hour" got decimal(2) (it takes an instant)'],
  ],
  [
    'an unknown zone',
    one((on: Any) => on.row((e: Any) => e.at.hour('Europe/Pariss'))),
    ['v.features.f.input: time zone "Europe/Pariss" is not known (an IANA name such as "Europe/Paris")'],
  ],
  [
    'boundaries that fall',
    one((on: Any) => on.row((e: Any) => e.amount.bucketize([2, 1]))),
    ['v.features.f.input: "bucketize" got decimal(2) and [2, 1] (a number, ascending boundaries)'],
  ],
  [
    'members of another type',
    one((on: Any) => on.row((e: Any) => e.id.in([1]))),
    ['v.features.f.input: "in" got 1 values (1 to 1000 values of type string)'],
  ],
  [
    'one-hot of a number',
    one((on: Any) => on.row((e: Any) => e.amount.oneHot([1]))),
    ['v.features.f: "oneHot" got decimal(2) (it takes a string)'],
  ],
  [
    'no categories',
    one((on: Any) => on.row((e: Any) => e.id.oneHot([]))),
    ['v.features.f: "oneHot" got 0 values (1 to 1000 values of type string)'],
  ],
  [
    'a literal that is no number',
    one((on: Any) => on.count({ over: '1d' }).plus(Number.NaN)),
    ['v.features.f: literal number NaN has no meaning (a finite number, a string, true, false or null)'],
  ],
]

const views: readonly Case[] = [
  ['no feature', viewOf(() => ({})), ['v.features: the view has no feature (declare at least one)']],
  [
    'a filter of the view that is no condition',
    viewOf((on: Any) => ({ f: on.count({ over: '1d' }) }), { where: (e: Any) => e.amount }),
    ['v.where: the filter gives decimal(2) (a filter is a condition)'],
  ],
  [
    'a horizon and a ttl that are no durations',
    viewOf((on: Any) => ({ f: on.count({ over: '1d' }) }), { horizon: 'long', ttl: '-1s' }),
    [`v.horizon: "long" is no duration (${durations})`, `v.ttl: "-1s" is no duration (${durations})`],
  ],
  [
    'a key the stream does not have',
    viewOf((on: Any) => ({ f: on.count({ over: '1d' }) }), { keys: { customerId: 'customer' } }),
    [
      `v.keys.customerId: field of stream "payments" "customer" is not declared (did you mean "customerId"? Declared: ${declared})`,
    ],
  ],
  [
    'a key of another type',
    viewOf((on: Any) => ({ f: on.count({ over: '1d' }) }), { keys: { customerId: 'id' } }),
    [
      'v.keys.customerId: field "id" is string in stream "payments" and int in entity "customer" (a join key has one type everywhere)',
    ],
  ],
  [
    'a name that is none',
    viewOf((on: Any) => ({ 'a b': on.count({ over: '1d' }), '1st': on.count({ over: '1d' }) })),
    [
      `v.features.1st: feature has the name "1st" (${names})`,
      `v.features.a b: feature has the name "a b" (${names})`,
    ].reverse(),
  ],
]

const streams: readonly Case[] = [
  ['time that is no instant', streamOf({ time: 'id' }), ['s.time: field "id" is string (time is timestamp)']],
  [
    'time that is not declared',
    streamOf({ time: 'att' }),
    [`s.time: field of stream "s" "att" is not declared (did you mean "at"? Declared: ${declared})`],
  ],
  ['an id that is a decimal', streamOf({ id: 'amount' }), ['s.id: field "amount" is decimal (id is string or int)']],
  [
    'an id that may be null',
    streamOf({ id: 'city' }),
    ['s.id: field "city" may be null (id is in every event: no optional() or nullable())'],
  ],
  ['a lateness that is none', streamOf({ lateness: 'soon' }), [`s.lateness: "soon" is no duration (${durations})`]],
  [
    'ids forgotten before they are late',
    streamOf({ id: 'id', dedupe: '1m' }),
    [
      's.dedupe: ids are remembered for 1m, less than the lateness 10m (remember them at least as long, or a resent event would count twice)',
    ],
  ],
  [
    'a topic that is none',
    streamOf({ topic: 'a b' }),
    ['s.topic: "a b" is no topic (1 to 249 letters, digits, ".", "_", "-")'],
  ],
  [
    'a topic of dots',
    streamOf({ topic: '..' }),
    ['s.topic: ".." is no topic (1 to 249 letters, digits, ".", "_", "-")'],
  ],
  [
    'a topic that the engine writes itself',
    streamOf({ topic: 'dead-letter-queue' }),
    ['s.topic: "dead-letter-queue" is where rejected events go (another topic: a stream must not feed itself)'],
  ],
  [
    'the topic of the registry',
    streamOf({ topic: 'plan-registry' }),
    [`s.topic: "plan-registry" is a topic of the engine's own (another topic)`],
  ],
  [
    'the topic of notes on replays',
    streamOf({ topic: 'dead-letter-replays' }),
    [`s.topic: "dead-letter-replays" is a topic of the engine's own (another topic)`],
  ],
  [
    'a scale beyond nine',
    streamOf({ fields: { ...fields, rate: decimal(10) } }),
    ['s.fields.rate: a decimal has scale 10 (a whole number from 0 to 9)'],
  ],
  [
    'a path with an empty step',
    streamOf({ fields: { ...fields, rate: float().at('a..b') } }),
    ['s.fields.rate: the path "a..b" has an empty step (names joined by dots)'],
  ],
]

for (const [name, definition, expected] of [...calls, ...expressions, ...views, ...streams]) {
  test(`${name}: ${expected.length === 0 ? 'no fault' : expected.length === 1 ? 'one fault' : `${expected.length} faults`}`, () => {
    assert.deepEqual(faultsOf(definition), expected)
  })
}

const count = (name: string, by: object = customer): never =>
  anyView(name, { from: payments, by, features: (on: Any) => ({ n: on.count({ over: '1d' }) }) }) as never

test('a service has one value per name, and at least one view', () => {
  assert.deepEqual(faultsOf(featureService('both', [count('a'), count('b')])), [
    'both.views: feature "n" is in both "a" and "b" (rename one of them: a vector has one value per name)',
  ])
  assert.deepEqual(faultsOf(featureService('none', []), count('a')), [
    'none.views: the service has no view (at least one)',
  ])
})

test('a join key has one type in a service', () => {
  const other = anyEntity('other', { customerId: string() })
  const by = anyView('b', {
    from: payments,
    by: other,
    keys: { customerId: 'id' },
    features: (on: Any) => ({ m: on.count({ over: '1d' }) }),
  })
  assert.deepEqual(faultsOf(featureService('both', [count('a'), by as never])), [
    'both.views: join key "customerId" is int in "a" and string in "b" (one type per join key)',
  ])
})

test('a variance is of a sample or of a population, never of a misspelt one', () => {
  for (const name of ['variance', 'stddev']) {
    const of = (value: unknown) => one((on: Any) => on[name]('amount', { over: '1d', of: value }))
    assert.deepEqual(faultsOf(of('popluation')), [
      `v.features.f: "${name}" got of = string "popluation" ("sample" or "population")`,
    ])
    assert.deepEqual(faultsOf(of('population')), [])
  }
})

test('a join key has one scale and one unit in a service', () => {
  const by = (name: string, field: unknown) =>
    anyView(name, {
      from: anyStream(`s_${name}`, { fields: { ...fields, key: field }, time: 'at', lateness: '10m' }),
      by: anyEntity(`e_${name}`, { key: field }),
      features: (on: Any) => ({ [`n_${name}`]: on.count({ over: '1d' }) }),
    }) as never
  const cases = [
    [decimal(2), decimal(3), 'decimal(2)', 'decimal(3)'],
    [timestamp('s'), timestamp('ms'), 'timestamp in s', 'timestamp in ms'],
  ] as const
  for (const [first, second, firstType, secondType] of cases) {
    assert.deepEqual(faultsOf(featureService('both', [by('a', first), by('b', second)])), [
      `both.views: join key "key" is ${firstType} in "a" and ${secondType} in "b" (one type per join key)`,
    ])
    assert.deepEqual(faultsOf(featureService('both', [by('a', first), by('b', first)])), [])
  }
})

test('two definitions of one kind and name are a fault, of two kinds are none', () => {
  assert.deepEqual(faultsOf(count('a'), count('a')), [
    'a: there are two definitions of kind featureView with this name (names are unique within a kind)',
  ])
  assert.deepEqual(faultsOf(count('customer')), [])
})

test('an entity has keys that are never null', () => {
  assert.deepEqual(faultsOf(count('a', anyEntity('nobody', {}))), ['nobody.keys: there are 0 fields (1 to 1000)'])
  const maybe = anyEntity('maybe', { customerId: int().optional() })
  assert.deepEqual(faultsOf(count('a', maybe)), ['maybe.keys.customerId: a join key may be null (never null)'])
})

test('without a feature view there is no plan', () => {
  assert.deepEqual(faultsOf(customer), ['definitions: there is no feature view (declare at least one)'])
})

test('all faults of all definitions come at once, in the order of the definitions', () => {
  const bad = viewOf(
    (on: Any) => ({
      a: on.sum('amuont', { over: '1w' }),
      b: on.mean('id', { over: '1d' }).plus(on.lastK('id', { over: '1d', k: 0 })),
      c: on.count({ over: '1d' }),
    }),
    { horizon: '1y', where: (e: Any) => e.citty.eq('x') },
  )
  assert.deepEqual(
    faultsOf(bad, streamOf({ time: 'id', lateness: '' })),
    [
      's.time: field "id" is string (time is timestamp)',
      `s.lateness: "" is no duration (${durations})`,
      'v: there are two definitions of kind featureView with this name (names are unique within a kind)',
      `v.horizon: "1y" is no duration (${durations})`,
      `v.where: field of stream "payments" "citty" is not declared (did you mean "city"? Declared: ${declared})`,
      `v.features.a.input: field of stream "payments" "amuont" is not declared (did you mean "amount"? Declared: ${declared})`,
      `v.features.a.over: "1w" is no duration (${durations})`,
      'v.features.b: "mean" got string (it takes numbers and booleans)',
      'v.features.b: "lastK" got k = 0 (a whole number from 1 to 1000)',
    ].sort(byFirstSeen),
  )
})

/** Names are checked first, streams next, views last. */
function byFirstSeen(a: string, b: string): number {
  const rank = (line: string): number => (line.startsWith('v: ') ? 0 : line.startsWith('s') ? 1 : 2)
  return rank(a) - rank(b)
}

test('the order of join keys is part of the hash, the order of fields is not', () => {
  const by = (keys: object): string =>
    compile([
      anyView('v', {
        from: payments,
        by: anyEntity('e', keys),
        features: (on: Any) => ({ n: on.count({ over: '1d' }) }),
      }),
    ]).hash
  assert.notEqual(by({ customerId: int(), id: string() }), by({ id: string(), customerId: int() }))
  assert.equal(compile([count('a')]).hash, compile([count('a')]).hash)
})
