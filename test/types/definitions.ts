// Goal: what an author may write compiles to exactly the types promised, and wrong names, types and units do not.
// Method: checked by `tsc --noEmit`; a `@ts-expect-error` that finds no error is itself an error.
import {
  boolean,
  decimal,
  entity,
  featureService,
  featureView,
  float,
  type Infer,
  int,
  type KeysOf,
  model,
  onnx,
  sawtooth,
  stream,
  string,
  timestamp,
  when,
} from '../../src/index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <T extends true>(proof?: T): void => void proof

const customer = entity('customer', { customerId: int() })
const terminal = entity('terminal', { terminalId: int() })
const payments = stream('payments', {
  fields: {
    paymentId: string(),
    customerId: int(),
    terminalId: int(),
    amount: decimal(2),
    fraud: boolean(),
    city: string().optional(),
    at: timestamp(),
  },
  time: 'at',
  id: 'paymentId',
  lateness: '10m',
})

const spending = featureView('spending', {
  from: payments,
  by: customer,
  features: (on) => ({
    payments_1d: on.count({ over: '1d' }),
    amount_mean_30d: on.mean('amount', { over: '30d', offset: '1d' }),
    night_share_7d: on
      .where((e) => e.at.hour().lte(6))
      .count({ over: '7d' })
      .per(on.count({ over: '7d' })),
    mean_or_zero: on.mean('amount', { over: '7d' }).orElse(0),
    spread: on.sum('amount', { over: '7d' }).minus(on.sum('amount', { over: '1d' })),
    last_city: on.last('city', { over: 'lifetime' }),
    cities: on.lastK('city', { over: '30d', k: 3 }),
    weekend: on.row((e) => e.at.isWeekend()),
    size: on.row((e) => when(e.amount.gt(100), 'large').otherwise('small')),
    city_vector: on.row((e) => e.city.oneHot(['Paris', 'Lyon'])),
  }),
})
const risk = featureView('risk', {
  from: payments,
  by: terminal,
  features: (on) => ({ fraud_rate_7d: on.mean('fraud', { over: '7d', offset: '7d' }) }),
})
const fraudV1 = featureService('fraud_v1', [spending, risk])

holds<
  Equal<
    Infer<typeof spending>,
    {
      readonly payments_1d: number
      readonly amount_mean_30d: number | null
      readonly night_share_7d: number | null
      readonly mean_or_zero: number
      readonly spread: number
      readonly last_city: string | null
      readonly cities: readonly string[]
      readonly weekend: boolean | null
      readonly size: string | null
      readonly city_vector: readonly number[]
    }
  >
>()
holds<Equal<Infer<typeof fraudV1>['fraud_rate_7d'], number | null>>()
holds<Equal<KeysOf<typeof fraudV1>, { readonly customerId: number; readonly terminalId: number }>>()
holds<Equal<Infer<typeof payments>['city'], string | null>>()
holds<Equal<Infer<typeof payments>['at'], number>>()

featureView('wrong', {
  from: payments,
  by: customer,
  features: (on) => ({
    // @ts-expect-error a string has no mean
    a: on.mean('paymentId', { over: '1d' }),
    // @ts-expect-error an instant has no mean
    b: on.mean('at', { over: '1d' }),
    // @ts-expect-error no such field
    c: on.sum('amuont', { over: '1d' }),
    // @ts-expect-error fortnights are not a unit
    d: on.count({ over: '1fortnight' }),
    // @ts-expect-error a window has a length
    e: on.count({}),
    // @ts-expect-error lastK needs a k
    f: on.lastK('amount', { over: '1d' }),
    // @ts-expect-error lifetime has no offset
    g: on.count({ over: 'lifetime', offset: '1d' }),
    // @ts-expect-error lifetime has no tail
    k: on.count({ over: 'lifetime', precision: sawtooth('1h') }),
    // @ts-expect-error a hop alone is no precision
    l: on.count({ over: '1d', precision: '1h' }),
    // @ts-expect-error fortnights are not a unit
    m: on.count({ over: '30d', precision: sawtooth('1fortnight') }),
    // @ts-expect-error a row has no window
    n: on.row('amount', { over: '1d', precision: sawtooth('1h') }),
    // @ts-expect-error a filter is a condition
    h: on.where((e) => e.amount).count({ over: '1d' }),
    // @ts-expect-error a number is not compared with a text
    i: on.where((e) => e.amount.gt('100')).count({ over: '1d' }),
    // @ts-expect-error a text has no hour
    j: on.where((e) => e.paymentId.hour().gt(3)).count({ over: '1d' }),
  }),
})

// @ts-expect-error event time must be a timestamp field
stream('p', { fields: { a: string(), at: timestamp() }, time: 'a', lateness: '1m' })
// @ts-expect-error event time is never null
stream('p', { fields: { at: timestamp().optional() }, time: 'at', lateness: '1m' })
// @ts-expect-error an amount is no id
stream('p', { fields: { amount: decimal(2), at: timestamp() }, time: 'at', id: 'amount', lateness: '1m' })
// @ts-expect-error lateness has no default: it is the author's to say
stream('p', { fields: { at: timestamp() }, time: 'at' })
// @ts-expect-error a join key is never null
entity('e', { id: string().optional() })

const row: Infer<typeof risk> = { fraud_rate_7d: null }
void row
// @ts-expect-error a count is never null
const never: Infer<typeof spending>['payments_1d'] = null
void never

const scored = model('fraud', {
  version: 1,
  input: fraudV1,
  from: (vector) => {
    holds<Equal<typeof vector.amount_mean_30d, number>>()
    return { score: vector.payments_1d / vector.amount_mean_30d, label: null }
  },
  output: { score: float(), label: string().optional() },
})
holds<Equal<Infer<typeof scored>, { readonly score: number; readonly label: string | null }>>()
holds<Equal<KeysOf<typeof scored>, KeysOf<typeof fraudV1>>>()
model('passing', {
  version: 1,
  input: spending,
  missing: 'pass',
  from: (vector) => {
    holds<Equal<typeof vector, Infer<typeof spending>>>()
    return { score: vector.amount_mean_30d ?? 0 }
  },
  output: { score: float() },
})
model('defaults', {
  version: 1,
  input: risk,
  missing: { default: { fraud_rate_7d: 0 } },
  inputs: ['fraud_rate_7d'],
  from: onnx('fraud.onnx'),
  output: { score: float() },
})
// @ts-expect-error an unknown feature has no default
model('m', { version: 1, input: risk, missing: { default: { rate: 0 } }, from: onnx('m'), output: { score: float() } })
// @ts-expect-error no such feature
model('m', { version: 1, input: risk, inputs: ['rate'], from: onnx('m'), output: { score: float() } })
// @ts-expect-error the function has to give what is declared
model('m', { version: 1, input: risk, from: () => ({ scroe: 1 }), output: { score: float() } })
// @ts-expect-error of the declared type
model('m', { version: 1, input: risk, from: () => ({ score: 'high' }), output: { score: float() } })
// @ts-expect-error no such feature in the vector
model('m', { version: 1, input: risk, from: (v) => ({ score: v.rate }), output: { score: float() } })
// @ts-expect-error an output is a number, a boolean or a text
model('m', { version: 1, input: risk, from: onnx('m'), output: { at: timestamp() } })
