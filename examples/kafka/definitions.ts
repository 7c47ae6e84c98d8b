import { decimal, entity, envelope, featureService, featureView, stream, string } from 'millrace'

/** Events of the common envelope, from the topic `raw-events`, with one property of our own. */
export const activity = stream('activity', { ...envelope({ amount: decimal(2).optional() }), lateness: '10m' })

export const user = entity('user', { user_id: string() })

export const shopping = featureView('shopping', {
  from: activity,
  by: user,
  features: (on) => ({
    events_1h: on.count({ over: '1h' }),
    spent_1h: on.where((event) => event.event_type.eq('purchase')).sum('amount', { over: '1h' }),
    last_amount_1d: on.where((event) => event.event_type.eq('purchase')).last('amount', { over: '1d' }),
  }),
  emit: 'event',
})

export const shopperV1 = featureService('shopper_v1', [shopping])
