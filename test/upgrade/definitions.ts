import { decimal, entity, featureService, featureView, int, stream, string, timestamp } from '../../src/index.ts'

/** The definitions that every data folder in `folders/` was written with. They never change: a new folder may add others. */
export const customer = entity('customer', { customerId: int() })

export const payments = stream('payments', {
  topic: 'payments.v1',
  fields: { paymentId: string(), customerId: int(), amount: decimal(2), country: string().optional(), at: timestamp() },
  time: 'at',
  id: 'paymentId',
  key: 'customerId',
  lateness: '10m',
})

export const spending = featureView('spending', {
  from: payments,
  by: customer,
  features: (on) => ({
    payments_1h: on.count({ over: '1h' }),
    amount_mean_30d: on.mean('amount', { over: '30d' }),
    amount_ever: on.sum('amount', { over: 'lifetime' }),
    countries_7d: on.distinctCount('country', { over: '7d' }),
    last_country: on.row('country'),
    amount_spread_30d: on.stddev('amount', { over: '30d' }),
  }),
})

export const risk = featureService('risk_v1', [spending])
