import {
  boolean,
  decimal,
  entity,
  featureService,
  featureView,
  float,
  int,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { makeRandom } from '../integration/kill-stream.ts'

const customer = entity('customer', { customerId: int() })
const terminal = entity('terminal', { terminalId: string() })

/** Short windows, so that retention removes segments while it runs. */
export const payments = stream('payments', {
  topic: 'payments.v1',
  fields: {
    paymentId: string(),
    customerId: int(),
    terminalId: string().nullable(),
    amount: decimal(2),
    score: float().optional(),
    fraud: boolean(),
    at: timestamp(),
  },
  time: 'at',
  id: 'paymentId',
  lateness: '5s',
  dedupe: '20s',
  future: '5s',
  retention: { keep: '75s', rebuild: 'warming' },
})

export const spending = featureView('customer_spending', {
  from: payments,
  by: customer,
  horizon: '10s',
  features: (on) => ({
    count_30s: on.count({ over: '30s' }),
    count_life: on.count({ over: 'lifetime' }),
    amount_mean_30s: on.mean('amount', { over: '30s' }),
    score_life: on.sum('score', { over: 'lifetime' }),
    last_amounts: on.lastK('amount', { over: '30s', k: 3 }),
  }),
})

export const risk = featureView('terminal_risk', {
  from: payments,
  by: terminal,
  horizon: '10s',
  where: (event) => event.amount.gte(3),
  features: (on) => ({
    fraud_rate: on.mean('fraud', { over: '20s', offset: '5s' }),
    customers: on.distinctCount('customerId', { over: '30s' }),
    score_sd: on.stddev('score', { over: '30s' }),
  }),
})

export const scoring = featureService('scoring_v1', [spending, risk])

export const customersMax = 400
export const terminalsMax = 60

/** Follows from the seed and the clock. */
export function makeSoakEvent({ seed, index, nowMs }: { seed: number; index: number; nowMs: number }): Uint8Array {
  const random = makeRandom(seed ^ Math.imul(index + 1, 0x9e37_79b1))
  const fate = random()
  // Beyond the lateness, or within it.
  const backMs = fate < 0.03 ? 8_000 + random() * 20_000 : random() * 3_000
  const event = {
    // Now and then the id of an event of a moment ago.
    paymentId: `payment-${fate > 0.97 ? index - 1 - Math.floor(random() * 20) : index}`,
    customerId: Math.floor(random() ** 2 * customersMax),
    terminalId: random() < 0.05 ? null : `T${Math.floor(random() * terminalsMax)}`,
    amount: Math.floor(random() ** 3 * 100_000) / 100,
    ...(random() < 0.2 ? {} : { score: random() * 100 - 0.1 }),
    fraud: random() < 0.1,
    at: new Date(nowMs - backMs).toISOString(),
  }
  const text = JSON.stringify(event)
  if (fate > 0.03 && fate < 0.05) return Buffer.from(text.slice(0, -1))
  if (fate > 0.05 && fate < 0.06) return Buffer.from(JSON.stringify({ ...event, amount: 'much' }))
  return Buffer.from(text)
}
