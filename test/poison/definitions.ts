import { boolean, decimal, entity, featureView, int, stream, string, timestamp } from '../../src/index.ts'

/** Without an id, so that every well-formed event is accepted, whatever came before it. */
const options = {
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
} as const

export const payments = stream('payments', { ...options, future: '36500d' })

export const customer = entity('customer', { customerId: int() })

/** A function, so that a module of definitions has each name once. */
export const promptSpending = () => spendingOf(stream('payments', { ...options, future: '1m' }))

const spendingOf = (from: typeof payments) =>
  featureView('spending', {
    from,
    by: customer,
    features: (on) => ({ payments: on.count({ over: 'lifetime' }), spent: on.sum('amount', { over: 'lifetime' }) }),
  })

export const spending = spendingOf(payments)
