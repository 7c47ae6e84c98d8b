import {
  entity,
  featureService,
  featureView,
  float,
  int,
  model,
  registry,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp() },
  time: 'at',
  id: 'id',
  lateness: '1h',
})

const spending = featureView('spending', {
  from: payments,
  by: entity('user', { user: int() }),
  features: (on) => ({ payments_1h: on.count({ over: '1h' }), mean_1h: on.mean('amount', { over: '1h' }) }),
})

export const scoring = featureService('scoring', [spending])

export const fraud = model('fraud', { input: scoring, from: registry(), output: { score: float() } })

export const rule = model('rule', {
  version: 1,
  input: scoring,
  from: ({ mean_1h }) => ({ score: mean_1h > 3 ? 1 : 0 }),
  output: { score: float() },
})
