import { entity, featureView, int, stream, string, timestamp } from '../../../src/index.ts'

const user = entity('user', { user: int() })
const visits = stream('visits', {
  fields: { user: int(), page: string(), at: timestamp('ms') },
  time: 'at',
  lateness: '1s',
})

/** Where the events lie in the log breaks their ties, so the partitions are part of the case. */
export const partitions = [1]

/** Without an id nothing is a duplicate, and events of one instant are ordered by partition and offset. */
export const views = [
  featureView('pages', {
    from: visits,
    by: user,
    features: (on) => ({ count: on.count({ over: '10ms' }), last_3: on.lastK('page', { over: '10ms', k: 3 }) }),
  }),
]
