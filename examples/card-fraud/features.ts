/**
 * The features of "Reproducible Machine Learning for Credit Card Fraud Detection" (Le Borgne, Siblini, Lebichot,
 * Bontempi), under the names of their published columns: spending of the customer over 1, 7 and 30 days, risk of the
 * terminal over 1, 7 and 30 days that end 7 days ago (fraud is known a week later), weekend and night.
 */
import { boolean, entity, featureService, featureView, float, int, stream, string, timestamp } from 'millrace'

export const customer = entity('customer', { customer_id: int() })
export const terminal = entity('terminal', { terminal_id: int() })

export const payments = stream('payments', {
  fields: {
    transaction_id: string(),
    ts: timestamp('ms'),
    customer_id: int(),
    terminal_id: int(),
    // Not decimal(2): the published amounts of leaked cards are products that were not rounded to cents again (85.64999999999999).
    amount: float(),
    fraud: boolean(),
  },
  time: 'ts',
  id: 'transaction_id',
  lateness: '10m',
})

export const spending = featureView('customer_spending', {
  from: payments,
  by: customer,
  features: (on) => ({
    c_nb_1d: on.count({ over: '1d' }),
    c_avg_1d: on.mean('amount', { over: '1d' }),
    c_nb_7d: on.count({ over: '7d' }),
    c_avg_7d: on.mean('amount', { over: '7d' }),
    c_nb_30d: on.count({ over: '30d' }),
    c_avg_30d: on.mean('amount', { over: '30d' }),
    w: on.row((payment) => payment.ts.isWeekend().asNumber()),
    n: on.row((payment) => payment.ts.hour().lte(6).asNumber()),
  }),
})

export const terminalRisk = featureView('terminal_risk', {
  from: payments,
  by: terminal,
  features: (on) => ({
    t_nb_1d: on.count({ over: '1d', offset: '7d' }),
    t_risk_1d: on.mean('fraud', { over: '1d', offset: '7d' }).orElse(0),
    t_nb_7d: on.count({ over: '7d', offset: '7d' }),
    t_risk_7d: on.mean('fraud', { over: '7d', offset: '7d' }).orElse(0),
    t_nb_30d: on.count({ over: '30d', offset: '7d' }),
    t_risk_30d: on.mean('fraud', { over: '30d', offset: '7d' }).orElse(0),
  }),
})

export const fraudV1 = featureService('fraud_v1', [spending, terminalRisk])

/** Of the payment that is scored: the newest of its customer. */
export const latestPayment = featureView('latest_payment', {
  from: payments,
  by: customer,
  features: (on) => ({ amount: on.row((payment) => payment.amount) }),
})

/** What the models read: the published features, and the amount. */
export const scoring = featureService('card_scoring', [latestPayment, spending, terminalRisk])
