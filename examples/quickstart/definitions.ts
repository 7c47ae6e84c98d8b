import { boolean, decimal, entity, featureService, featureView, int, stream, string, timestamp } from 'millrace'

export const customer = entity('customer', { customerId: int() })
export const terminal = entity('terminal', { terminalId: int() })

export const payments = stream('payments', {
  fields: {
    paymentId: string(),
    customerId: int(),
    terminalId: int(),
    amount: decimal(2),
    fraud: boolean(),
    at: timestamp(),
  },
  time: 'at',
  id: 'paymentId',
  lateness: '10m',
})

export const spending = featureView('customer_spending', {
  from: payments,
  by: customer,
  features: (on) => ({
    payments_1d: on.count({ over: '1d' }),
    amount_mean_30d: on.mean('amount', { over: '30d' }),
    night_share_7d: on
      .where((payment) => payment.at.hour('Europe/Paris').lte(6))
      .count({ over: '7d' })
      .per(on.count({ over: '7d' })),
  }),
})

export const terminalRisk = featureView('terminal_risk', {
  from: payments,
  by: terminal,
  features: (on) => ({ fraud_rate_7d: on.mean('fraud', { over: '7d', offset: '7d' }) }),
})

export const fraudV1 = featureService('fraud_v1', [spending, terminalRisk])
