import { entity, featureView, int, stream, string, timestamp } from '../../../src/index.ts'

const card = entity('card', { card: int() })
const payments = stream('payments', {
  fields: { id: string(), card: int(), amount: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '10ms',
  dedupe: '20ms',
  future: '100ms',
})

/** Every record was produced at this instant: an event may be up to 1200. */
export const recordedAt = 1_100

/** The watermark is that of a partition, so how records are spread decides which of them are late. */
export const partitions = [1]

export const views = [
  featureView('spending', {
    from: payments,
    by: card,
    features: (on) => ({ count: on.count({ over: '1s' }), sum: on.sum('amount', { over: '1s' }) }),
  }),
]
