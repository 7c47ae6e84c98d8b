import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { type Delivery, disturb } from './disturb.ts'
import type { Payment } from './payment.ts'
import { simulatePayments } from './simulator.ts'

const seed = Number(process.env.SEED ?? 1)
const minuteMs = 60_000
const options = { seed, duplicateShare: 0.02, lateShare: 0.01, malformedShare: 0.02, disorderMs: 5 * minuteMs }
const payments = [...simulatePayments({ seed, startMs: Date.UTC(2024, 0, 1), days: 5 })]

describe(`payments on a disturbed way (SEED=${seed})`, () => {
  const deliveries = [...disturb(payments, options)]
  const ofKind = (kind: Delivery['kind']): readonly Delivery[] => deliveries.filter((one) => one.kind === kind)

  test('are the same deliveries for the same seed', () => {
    assert.equal(digest(disturb(payments, options)), digest(deliveries))
    assert.notEqual(digest(disturb(payments, { ...options, seed: seed + 1 })), digest(deliveries))
  })

  test('arrive once each as good or late, except late ones still under way at the end', () => {
    const delivered = [...ofKind('good'), ...ofKind('late')]
    const arrived = new Set(delivered.map(({ payment }) => payment!))
    assert.equal(arrived.size, delivered.length)
    const never = payments.filter((payment) => !arrived.has(payment))
    const endMs = payments.at(-1)!.at
    for (const payment of never) assert.ok(payment.at > endMs - 3 * 60 * minuteMs)
    assert.ok(never.length < 50)
  })

  test('have about the shares asked for', () => {
    const share = (kind: Delivery['kind']): number => ofKind(kind).length / payments.length
    assert.ok(Math.abs(share('duplicate') - 0.02) < 0.004)
    assert.ok(Math.abs(share('late') - 0.01) < 0.003)
    assert.ok(Math.abs(share('malformed') - 0.02) < 0.004)
  })

  test('keep what each kind promises about order', () => {
    let newestAt = Number.NEGATIVE_INFINITY
    let arrivesAt = Number.NEGATIVE_INFINITY
    let overtaken = 0
    for (const { kind, payment, ...delivery } of deliveries) {
      assert.ok(delivery.arrivesAt >= arrivesAt)
      arrivesAt = delivery.arrivesAt
      if (kind === 'good' || kind === 'duplicate') assert.ok(newestAt - payment!.at < options.disorderMs)
      if (kind === 'late') assert.ok(newestAt - payment!.at >= 60 * minuteMs)
      if (kind !== 'good') continue
      if (payment!.at < newestAt) overtaken++
      newestAt = Math.max(newestAt, payment!.at)
    }
    assert.ok(overtaken > payments.length / 4, `${overtaken} overtaken`)
  })

  test('are resent byte for byte after the original', () => {
    const sent = new Map<Payment, Uint8Array>()
    for (const { kind, payment, raw } of deliveries) {
      if (kind === 'good') sent.set(payment!, raw)
      if (kind === 'duplicate') assert.deepEqual(raw, sent.get(payment!))
    }
  })

  test('carry the payment, without the scenario, unless malformed', () => {
    for (const { kind, payment, raw } of deliveries) {
      if (kind === 'malformed') continue
      const { scenario: _, ...body } = payment!
      assert.deepEqual(JSON.parse(new TextDecoder().decode(raw)), { ...body, at: new Date(body.at).toISOString() })
    }
  })

  test('are refused when malformed, for many different reasons', () => {
    const reasons = new Set(ofKind('malformed').map(({ raw }) => refusalOf(raw)))
    for (const { kind, raw } of deliveries) if (kind !== 'malformed') assert.equal(refusalOf(raw), null)
    const expected = ['encoding', 'json', 'shape', 'paymentId', 'customerId', 'terminalId', 'amount', 'fraud', 'at']
    assert.deepEqual(reasons, new Set(expected))
  })

  test('carry the names they are given, broken or not', () => {
    const names = {
      paymentId: 'transaction_id',
      customerId: 'customer_id',
      terminalId: 'terminal_id',
      amount: 'amount_eur',
      fraud: 'is_fraud',
      at: 'ts',
    }
    const back = new Map(Object.entries(names).map(([own, given]) => [`"${given}":`, `"${own}":`]))
    const text = ({ raw }: Delivery): string => Buffer.from(raw).toString('latin1')
    const named = [...disturb(payments, { ...options, names })].map((one) =>
      text(one).replace(/"\w+":/g, (name) => back.get(name) ?? name),
    )
    const cut = ({ raw, kind }: Delivery): boolean =>
      kind === 'malformed' && ['json', 'encoding'].includes(refusalOf(raw)!)
    // Where a message is cut or hit depends on its length, and that on the names.
    for (const [index, delivery] of deliveries.entries()) {
      if (!cut(delivery)) assert.equal(named[index], text(delivery))
    }
  })

  test('are left alone when nothing is asked for', () => {
    const calm = { seed, duplicateShare: 0, lateShare: 0, malformedShare: 0, disorderMs: 0 }
    const delivered = [...disturb(payments, calm)]
    assert.equal(delivered.length, payments.length)
    for (const [index, { kind, payment, arrivesAt }] of delivered.entries()) {
      assert.ok(kind === 'good' && payment === payments[index] && arrivesAt === payment!.at)
    }
  })

  test('may be endless', () => {
    const endless = disturb(simulatePayments({ seed, startMs: 0 }), options)
    for (let count = 0; count < 1_000; count++) assert.equal(endless.next().done, false)
  })

  test('refuse shares outside [0, 1] and disorder as long as lateness', () => {
    for (const wrong of [
      { lateShare: 1.5 },
      { duplicateShare: Number.NaN },
      { disorderMs: -1 },
      { lateMs: minuteMs },
    ]) {
      assert.throws(() => disturb(payments, { ...options, ...wrong }), RangeError)
    }
  })
})

function digest(deliveries: Iterable<Delivery>): string {
  const hash = createHash('sha256')
  for (const { raw, kind, payment, arrivesAt } of deliveries) {
    hash.update(`${kind},${payment?.paymentId},${arrivesAt},${raw.length},`).update(raw)
  }
  return hash.digest('hex')
}

/** What keeps a message from being a payment: the first field at fault, or what is wrong with the whole. */
function refusalOf(raw: Uint8Array): string | null {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(raw)
  } catch {
    return 'encoding'
  }
  let body: Readonly<Record<string, unknown>>
  try {
    body = JSON.parse(text)
  } catch {
    return 'json'
  }
  if (Array.isArray(body)) return 'shape'
  if (typeof body.paymentId !== 'string') return 'paymentId'
  if (!Number.isInteger(body.customerId)) return 'customerId'
  if (!Number.isInteger(body.terminalId)) return 'terminalId'
  if (typeof body.amount !== 'number') return 'amount'
  if (typeof body.fraud !== 'boolean') return 'fraud'
  if (typeof body.at !== 'string' || !body.at.endsWith('Z')) return 'at'
  return null
}
