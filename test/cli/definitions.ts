import { decimal, entity, featureService, featureView, int, stream, string, timestamp } from '../../src/index.ts'

export const customer = entity('customer', { customerId: int() })

export const payments = stream('payments', {
  fields: {
    paymentId: string(),
    customerId: int(),
    amount: decimal(2),
    note: string().optional(),
    at: timestamp(),
  },
  time: 'at',
  id: 'paymentId',
  key: 'customerId',
  lateness: '10m',
})

export const spending = featureView('spending', {
  from: payments,
  by: customer,
  features: (on) => ({
    payments_1d: on.count({ over: '1d' }),
    amount_mean_1d: on.mean('amount', { over: '1d' }),
    last_note: on.last('note', { over: '30d' }),
  }),
})

export const scoring = featureService('scoring_v1', [spending])
