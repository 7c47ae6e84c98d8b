/** Events whose number of keys, spread, lateness and JSON can be varied: for the curves. Seeded. */
// From their own files: the whole of millrace opens stores, and one of their packages needs code generation.
import { formatDuration } from '../../src/base/duration.ts'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { boolean, decimal, int, string, timestamp } from '../../src/schema/field.ts'

/**
 * How an event is written: `nested` has its fields three levels deep, in `non-ascii` every text is, id included, and
 * `escaped` has escapes in the id and in texts that nobody reads. All are of about 240 to 300 bytes.
 */
export type EventText = 'flat' | 'nested' | 'non-ascii' | 'escaped'

export type CardWorkload = {
  readonly customers: number
  /** Zipf: the n-th customer has 1/n of the events of the first. In turn: all have the same number. */
  readonly spread: 'uniform' | 'zipf' | 'in turn'
  /** Event time between two events of the whole stream. */
  readonly stepMs: number
  readonly text?: EventText
  /** Share of events that come `lateMs` after their turn. Default 0. */
  readonly lateShare?: number
  readonly lateMs?: number
}

export type CardEvent = { customerId: number; terminalId: number; amount: number; fraud: boolean; at: number }

export const startMs = Date.UTC(2026, 0, 1)

export type ViewShape = {
  /** Each gives five aggregations per view: count, sum, mean, max and the share of fraud. */
  readonly windowsMs: readonly number[]
  /** Take only so many of them. Default: all. */
  readonly aggregations?: number
  readonly latenessMs?: number
  /** Whether the stream declares the events' id, and so remembers it. Default true. */
  readonly ids?: boolean
}

const customer = entity('customer', { customerId: int() })
const terminal = entity('terminal', { terminalId: int() })

/** A stream of the events, and a view of each of its two entities: `customers` and `terminals`. */
export function cardViews(text: EventText, shape: ViewShape) {
  const nested = text === 'nested'
  const payments = stream('payments', {
    fields: {
      paymentId: nested ? string().at('metadata.event.id') : string(),
      customerId: nested ? int().at('payload.customer.id') : int(),
      terminalId: nested ? int().at('payload.terminal.id') : int(),
      amount: nested ? decimal(2).at('payload.payment.amount') : decimal(2),
      fraud: nested ? boolean().at('payload.payment.fraud') : boolean(),
      at: nested ? timestamp('ms').at('metadata.event.at') : timestamp('ms'),
    },
    time: 'at',
    ...(shape.ids === false ? {} : { id: 'paymentId' as const }),
    lateness: formatDuration(shape.latenessMs ?? 600_000),
  })
  // Written out twice: which fields a view may use follows from its stream, and only in place.
  return [
    featureView('customers', {
      from: payments,
      by: customer,
      features: (on) =>
        named(shape, {
          count: (over) => on.count({ over }),
          sum: (over) => on.sum('amount', { over }),
          mean: (over) => on.mean('amount', { over }),
          max: (over) => on.max('amount', { over }),
          fraud: (over) => on.mean('fraud', { over }),
        }),
    }),
    featureView('terminals', {
      from: payments,
      by: terminal,
      features: (on) =>
        named(shape, {
          count: (over) => on.count({ over }),
          sum: (over) => on.sum('amount', { over }),
          mean: (over) => on.mean('amount', { over }),
          max: (over) => on.max('amount', { over }),
          fraud: (over) => on.mean('fraud', { over }),
        }),
    }),
  ]
}

type NumberFeature = ReturnType<Parameters<typeof featureView>[1]['features']>[string]
type Over = ReturnType<typeof formatDuration>

function named(shape: ViewShape, makers: Readonly<Record<string, (over: Over) => NumberFeature>>) {
  const all = shape.windowsMs.flatMap((lengthMs) => {
    const over = formatDuration(lengthMs)
    return Object.entries(makers).map(([name, make]) => [`${name}_${over}`, make(over)] as const)
  })
  return Object.fromEntries(all.slice(0, shape.aggregations))
}

/** Gives events in their order, as many as asked for at a time: a stream of any length needs no memory. */
export class CardEvents {
  readonly #workload: CardWorkload
  readonly #random = makeRandom(7)
  #made = 0

