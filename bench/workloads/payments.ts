/**
 * Events for the benchmarks: flat JSON payments of about 230 bytes with 13 fields, of which a plan reads six. Seeded;
 * keys are uniform or Zipf-like over `customers` and a tenth as many terminals.
 */
import {
  boolean,
  decimal,
  type Duration,
  entity,
  featureService,
  featureView,
  int,
  stream,
  string,
  timestamp,
} from 'millrace'

const customer = entity('customer', { customerId: int() })
const terminal = entity('terminal', { terminalId: int() })

export const payments = stream('payments', {
  fields: {
    paymentId: string(),
    customerId: int(),
    terminalId: int(),
    amount: decimal(2),
    fraud: boolean(),
    at: timestamp('ms'),
  },
  time: 'at',
  id: 'paymentId',
  lateness: '10m',
})

/** Two entities, four windows. */
export const fraudFeatures = featureService('fraud', [
  featureView('spending', {
    from: payments,
    by: customer,
    features: (on) => ({
      payments_1h: on.count({ over: '1h' }),
      amount_sum_1h: on.sum('amount', { over: '1h' }),
      payments_1d: on.count({ over: '1d' }),
      amount_mean_1d: on.mean('amount', { over: '1d' }),
      amount_max_1d: on.max('amount', { over: '1d' }),
    }),
  }),
  featureView('risk', {
    from: payments,
    by: terminal,
    features: (on) => ({
      seen_6h: on.count({ over: '6h' }),
      fraud_rate_7d: on.mean('fraud', { over: '7d' }),
    }),
  }),
])

/** One entity: five aggregations in each window. */
function viewOf(name: string, windows: readonly Duration[]) {
  return featureView(name, {
    from: payments,
    by: customer,
    features: (on) =>
      Object.fromEntries(
        windows.flatMap((over): [string, NumberFeature][] => [
          [`count_${over}`, on.count({ over })],
          [`sum_${over}`, on.sum('amount', { over })],
          [`mean_${over}`, on.mean('amount', { over })],
          [`max_${over}`, on.max('amount', { over })],
          [`fraud_${over}`, on.mean('fraud', { over })],
        ]),
      ),
  })
}

export const features10 = viewOf('ten', ['1h', '1d'])
export const features50 = viewOf('fifty', ['1m', '5m', '15m', '30m', '1h', '3h', '6h', '12h', '1d', '7d'])
export const features250 = viewOf(
  'twohundredfifty',
  Array.from({ length: 50 }, (_, index): Duration => `${3 * index + 1}h`),
)

type NumberFeature = ReturnType<Parameters<typeof featureView>[1]['features']>[string]

export type Workload = {
  readonly events: number
  readonly customers: number
  readonly keys: 'uniform' | 'zipf'
  /** Event time between two events of the whole stream, milliseconds. */
  readonly stepMs: number
  /** Of the first event. Default: 2026. */
  readonly startMs?: number
}

/** Raw bytes of each event, in event time order. */
export function makePayments({ events, customers, keys, stepMs, startMs = yearStartMs }: Workload): Uint8Array[] {
  const random = makeRandom(42)
  const draw = (count: number): number => {
    const u = random()
    // u³ puts half of the events on an eighth of the keys: heavy at the head, long in the tail.
    return Math.floor((keys === 'zipf' ? u ** 3 : u) * count)
  }
  return Array.from({ length: events }, (_, index) =>
    Buffer.from(
      JSON.stringify({
        paymentId: `p${String(index).padStart(10, '0')}`,
        customerId: draw(customers),
        terminalId: draw(customers / 10),
        amount: Math.round(random() * 20_000) / 100,
        currency: 'EUR',
        channel: random() < 0.5 ? 'web' : 'terminal',
        country: 'FR',
        device: `d${Math.floor(random() * 1e6)}`,
        category: 'groceries',
        fraud: random() < 0.01,
        at: startMs + index * stepMs,
        loyalty: null,
        note: 'one of many',
      }),
    ),
  )
}

const yearStartMs = Date.UTC(2026, 0, 1)

/** xorshift32: a benchmark needs the same events again, not good randomness. */
function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
