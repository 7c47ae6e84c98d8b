/** The example's payments, features and models, for the benchmarks of predictions. */
import { float, type Mill, model, onnx, registry } from 'millrace'
import { payments, scoring } from '../../examples/card-fraud/features.ts'

export { payments, scoring }

export const customers = 2_000
export const terminals = 500
/** Of the events that a folder is filled with: one a second up to this instant. */
export const lastMs = Date.UTC(2026, 0, 10)

const output = { score: float() }
const outputs = { score: { tensor: 'probabilities', column: 1 } }
const models = new URL('../../examples/card-fraud/models/', import.meta.url)
const missing = 'pass'

export const boostedFile = new URL('boosted.onnx', models)
export const logisticFile = new URL('logistic.onnx', models)

/** Fifteen inputs of three views and two entities, 48 kB of boosted trees. */
export const boosted = model('boosted', {
  version: 1,
  input: scoring,
  missing,
  output,
  from: onnx(boostedFile, { outputs }),
})

/** The same, of each payment as it comes. */
export const scorer = model('scorer', {
  version: 1,
  input: scoring,
  missing,
  output,
  from: onnx(boostedFile, { outputs }),
  score: { on: payments },
})

/** The regression takes nothing that is missing. */
const windows = ['1d', '7d', '30d'] as const
const zeros = {
  ...Object.fromEntries(
    windows.flatMap((over) => ['c_nb', 'c_avg', 't_nb', 't_risk'].map((name) => [`${name}_${over}`, 0])),
  ),
  amount: 0,
  w: 0,
  n: 0,
}

/** Of the registry: `alone` has one version, `shadowed` a live one and a shadow, `switched` is promoted back and forth. */
export const registered = ['alone', 'shadowed', 'switched'].map((name) =>
  model(name, { input: scoring, missing: { default: zeros }, output, from: registry({ outputs }) }),
)

/** Raw bytes of payments `from`, `from + 1`, …, all at one instant. */
export function paymentBodies(from: number, count: number, at: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => paymentBody(from + index, at))
}

function paymentBody(n: number, at: number): Uint8Array {
  const { customer_id: customer, terminal_id: terminal } = keysOf(n)
  return Buffer.from(
    `{"transaction_id":"s${n}","ts":${at},"customer_id":${customer},"terminal_id":${terminal},"amount":${(n % 400) / 4 + 0.25},"fraud":${n % 97 === 0}}`,
  )
}

/** Customers and terminals in an order that never has the same twice in a row. */
export function keysOf(n: number): { customer_id: number; terminal_id: number } {
  return { customer_id: (n * 7_919) % customers, terminal_id: (n * 104_729) % terminals }
}

/** `count` payments a minute apart, up to `lastMs`. */
export async function fill(mill: Mill, count: number): Promise<void> {
  const bodies = Array.from({ length: count }, (_, n) => paymentBody(n, lastMs - (count - n) * 60_000))
  for (let from = 0; from < count; from += 2_000) await mill.ingest(payments.name, bodies.slice(from, from + 2_000))
  await mill.caughtUp()
}
