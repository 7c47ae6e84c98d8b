import type { Payment } from './payment.ts'
import { drawIndex, makeRandom, type Random } from './random.ts'

export type DisturbOptions = {
  readonly seed: number
  /** Resent messages per payment, in [0, 1]. */
  readonly duplicateShare: number
  /** Part of the payments that arrive far too late, in [0, 1]. */
  readonly lateShare: number
  /** Broken messages per payment, in [0, 1]. They come on top: the payment itself is delivered all the same. */
  readonly malformedShare: number
  /** Messages that are not late arrive less than this after their time, so that they overtake one another. */
  readonly disorderMs: number
  /** Late payments arrive between one and three times this after their time. Default: one hour. */
  readonly lateMs?: number
  /** What the fields are called on the wire. Default: as they are called here. */
  readonly names?: FieldNames
}

/** Field of a payment → its name on the wire. */
export type FieldNames = Readonly<Record<keyof Body, string>>

/** What a message says of a payment, the time as ISO 8601. */
type Body = Omit<Payment, 'scenario' | 'at'> & { readonly at: string }

const ownNames: FieldNames = {
  paymentId: 'paymentId',
  customerId: 'customerId',
  terminalId: 'terminalId',
  amount: 'amount',
  fraud: 'fraud',
  at: 'at',
}

/** One message as a producer sends it. */
export type Delivery = {
  /** JSON of the payment without its scenario and with the time as ISO 8601, or what is left of it. */
  readonly raw: Uint8Array
  readonly kind: 'good' | 'duplicate' | 'late' | 'malformed'
  /** Null when malformed. */
  readonly payment: Payment | null
  /** When it arrives, in epoch milliseconds of the payments' time. Never goes back. */
  readonly arrivesAt: number
}

/**
 * Sends payments, given in time order, the way a network does. What the kinds promise:
 * - good: less than `disorderMs` older than the newest payment delivered before it;
 * - duplicate: the very bytes of an earlier good one, and no older than a good one may be;
 * - late: at least `lateMs` older than a good payment delivered before it;
 * - malformed: refused by anyone who asks for six typed fields.
 * Every payment is delivered once as good or late; only late ones still under way when the payments end never arrive.
 * Memory holds what is under way: the payments of `disorderMs`, and the late ones of three times `lateMs`.
 */
export function disturb(payments: Iterable<Payment>, options: DisturbOptions): Generator<Delivery> {
  for (const name of ['duplicateShare', 'lateShare', 'malformedShare'] as const) {
    if (!(options[name] >= 0 && options[name] <= 1)) throw new RangeError(`${name} is ${options[name]}, not in [0, 1]`)
  }
  const { disorderMs, lateMs = 3_600_000, names = ownNames } = options
  if (!(disorderMs >= 0 && disorderMs < lateMs)) {
    throw new RangeError(`disorderMs is ${disorderMs}, not in [0, lateMs), and lateMs is ${lateMs}`)
  }
  return deliver(payments, { ...options, lateMs, names })
}

function* deliver(payments: Iterable<Payment>, options: Required<DisturbOptions>): Generator<Delivery> {
  const random = makeRandom(options.seed, 'disturbance')
  const underWay: Delivery[] = []
  // Late payments by the instant that another payment must have reached before they are let go.
  const held: Delivery[] = []
  let newestAt = Number.NEGATIVE_INFINITY
  function* release(untilMs: number): Generator<Delivery> {
    while (underWay.length > 0 && underWay[0]!.arrivesAt <= untilMs) {
      const delivery = underWay.shift()!
      yield delivery
      if (delivery.kind === 'good') newestAt = Math.max(newestAt, delivery.payment!.at)
      while (held.length > 0 && held[0]!.arrivesAt <= newestAt) {
        yield { ...held.shift()!, arrivesAt: delivery.arrivesAt }
      }
    }
  }
  for (const payment of payments) {
    yield* release(payment.at)
    for (const delivery of send(payment, options, random)) insert(delivery.kind === 'late' ? held : underWay, delivery)
  }
  yield* release(Number.POSITIVE_INFINITY)
}

