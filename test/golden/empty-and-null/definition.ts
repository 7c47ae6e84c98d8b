import { entity, featureView, float, int, stream, string, timestamp } from '../../../src/index.ts'

const user = entity('user', { user: int(), shop: string() })
const orders = stream('orders', {
  fields: { id: int(), user: int().optional(), shop: string(), amount: float().nullable(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1s',
})

/** Counts and sums of nothing are 0, everything else is null. Null inputs are skipped, null keys are unkeyed. */
export const views = [
  featureView('orders_of', {
    from: orders,
    by: user,
    features: (on) => ({
      orders: on.count({ over: '10ms' }),
      sum: on.sum('amount', { over: '10ms' }),
      mean: on.mean('amount', { over: '10ms' }),
      variance: on.variance('amount', { over: '10ms' }),
      stddev: on.stddev('amount', { over: '10ms', of: 'population' }),
      min: on.min('amount', { over: '10ms' }),
      max: on.max('amount', { over: '10ms' }),
      last_2: on.lastK('amount', { over: '10ms', k: 2 }),
      distinct: on.distinctCount('amount', { over: '10ms' }),
      share: on.sum('amount', { over: '10ms' }).per(on.sum('amount', { over: '10ms' })),
    }),
  }),
]
