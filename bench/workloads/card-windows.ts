/**
 * What is computed from payments in Kafka, by millrace and by its peers: count, sum and mean of each customer's and of
 * each terminal's payments over 5 minutes, 1 hour and 24 hours.
 */
import { decimal, entity, featureView, int, stream, timestamp } from 'millrace'

export const windows = ['5m', '1h', '24h'] as const

/** @param emit with the values after each event as a topic, besides serving them */
export function cardWindows(topic: string, emit: boolean) {
  const payments = stream('payments', {
    topic,
    fields: { customerId: int(), terminalId: int(), amount: decimal(2), at: timestamp('ms') },
    time: 'at',
    lateness: '10m',
  })
  const emitted = emit ? { emit: 'event' as const } : {}
  const customers = featureView('customers', {
    from: payments,
    by: entity('customer', { customerId: int() }),
    features: (on) => ({
      count_5m: on.count({ over: '5m' }),
      sum_5m: on.sum('amount', { over: '5m' }),
      mean_5m: on.mean('amount', { over: '5m' }),
      count_1h: on.count({ over: '1h' }),
      sum_1h: on.sum('amount', { over: '1h' }),
      mean_1h: on.mean('amount', { over: '1h' }),
      count_24h: on.count({ over: '24h' }),
      sum_24h: on.sum('amount', { over: '24h' }),
      mean_24h: on.mean('amount', { over: '24h' }),
    }),
    ...emitted,
  })
  const terminals = featureView('terminals', {
    from: payments,
    by: entity('terminal', { terminalId: int() }),
    features: (on) => ({
      count_5m: on.count({ over: '5m' }),
      sum_5m: on.sum('amount', { over: '5m' }),
      mean_5m: on.mean('amount', { over: '5m' }),
      count_1h: on.count({ over: '1h' }),
      sum_1h: on.sum('amount', { over: '1h' }),
      mean_1h: on.mean('amount', { over: '1h' }),
      count_24h: on.count({ over: '24h' }),
      sum_24h: on.sum('amount', { over: '24h' }),
      mean_24h: on.mean('amount', { over: '24h' }),
    }),
    ...emitted,
  })
  return [customers, terminals] as const
}
