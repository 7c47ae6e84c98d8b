import { entity, featureView, int, stream, timestamp } from '../../../src/index.ts'

const card = entity('card', { card: int() })
const payments = stream('payments', {
  fields: { id: int(), card: int(), amount: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1s',
})

/** A window holds `t - length <= ts < t`: an event counts from one millisecond after it until its age is the length. */
export const views = [
  featureView('spending', {
    from: payments,
    by: card,
    features: (on) => ({
      count_10ms: on.count({ over: '10ms' }),
      sum_10ms: on.sum('amount', { over: '10ms' }),
      count_1ms: on.count({ over: '1ms' }),
      mean_20ms: on.mean('amount', { over: '20ms' }),
    }),
  }),
]
