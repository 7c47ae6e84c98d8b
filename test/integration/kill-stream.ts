/**
 * What the chaos tests run: two views of two entities on one stream, and an endless list of raw events. Event `index`
 * follows from the seed alone, so whoever sends it again sends the same bytes.
 */
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { boolean, decimal, float, int, string, timestamp } from '../../src/schema/field.ts'

const customer = entity('customer', { customerId: int() })
const terminal = entity('terminal', { terminalId: string() })

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
  lateness: '20s',
  dedupe: '10m',
  future: '1m',
})

const spending = featureView('customer_spending', {
  from: payments,
  by: customer,
  horizon: '5m',
  features: (on) => ({
    count_life: on.count({ over: 'lifetime' }),
    count_1m: on.count({ over: '1m' }),
    amount_life: on.sum('amount', { over: 'lifetime' }),
    amount_mean_10m: on.mean('amount', { over: '10m' }),
    score_life: on.sum('score', { over: 'lifetime' }),
    last_amounts: on.lastK('amount', { over: '10m', k: 3 }),
    first_terminal: on.first('terminalId', { over: 'lifetime' }),
    newest: on.row('paymentId'),
  }),
})

const risk = featureView('terminal_risk', {
  from: payments,
  by: terminal,
  horizon: '5m',
  where: (event) => event.amount.gte(3),
  features: (on) => ({
    fraud_rate: on.mean('fraud', { over: '5m', offset: '1m' }),
    customers: on.distinctCount('customerId', { over: '10m' }),
    score_sd: on.stddev('score', { over: 'lifetime' }),
    score_max: on.max('score', { over: '10m' }),
    last_payment: on.last('paymentId', { over: 'lifetime' }),
  }),
})

export const views = [spending, risk] as const

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A second between two events, on average. */
const baseMs = Date.UTC(2024, 4, 1)

export function makeEvent(seed: number, index: number): Uint8Array {
  const random = makeRandom(seed ^ Math.imul(index + 1, 0x9e37_79b1))
  const fate = random()
  const back = 1 + Math.floor(random() * 200)
  // Sent twice by its producer, word for word.
  if (fate < 0.03 && index >= back) return makeEvent(seed, index - back)
  const event = makeFields(random, index)
  // The id of an earlier event with another payload.
  if (fate >= 0.03 && fate < 0.04 && index >= back) event['paymentId'] = idOf(index - back)
  if (fate >= 0.04 && fate < 0.08) event['at'] = isoOf(index, -60_000 - random() * 240_000)
  if (fate >= 0.08 && fate < 0.12) return spoil(event, random())
  return Buffer.from(JSON.stringify(event))
}

const idOf = (index: number): string => `payment-${index}`
const isoOf = (index: number, plusMs: number): string => new Date(baseMs + index * 1000 + plusMs).toISOString()

function makeFields(random: () => number, index: number): Record<string, unknown> {
  const often = random() < 0.9
  return {
    paymentId: idOf(index),
    customerId: Math.floor(random() ** 2 * (often ? 30 : 600)),
    terminalId: random() < 0.05 ? null : `T${Math.floor(random() * 12)}`,
    amount: Math.floor(random() ** 3 * 100_000) / 100,
    ...(random() < 0.2 ? {} : { score: random() * 10 ** Math.floor(random() * 20 - 10) - 0.1 }),
    fraud: random() < 0.1,
    // Disorder within the lateness, and now and then a little beyond it.
    at: isoOf(index, random() * 23_000 - 21_000),
  }
}

/** Every way of being refused leaves different bytes: two dead letters are never mistaken for each other. */
function spoil(event: Record<string, unknown>, choice: number): Uint8Array {
  const spoiled = [
    () => JSON.stringify(event).slice(0, -1),
    () => JSON.stringify({ ...event, at: '2099-01-01T00:00:00Z' }),
    () => JSON.stringify({ ...event, amount: 0.001 }),
    () => JSON.stringify({ ...event, customerId: null, fraud: 'no' }),
    () => JSON.stringify([event]),
    () => `${JSON.stringify(event)}\u0000`,
  ]
  return Buffer.from(spoiled[Math.floor(choice * spoiled.length)]!())
}
