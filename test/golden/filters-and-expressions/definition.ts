import { boolean, decimal, entity, featureView, int, stream, string, timestamp, when } from '../../../src/index.ts'

const card = entity('card', { cardNumber: int() })
const payments = stream('payments', {
  fields: {
    id: int(),
    card: int(),
    amount: decimal(2),
    city: string().optional(),
    refund: boolean().nullable(),
    at: timestamp(),
  },
  time: 'at',
  id: 'id',
  lateness: '1d',
})

/** Null is not true: an event with `refund: null` does not pass `not refund`. */
export const views = [
  featureView('spending', {
    from: payments,
    by: card,
    keys: { cardNumber: 'card' },
    where: (e) => e.refund.not(),
    features: (on) => ({
      count: on.count({ over: '1d' }),
      sum: on.sum('amount', { over: '1d' }),
      large_share: on
        .where((e) => e.amount.gte(10))
        .count({ over: '1d' })
        .per(on.count({ over: '1d' })),
      large_paris: on
        .where((e) => e.amount.gte(10))
        .where((e) => e.city.eq('Paris'))
        .count({ over: '1d' }),
      fee_sum: on.sum((e) => e.amount.times(2).plus(1), { over: '1d' }),
      night_in_paris: on.where((e) => e.at.hour('Europe/Paris').lt(6)).count({ over: '1d' }),
      spread: on.max('amount', { over: '1d' }).minus(on.min('amount', { over: '1d' })),
      mean_or_zero: on.mean('amount', { over: '1d' }).orElse(0),
      size: on.row((e) => when(e.amount.gt(50), 'large').when(e.amount.gt(5), 'middle').otherwise('small')),
      cities: on.row((e) => e.city.oneHot(['Paris', 'Lyon'])),
      bucket: on.row((e) => e.amount.bucketize([1, 10, 100])),
      known_city: on.row((e) => e.city.isNull().not()),
    }),
  }),
]
