import { entity, featureView, int, stream, string, timestamp } from '../../../src/index.ts'

const user = entity('user', { user: int() })
const visits = stream('visits', {
  fields: { id: string(), user: int(), page: string(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1s',
})

/**
 * Events of one instant are ordered by id, by code points and never by arrival: U+E000 comes before U+1F600, though
 * its UTF-16 units come after.
 */
export const views = [
  featureView('pages', {
    from: visits,
    by: user,
    features: (on) => ({
      first: on.first('page', { over: '10ms' }),
      last: on.last('page', { over: '10ms' }),
      last_3: on.lastK('page', { over: '10ms', k: 3 }),
      newest: on.row('page'),
    }),
  }),
]
