import { decimal, entity, featureView, int, stream, string, timestamp } from '../../src/index.ts'

export const customer = entity('customer', { customerId: int() })

export const payments = stream('payments', {
  fields: { paymentId: string(), customerId: int(), amount: decimal(2), at: timestamp() },
  time: 'at',
  id: 'paymentId',
  key: 'customerId',
  lateness: '10m',
  history: { until: '2026-06-01T00:00:00Z' },
})

export const spending = featureView('spending', {
  from: payments,
  by: customer,
  features: (on) => ({
    amount_1d: on.sum('amount', { over: '1d' }),
    payments_ever: on.count({ over: 'lifetime' }),
  }),
})
