import { boolean, decimal, entity, featureView, int, stream, string, timestamp } from '../../src/index.ts'

/** Without an id, so that every well-formed event is accepted, whatever came before it. */
export const payments = stream('payments', {
  fields: {
    paymentId: string(),
    customerId: int(),
    terminalId: int(),
    amount: decimal(2),
    fraud: boolean(),
    at: timestamp('ms'),
    note: string().optional(),
  },
  time: 'at',
  key: 'paymentId',
  lateness: '36500d',
  future: '36500d',
})

export const customer = entity('customer', { customerId: int() })

export const spending = featureView('spending', {
  from: payments,
  by: customer,
  features: (on) => ({ payments: on.count({ over: 'lifetime' }), spent: on.sum('amount', { over: 'lifetime' }) }),
})
