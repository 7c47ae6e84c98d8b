import { boolean, entity, featureView, int, stream, timestamp } from '../../../src/index.ts'

const terminal = entity('terminal', { terminal: int() })
const payments = stream('payments', {
  fields: { id: int(), terminal: int(), fraud: boolean(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1s',
})

/** With an offset the window ends that much before the instant: `t - 5 - 10 <= ts < t - 5`. */
export const views = [
  featureView('risk', {
    from: payments,
    by: terminal,
    features: (on) => ({
      count: on.count({ over: '10ms', offset: '5ms' }),
      fraud_rate: on.mean('fraud', { over: '10ms', offset: '5ms' }),
      count_now: on.count({ over: '10ms', offset: '0ms' }),
    }),
  }),
]
