// Goal: whatever is not as it was is said, in words that someone who has not seen the diff understands.
// Method: each case changes one thing of the same definitions and lists every line that is to be printed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Definition } from '../../src/definition/definition.ts'
import {
  boolean,
  decimal,
  entity,
  featureService,
  featureView,
  float,
  int,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { compile } from '../../src/plan/compile.ts'
import {
  type Compiled,
  differenceBetween,
  differenceLines,
  incompatibleChanges,
} from '../../src/registry/difference.ts'
import type { Field } from '../../src/schema/field.ts'
import { scenario } from '../oracle/arbitraries.ts'

/** What can be changed. Types do not help here: half of the cases change them. */
type Loose = { readonly [name: string]: unknown }
type Parts = {
  readonly entityName?: string
  readonly keys?: Loose
  readonly streamName?: string
  readonly fields?: Loose
  readonly streamOptions?: Loose
  readonly viewName?: string
  readonly viewOptions?: Loose
  readonly features?: (on: On) => Loose
  readonly service?: string | null
  readonly more?: (made: Made) => readonly Definition[]
}
type On = Parameters<Parameters<typeof featureView>[1]['features']>[0]
type Made = { readonly card: never; readonly payments: never; readonly spending: never }

const fieldsBefore = {
  id: string(),
  card: int(),
  amount: decimal(2),
  tip: float().optional(),
  city: string().nullable(),
  ms: timestamp('ms').optional(),
  fraud: boolean(),
  at: timestamp(),
}
const featuresBefore = (on: On): Loose => ({
  n: on.count({ over: '1d' }),
  amount_mean: on.mean('amount' as never, { over: '30d' }),
  amount_max: on.max('amount' as never, { over: '30d' }),
})

function make(parts: Parts): Compiled {
  const { features = featuresBefore, service = 'scoring', more = () => [] } = parts
  const card = entity(parts.entityName ?? 'card', (parts.keys ?? { card: int() }) as never)
  const payments = stream(parts.streamName ?? 'payments', {
    topic: 'payments.v1',
    fields: parts.fields ?? fieldsBefore,
    time: 'at',
    id: 'id',
    lateness: '10m',
    ...parts.streamOptions,
  } as never)
  const spending = featureView(parts.viewName ?? 'spending', {
    from: payments,
    by: card,
    ...parts.viewOptions,
    features: features as never,
  } as never)
  const definitions = [
    spending as Definition,
    ...(service === null ? [] : [featureService(service, [spending])]),
    ...more({ card, payments, spending } as never),
  ]
  return { definitions, plan: compile(definitions) }
}

const without = (...names: string[]): Loose =>
  Object.fromEntries(Object.entries(fieldsBefore).filter(([name]) => !names.includes(name)))
const withField = (name: string, field: Field): Loose => ({ ...fieldsBefore, [name]: field })

const other = ({ card, payments }: Made): ReturnType<typeof featureView> =>
  featureView('risk', {
    from: payments,
    by: card,
    features: (on: On) => ({ frauds: on.count({ over: '7d' }) }),
  } as never)

type Case = {
  readonly title: string
  readonly before?: Parts
  readonly after: Parts
  readonly lines: readonly string[]
}

const kept = 'nothing to do: spending'
const rebuilt = 'rebuilt from history: spending'
const reading = 'incompatible: clients and models of scoring read it'
const refused = 'incompatible: events in the log do not have it and would be refused'
const misread = 'incompatible: events in the log would be refused or misread'

const cases: readonly Case[] = [
  { title: 'nothing', after: {}, lines: ['nothing changes'] },
  {
    title: 'fields in another order',
    after: { fields: { ...without('id'), id: string() } },
    lines: ['nothing changes'],
  },

  // Streams.
  {
    title: 'lateness',
    after: { streamOptions: { lateness: '30m' } },
    lines: ['changed stream payments: lateness 10m → 30m', rebuilt],
  },
  {
    title: 'the same lateness in other words',
    after: { streamOptions: { lateness: '600s' } },
    lines: ['changed stream payments: lateness 10m → 600s', kept],
  },
  {
    title: 'dedupe',
    after: { streamOptions: { dedupe: '2h' } },
    lines: ['changed stream payments: dedupe 1h → 2h', rebuilt],
  },
  {
    title: 'future',
    after: { streamOptions: { future: '1m' } },
    lines: ['changed stream payments: future 5m → 1m', rebuilt],
  },
  {
    title: 'a stream is renamed',
    after: { streamName: 'card_payments' },
    lines: ['renamed stream payments → card_payments', kept],
  },
  {
    title: 'a stream is renamed, and its topic with it',
    before: { streamOptions: { topic: undefined } },
    after: { streamName: 'card_payments', streamOptions: { topic: undefined } },
    lines: [
      'renamed stream payments → card_payments',
      "changed stream card_payments: topic payments → card_payments (incompatible: the events in topic payments are left behind; keep them with topic: 'payments')",
      rebuilt,
    ],
  },
  {
    title: 'another topic',
    after: { streamOptions: { topic: 'payments.v2' } },
    lines: [
      "changed stream payments: topic payments.v1 → payments.v2 (incompatible: the events in topic payments.v1 are left behind; keep them with topic: 'payments.v1')",
      rebuilt,
    ],
  },
  {
    title: 'another time field',
    before: { fields: withField('booked', timestamp()) },
    after: { fields: withField('booked', timestamp()), streamOptions: { time: 'booked' } },
    lines: [
      'changed stream payments: time at → booked (incompatible: every event in the log gets another time)',
      rebuilt,
    ],
  },
  {
    title: 'no id any more',
    after: { streamOptions: { id: undefined } },
    lines: [
      'changed stream payments: id id → none (incompatible: events in the log were told apart by the old one)',
      rebuilt,
    ],
  },
  {
    title: 'another placement',
    after: { streamOptions: { key: 'card' } },
    lines: [
      'changed stream payments: key none → card (incompatible: an event sent again may miss its first in another partition and count twice)',
      kept,
    ],
  },
  {
    title: 'the placement said aloud',
    after: { streamOptions: { key: 'id' } },
    lines: ['changed stream payments: key none → id', kept],
  },
  {
    title: 'a required field is added',
    after: { fields: withField('shop', string()) },
    lines: [`changed stream payments: field shop added, string (${refused})`, rebuilt],
  },
  {
    title: 'a nullable field is added',
    after: { fields: withField('shop', string().nullable()) },
    lines: [`changed stream payments: field shop added, string, nullable (${refused})`, rebuilt],
  },
  {
    title: 'an optional field is added',
    after: { fields: withField('shop', decimal(3).optional()) },
    lines: ['changed stream payments: field shop added, decimal(3), optional', rebuilt],
  },
  {
    title: 'a field is removed',
    after: { fields: without('tip') },
    lines: ['changed stream payments: field tip removed', rebuilt],
  },
  {
    title: 'a field is renamed and read where it was',
    after: { fields: { ...without('tip'), gratuity: float().optional().at('tip') } },
    lines: ['changed stream payments: field tip renamed to gratuity', rebuilt],
  },
  {
    title: 'a field is renamed in the events too',
    after: { fields: { ...without('fraud'), is_fraud: boolean() } },
    lines: [
      'changed stream payments: field fraud removed',
      `changed stream payments: field is_fraud added, boolean (${refused})`,
      rebuilt,
    ],
  },
  {
    title: 'float to int',
    after: { fields: withField('tip', int().optional()) },
    lines: [`changed stream payments: field tip: float → int (${misread})`, rebuilt],
  },
  {
    title: 'int to float',
    before: { fields: withField('tip', int().optional()) },
    after: {},
    lines: ['changed stream payments: field tip: int → float', rebuilt],
  },
  {
    title: 'int to string',
    before: { fields: withField('tip', int().optional()) },
    after: { fields: withField('tip', string().optional()) },
    lines: [`changed stream payments: field tip: int → string (${misread})`, rebuilt],
  },
  {
    title: 'a decimal with more digits',
    after: { fields: withField('amount', decimal(3)) },
    lines: [
      'changed stream payments: field amount: decimal(2) → decimal(3)',
      `changed feature spending.amount_max: max(amount) over 30d, decimal(2) | null → decimal(3) | null (${reading})`,
      rebuilt,
    ],
  },
  {
    title: 'a decimal with fewer digits',
    after: { fields: withField('amount', decimal(1)) },
    lines: [
      `changed stream payments: field amount: decimal(2) → decimal(1) (${misread})`,
      `changed feature spending.amount_max: max(amount) over 30d, decimal(2) | null → decimal(1) | null (${reading})`,
      rebuilt,
    ],
  },
  {
    title: 'a unit is allowed',
    after: { fields: withField('at', timestamp('ms')) },
    lines: ['changed stream payments: field at: timestamp → timestamp in ms', rebuilt],
  },
  {
    title: 'another unit',
    after: { fields: withField('ms', timestamp('s').optional()) },
    lines: [`changed stream payments: field ms: timestamp in ms → timestamp in s (${misread})`, rebuilt],
  },
  {
    title: 'optional to required',
    after: { fields: withField('tip', float()) },
    lines: [
      'changed stream payments: field tip: optional → required (incompatible: events in the log may be without it and would be refused)',
      rebuilt,
    ],
  },
  {
    title: 'nullable to optional',
    after: { fields: withField('city', string().optional()) },
    lines: ['changed stream payments: field city: nullable → optional', rebuilt],
  },
  {
    title: 'another place in the event',
    after: { fields: withField('city', string().nullable().at('shop.city')) },
    lines: [
      'changed stream payments: field city: at city → shop.city (incompatible: events in the log have it at city)',
      rebuilt,
    ],
  },
  {
    title: 'a stream that nobody reads',
    before: { more: () => [stream('clicks', { fields: { at: timestamp() }, time: 'at', lateness: '1m' })] },
    after: { more: () => [stream('views', { topic: 'v', fields: { t: timestamp() }, time: 't', lateness: '1m' })] },
    lines: ['removed stream clicks', 'new stream views', kept],
  },

  // Entities.
  {
    title: 'an entity is renamed',
    after: { entityName: 'payment_card' },
    lines: ['renamed entity card → payment_card', kept],
  },
  {
    title: 'a join key of another type',
    after: { keys: { card: string() }, fields: withField('card', string()) },
    lines: [
      'changed entity card: join key card: int → string (incompatible: whoever reads by this entity has to give other join keys)',
      `changed stream payments: field card: int → string (${misread})`,
      rebuilt,
    ],
  },
  {
    title: 'a join key more',
    before: { keys: { card: int() } },
    after: { keys: { card: int(), id: string() } },
    lines: [
      'changed entity card: join key id added (incompatible: whoever reads by this entity has to give other join keys)',
      rebuilt,
    ],
  },
  {
    title: 'join keys in another order',
    before: { keys: { card: int(), id: string() } },
    after: { keys: { id: string(), card: int() } },
    lines: ['changed entity card: order of join keys card, id → id, card', rebuilt],
  },
  {
    title: 'an entity that nobody uses',
    before: { more: () => [entity('shop', { shop: int() })] },
    after: { more: () => [entity('shop', { shop: string() })] },
    lines: ['changed entity shop: join key shop: int → string', kept],
  },

  // Views and features.
  {
    title: 'a view is renamed',
    after: { viewName: 'card_spending' },
    lines: ['renamed view spending → card_spending', 'nothing to do: card_spending'],
  },
  {
    title: 'everything is renamed',
    after: { entityName: 'e', streamName: 's', viewName: 'v' },
    lines: ['renamed entity card → e', 'renamed stream payments → s', 'renamed view spending → v', 'nothing to do: v'],
  },
  {
    title: 'a view is added',
    after: { more: (made) => [other(made)] },
    lines: ['new view risk', 'rebuilt from history: risk', kept],
  },
  {
    title: 'a view is removed',
    before: { more: (made) => [other(made)] },
    after: {},
    lines: ['removed view risk', kept],
  },
  {
    title: 'a filter is added',
    after: { viewOptions: { where: (e: { fraud: { not(): unknown } }) => e.fraud.not() } },
    lines: ['changed view spending: filter not(fraud) added', rebuilt],
  },
  {
    title: 'a filter changes',
    before: { viewOptions: { where: (e: { amount: { gt(n: number): unknown } }) => e.amount.gt(0) } },
    after: { viewOptions: { where: (e: { amount: { gt(n: number): unknown } }) => e.amount.gt(10) } },
    lines: ['changed view spending: filter amount > 0 → amount > 10', rebuilt],
  },
  { title: 'ttl', after: { viewOptions: { ttl: '1d' } }, lines: ['changed view spending: ttl none → 1d', kept] },
  {
    title: 'horizon',
    after: { viewOptions: { horizon: '2h' } },
    lines: ['changed view spending: horizon 1h → 2h', rebuilt],
  },
  {
    title: 'emit',
    after: { viewOptions: { emit: { every: '1m' } } },
    lines: ['changed view spending: emit none → idle 5m, every 1m', kept],
  },
  {
    title: 'a join key comes from another field',
    before: { fields: withField('other', int()) },
    after: { fields: withField('other', int()), viewOptions: { keys: { card: 'other' } } },
    lines: ['changed view spending: join key card: field card → other', rebuilt],
  },
  {
    title: 'another window',
    after: { features: (on) => ({ ...featuresBefore(on), amount_mean: on.mean('amount' as never, { over: '7d' }) }) },
    lines: [
      'changed view spending: window 7d added',
      'changed feature spending.amount_mean: mean(amount) over 30d → over 7d',
      rebuilt,
    ],
  },
  {
    title: 'an offset',
    after: { features: (on) => ({ ...featuresBefore(on), n: on.count({ over: '1d', offset: '1h' }) }) },
    lines: [
      'changed view spending: window 1d offset 1h added',
      'changed view spending: window 1d removed',
      'changed feature spending.n: count() over 1d → over 1d offset 1h',
      rebuilt,
    ],
  },
  {
    title: 'another aggregation, of another type',
    after: { features: (on) => ({ ...featuresBefore(on), n: on.sum('amount' as never, { over: '1d' }) }) },
    lines: [`changed feature spending.n: count() over 1d → sum(amount) over 1d, int → float (${reading})`, rebuilt],
  },
  {
    title: 'a feature may be null',
    after: { features: (on) => ({ ...featuresBefore(on), n: on.max('card' as never, { over: '1d' }) }) },
    lines: [`changed feature spending.n: count() over 1d → max(card) over 1d, int → int | null (${reading})`, rebuilt],
  },
  {
    title: 'a feature is never null any more',
    before: { features: (on) => ({ ...featuresBefore(on), n: on.max('card' as never, { over: '1d' }) }) },
    after: {},
    lines: ['changed feature spending.n: max(card) over 1d → count() over 1d, int | null → int', rebuilt],
  },
  {
    title: 'arithmetic after the aggregation',
    after: {
      features: (on) => ({ ...featuresBefore(on), amount_mean: on.mean('amount' as never, { over: '30d' }).times(2) }),
    },
    lines: ['changed feature spending.amount_mean: mean(amount) over 30d → mean(amount) over 30d * 2', kept],
  },
  {
    title: 'a feature is added',
    after: { features: (on) => ({ ...featuresBefore(on), n_7d: on.count({ over: '7d' }) }) },
    lines: ['changed view spending: window 7d added', 'new feature spending.n_7d', rebuilt],
  },
  {
    title: 'a feature of what is there already is added',
    after: { features: (on) => ({ ...featuresBefore(on), twice: on.count({ over: '1d' }).times(2) }) },
    lines: ['new feature spending.twice', kept],
  },
  {
    title: 'a feature is removed that a service has',
    after: { features: (on) => ({ n: featuresBefore(on)['n'], amount_max: featuresBefore(on)['amount_max'] }) },
    lines: [`removed feature spending.amount_mean (${reading})`, rebuilt],
  },
  {
    title: 'a feature is removed that no service has',
    before: { service: null },
    after: {
      service: null,
      features: (on) => ({ n: featuresBefore(on)['n'], amount_max: featuresBefore(on)['amount_max'] }),
    },
    lines: ['removed feature spending.amount_mean', rebuilt],
  },
  {
    title: 'a feature is renamed',
    after: {
      features: (on) => {
        const { n, amount_mean, amount_max } = featuresBefore(on)
        return { n, amount_average: amount_mean, amount_max }
      },
    },
    lines: [`renamed feature spending.amount_mean → amount_average (${reading})`, kept],
  },
  {
    title: 'features in another order',
    after: {
      features: (on) => ({
        amount_max: featuresBefore(on)['amount_max'],
        ...featuresBefore(on),
        n: featuresBefore(on)['n'],
      }),
    },
    lines: ['changed view spending: order of features n, amount_mean, amount_max → amount_max, n, amount_mean', kept],
  },

  // Services.
  {
    title: 'a service is renamed',
    after: { service: 'scoring_v2' },
    lines: ['renamed service scoring → scoring_v2 (incompatible: clients and models ask for scoring)', kept],
  },
  {
    title: 'a service is removed',
    after: { service: null },
    lines: ['removed service scoring (incompatible: clients and models that read it break)', kept],
  },
  {
    title: 'a service is added',
    after: { more: ({ spending }) => [featureService('other', [spending])] },
    lines: ['new service other', kept],
  },
  {
    title: 'a service gets a view more',
    before: { service: null, more: (made) => [featureService('both', [made.spending])] },
    after: { service: null, more: (made) => [featureService('both', [made.spending, other(made)])] },
    lines: ['new view risk', 'changed service both: view risk added', 'rebuilt from history: risk', kept],
  },
  {
    title: 'a service loses a view',
    before: {
      service: null,
      more: (made) => [other(made), featureService('both', [made.spending, other(made)])].slice(1),
    },
    after: { service: null, more: (made) => [featureService('both', [made.spending]), other(made)] },
    lines: [
      'changed service both: view risk removed (incompatible: clients and models read frauds)',
      'nothing to do: spending, risk',
    ],
  },
  {
    title: 'a service has its views in another order',
    before: { service: null, more: (made) => [featureService('both', [made.spending, other(made)])] },
    after: { service: null, more: (made) => [featureService('both', [other(made), made.spending])] },
    lines: ['changed service both: order of views spending, risk → risk, spending', 'nothing to do: spending, risk'],
  },
  {
    title: 'a service needs another join key',
    before: { service: null, more: (made) => [featureService('both', [made.spending])] },
    after: {
      service: null,
      more: (made) => {
        const shop = entity('shop', { shop: string() })
        const keys = { shop: 'id' }
        const view = featureView('per_shop', {
          from: made.payments,
          by: shop,
          keys,
          features: (on: On) => ({ m: on.count({ over: '1d' }) }),
        } as never)
        return [featureService('both', [made.spending, view])]
      },
    },
    lines: [
      'new entity shop',
      'new view per_shop',
      'changed service both: view per_shop added',
      'changed service both: join key shop needed, string (incompatible: whoever reads it does not give that)',
      'rebuilt from history: per_shop',
      kept,
    ],
  },
  {
    title: 'a feature moves to another view of its service',
    before: { service: null, more: (made) => [featureService('both', [made.spending, other(made)])] },
    after: {
      service: null,
      features: (on) => ({ ...featuresBefore(on), frauds: on.count({ over: '7d' }) }),
      more: (made) => [featureService('both', [made.spending])],
    },
    lines: [
      'changed view spending: window 7d added',
      'new feature spending.frauds',
      'removed view risk',
      'changed service both: view risk removed',
      rebuilt,
    ],
  },
]

for (const { title, before = {}, after, lines } of cases) {
  test(title, () => {
    const [was, is] = [make(before), make(after)]
    const difference = differenceBetween(was, is)
    assert.deepEqual(differenceLines(difference), lines)
    assert.equal(
      incompatibleChanges(difference).length,
      lines.filter((line) => line.includes('(incompatible: ')).length,
    )
  })
}

test('where nothing was applied everything is new and nothing breaks', () => {
  const difference = differenceBetween(null, make({}))
  assert.deepEqual(differenceLines(difference), [
    'new entity card',
    'new stream payments',
    'new view spending',
    'new service scoring',
    rebuilt,
  ])
  assert.equal(incompatibleChanges(difference).length, 0)
})

const random = {
  numRuns: Number(process.env['RUNS'] ?? 200),
  ...(process.env['SEED'] ? { seed: Number(process.env['SEED']) } : {}),
}

test('there is no difference if and only if the plans are the same', () => {
  const compiled = scenario().map(({ views }): Compiled => ({ definitions: views, plan: compile(views) }))
  fc.assert(
    fc.property(compiled, compiled, (one, two) => {
      assert.deepEqual(differenceBetween(one, { ...one, plan: compile(one.definitions) }).changes, [])
      const { changes } = differenceBetween(one, two)
      assert.equal(changes.length === 0, one.plan.hash === two.plan.hash)
      for (const { kind, name, words } of changes)
        assert.ok(name !== '' && (kind === 'new' || kind === 'removed' || words !== ''))
    }),
    random,
  )
})

test('what is rebuilt is what had no such fingerprint', () => {
  const compiled = scenario().map(({ views }): Compiled => ({ definitions: views, plan: compile(views) }))
  fc.assert(
    fc.property(compiled, compiled, (one, two) => {
      const known = new Set(one.plan.views.map(({ fingerprint }) => fingerprint))
      for (const { view, cost } of differenceBetween(one, two).views) {
        const { fingerprint } = two.plan.views.find(({ name }) => name === view)!
        assert.equal(cost, known.has(fingerprint) ? 'nothing' : 'rebuild')
      }
    }),
    random,
  )
})
