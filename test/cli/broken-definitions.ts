import { entity, featureView, int, stream, timestamp } from '../../src/index.ts'

/** Three faults that the compiler cannot see. */
const customer = entity('customer', { customerId: int() })
const payments = stream('payments', {
  topic: 'no topic',
  fields: { customerId: int(), at: timestamp() },
  time: 'at',
  lateness: '10m',
})

export const spending = featureView('spending', {
  from: payments,
  by: customer,
  keys: { customerId: 'customerid' as 'customerId' },
  features: (on) => ({ payments_0d: on.count({ over: '0d' }) }),
})
