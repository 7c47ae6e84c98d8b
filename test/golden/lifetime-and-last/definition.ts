import { entity, featureView, int, stream, string, timestamp } from '../../../src/index.ts'

const user = entity('user', { user: int() })
const visits = stream('visits', {
  fields: { id: int(), user: int(), page: string().nullable(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1s',
  future: '0ms',
})

/** The view keeps 30 ms of raw events; what is older lives on in partial aggregates only. */
export const views = [
  featureView('pages', {
    from: visits,
    by: user,
    horizon: '20ms',
    ttl: '1s',
    features: (on) => ({
      visits: on.count({ over: 'lifetime' }),
      visits_10ms: on.count({ over: '10ms' }),
      first: on.first('page', { over: 'lifetime' }),
      last: on.last('page', { over: 'lifetime' }),
      newest: on.row('page'),
      pages: on.distinctCount('page', { over: 'lifetime', cap: 2 }),
      spread: on.variance('id', { over: 'lifetime', of: 'population' }),
    }),
  }),
]
