import { decimal, entity, envelope, featureView, stream, string } from '../../../src/index.ts'

const user = entity('user', { user_id: string() })
const session = entity('session', { session_id: string() })
const activity = stream('activity', {
  ...envelope({ amount: decimal(2).optional(), country: string().optional().at('context.geo.country') }),
  lateness: '10m',
})

/** The common envelope, as it is: identity and time in `metadata`, keys in `payload`, own properties below it. */
export const views = [
  featureView('user_activity', {
    from: activity,
    by: user,
    features: (on) => ({
      events: on.count({ over: '1h' }),
      spent: on.where((e) => e.event_type.eq('purchase')).sum('amount', { over: '1h' }),
      country: on.last('country', { over: '1h' }),
    }),
  }),
  featureView('session_activity', {
    from: activity,
    by: session,
    features: (on) => ({ session_events: on.count({ over: '1h' }) }),
  }),
]
