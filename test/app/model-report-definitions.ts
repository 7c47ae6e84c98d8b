/** Payments that are scored, and what becomes known of them later. */
import { boolean, entity, featureService, featureView, float, int, stream, string, timestamp } from '../../src/index.ts'

export const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
export const disputes = stream('disputes', {
  fields: { payment: string(), fraud: boolean(), at: timestamp('ms') },
  time: 'at',
  lateness: '90d',
})
export const user = entity('user', { user: int() })
export const payer = entity('payer', { payment: string() })
export const spending = featureView('spending', {
  from: payments,
  by: user,
  features: (on) => ({ mean: on.mean('amount', { over: '1h' }) }),
})
export const disputed = featureView('disputed', {
  from: disputes,
  by: payer,
  features: (on) => ({ disputes: on.count({ over: '1h' }) }),
})
export const scoring = featureService('scoring', [spending])
