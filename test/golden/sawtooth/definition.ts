import { entity, featureView, int, sawtooth, stream, timestamp } from '../../../src/index.ts'

const card = entity('card', { card: int() })
const payments = stream('payments', {
  fields: { id: int(), card: int(), amount: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
  future: '0ms',
})

/**
 * A sawtooth window holds `floor((t - offset - length) / hop) * hop <= ts < t - offset`: the tail waits for the next
 * multiple of the hop, the head never does. Of `tiled` nothing is kept raw beyond 2 ms and the offset; `mixed` needs
 * the raw events of its exact window, and gives the same values of the others.
 */
export const views = [
  featureView('tiled', {
    from: payments,
    by: card,
    horizon: '2ms',
    features: (on) => ({
      count_25ms: on.count({ over: '25ms', precision: sawtooth('10ms') }),
      sum_25ms: on.sum('amount', { over: '25ms', precision: sawtooth('10ms') }),
      max_20ms: on.max('amount', { over: '20ms', precision: sawtooth('10ms') }),
      count_offset: on.count({ over: '10ms', offset: '3ms', precision: sawtooth('4ms') }),
      last_25ms: on.last('amount', { over: '25ms', precision: sawtooth('25ms') }),
      sum_ever: on.sum('amount', { over: 'lifetime' }),
    }),
  }),
  featureView('mixed', {
    from: payments,
    by: card,
    horizon: '2ms',
    features: (on) => ({
      count_25ms: on.count({ over: '25ms', precision: sawtooth('10ms') }),
      exact_25ms: on.count({ over: '25ms' }),
    }),
  }),
]