  constructor(workload: CardWorkload) {
    this.#workload = workload
  }

  /** Time of the newest event that was given. */
  get newestMs(): number {
    return startMs + (this.#made - 1) * this.#workload.stepMs
  }

  next(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => Buffer.from(this.#nextText()))
  }

  /** One event for each customer in turn, all at the same time: nobody is new afterwards. */
  *everyCustomer(perBatch: number): Generator<Uint8Array[]> {
    const { customers } = this.#workload
    for (let from = 0; from < customers; from += perBatch) {
      yield Array.from({ length: Math.min(perBatch, customers - from) }, (_, index) =>
        Buffer.from(this.#textOf(from + index, startMs)),
      )
    }
  }

  #nextText(): string {
    const { customers, spread, stepMs, lateShare = 0, lateMs = 0 } = this.#workload
    const random = this.#random
    const u = random()
    // customers ** u is spread as 1/n over the whole numbers, that is as Zipf's law with exponent 1.
    const drawn = Math.floor(spread === 'zipf' ? customers ** u - 1 : u * customers)
    const customerId = spread === 'in turn' ? this.#made % customers : drawn
    const turn = startMs + this.#made * stepMs
    const at = lateShare > 0 && random() < lateShare ? Math.max(startMs, turn - Math.floor(random() * lateMs)) : turn
    return this.#textOf(customerId, at)
  }

  #textOf(customerId: number, at: number): string {
    const { customers, text = 'flat' } = this.#workload
    const random = this.#random
    const terminalId = Math.floor(random() * Math.max(1, customers / 10))
    const amount = Math.round(random() * 20_000) / 100
    const fraud = random() < 0.01
    return write[text](`p${String(this.#made++).padStart(10, '0')}`, { customerId, terminalId, amount, fraud, at })
  }
}

type Writer = (id: string, event: CardEvent) => string

const write: Readonly<Record<EventText, Writer>> = {
  flat: (id, { customerId, terminalId, amount, fraud, at }) =>
    `{"paymentId":"${id}","customerId":${customerId},"terminalId":${terminalId},"amount":${amount},"currency":"EUR","channel":"web","country":"FR","device":"d123456","category":"groceries","fraud":${fraud},"at":${at},"loyalty":null,"note":"one of many"}`,
  nested: (id, { customerId, terminalId, amount, fraud, at }) =>
    `{"metadata":{"event":{"id":"${id}","at":${at}},"source":"web"},"payload":{"customer":{"id":${customerId},"country":"FR"},"terminal":{"id":${terminalId}},"payment":{"amount":${amount},"fraud":${fraud},"currency":"EUR","category":"groceries"}},"context":{"note":"one of many"}}`,
  'non-ascii': (id, { customerId, terminalId, amount, fraud, at }) =>
    `{"paymentId":"płatność-${id}","customerId":${customerId},"terminalId":${terminalId},"amount":${amount},"currency":"zł","channel":"sieć","country":"日本","device":"żółw 🐢","category":"épicerie","fraud":${fraud},"at":${at},"loyalty":null,"note":"одна из многих"}`,
  escaped: (id, { customerId, terminalId, amount, fraud, at }) =>
    `{"paymentId":"p\\u002d\\"${id}","customerId":${customerId},"terminalId":${terminalId},"amount":${amount},"currency":"EUR","channel":"a\\/b","country":"FR","device":"d\\t123456","category":"caf\\u00e9","fraud":${fraud},"at":${at},"loyalty":null,"note":"one\\nof\\nmany"}`,
}

/** From the text of an event to what a plain program reads of it. */
export function readerOf(text: EventText): (raw: string) => CardEvent {
  if (text !== 'nested') return (raw) => JSON.parse(raw) as CardEvent
  return (raw) => {
    const { metadata, payload } = JSON.parse(raw) as {
      metadata: { event: { at: number } }
      payload: { customer: { id: number }; terminal: { id: number }; payment: { amount: number; fraud: boolean } }
    }
    const { amount, fraud } = payload.payment
    return { customerId: payload.customer.id, terminalId: payload.terminal.id, amount, fraud, at: metadata.event.at }
  }
}

/** xorshift32: a benchmark needs the same events again, not good randomness. */
export function makeRandom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