/** The messages that one payment causes, by arrival. */
function send(payment: Payment, options: Required<DisturbOptions>, random: Random): readonly Delivery[] {
  const { at } = payment
  const message: Message = { names: options.names, body: bodyOf(payment) }
  const raw = encode(message)
  const arrivesAt = at + drawIndex(random, options.disorderMs)
  const sent: Delivery[] = []
  if (random() < options.lateShare) {
    const dueAt = at + Math.floor(options.lateMs * (1 + 2 * random()))
    sent.push({ raw, kind: 'late', payment, arrivesAt: dueAt })
  } else {
    sent.push({ raw, kind: 'good', payment, arrivesAt })
    if (random() < options.duplicateShare) {
      const resentAt = arrivesAt + drawIndex(random, at + options.disorderMs - arrivesAt)
      sent.push({ raw, kind: 'duplicate', payment, arrivesAt: resentAt })
    }
  }
  if (random() < options.malformedShare) {
    sent.push({ raw: malform(message, random), kind: 'malformed', payment: null, arrivesAt })
  }
  return sent
}

/** Keeps the list ordered by arrival; what was sent first goes first among equals. */
function insert(deliveries: Delivery[], delivery: Delivery): void {
  let index = deliveries.length
  while (index > 0 && deliveries[index - 1]!.arrivesAt > delivery.arrivesAt) index--
  deliveries.splice(index, 0, delivery)
}

function bodyOf({ paymentId, customerId, terminalId, amount, fraud, at }: Payment): Body {
  return { paymentId, customerId, terminalId, amount, fraud, at: new Date(at).toISOString() }
}

/** A body before it is written, whole or not, and the names to write it with. */
type Message<B extends object = Body> = { readonly names: FieldNames; readonly body: B }

const utf8 = new TextEncoder()

function encode(message: Message<object>): Uint8Array {
  return utf8.encode(JSON.stringify(renamed(message)))
}

function renamed({ names, body }: Message<object>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(body).map(([field, value]) => [names[field as keyof Body], value]))
}

type Malformation = (message: Message, random: Random) => Uint8Array

const changed = (change: (body: Body) => object): Malformation => {
  return ({ names, body }) => encode({ names, body: { ...body, ...change(body) } })
}

/** The ways in which messages are broken in practice, equally often. Each body is refused, whoever checks it. */
const malformations: readonly Malformation[] = [
  // A connection that broke in the middle: never the whole object, sometimes nothing.
  (message, random) => {
    const whole = encode(message)
    return whole.slice(0, drawIndex(random, whole.length))
  },
  // A producer in another encoding: 0xFF occurs nowhere in UTF-8.
  (message, random) => {
    const body = encode(message)
    body[drawIndex(random, body.length)] = 0xff
    return body
  },
  (message) => utf8.encode(JSON.stringify([renamed(message)])),
  // A producer that writes its own JSON.
  ({ names, body }) =>
    utf8.encode(JSON.stringify(renamed({ names, body: { ...body, amount: null } })).replace('null', 'NaN')),
  ({ names, body }, random) => {
    const fields = Object.entries(body)
    fields.splice(drawIndex(random, fields.length), 1)
    return encode({ names, body: Object.fromEntries(fields) })
  },
  ({ names, body }, random) => {
    const fields: [string, unknown][] = Object.entries(body)
    fields[drawIndex(random, fields.length)]![1] = null
    return encode({ names, body: Object.fromEntries(fields) })
  },
  changed(({ customerId }) => ({ customerId: String(customerId) })),
  changed(({ terminalId }) => ({ terminalId: terminalId + 0.5 })),
  changed(({ amount }) => ({ amount: { value: amount, currency: 'EUR' } })),
  changed(({ fraud }) => ({ fraud: fraud ? 'yes' : 'no' })),
  changed(({ at }) => ({ at: at.slice(0, 19) })),
]

function malform(message: Message, random: Random): Uint8Array {
  return malformations[drawIndex(random, malformations.length)]!(message, random)
}
