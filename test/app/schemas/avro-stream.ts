import avsc from 'avsc'
import {
  avro,
  decimal,
  entity,
  featureService,
  featureView,
  int,
  stream,
  string,
  timestamp,
} from '../../../src/index.ts'

export const paymentSchema = {
  type: 'record',
  name: 'Payment',
  namespace: 'shop',
  fields: [
    { name: 'paymentId', type: 'string' },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'customer', type: { type: 'record', name: 'Customer', fields: [{ name: 'id', type: 'long' }] } },
    { name: 'cents', type: 'bytes' },
    { name: 'at', type: 'long' },
  ],
}

/** What the registry holds: as `paymentSchema`, which avsc writes with, and with the logical types that it leaves out. */
export const registeredSchema = {
  ...paymentSchema,
  fields: paymentSchema.fields.map((field) =>
    field.name === 'cents'
      ? { name: 'cents', type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 } }
      : field.name === 'at'
        ? { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } }
        : field,
  ),
}

export const customer = entity('customer', { customerId: int() })

/** A function: each test has a registry of its own. */
export function spendingFrom(registry: string) {
  const payments = stream('payments', {
    fields: {
      paymentId: string(),
      customerId: int().at('customer.id'),
      amount: decimal(2).at('cents'),
      at: timestamp('us'),
      note: string().optional(),
    },
    format: avro({ registry }),
    time: 'at',
    id: 'paymentId',
    lateness: '1d',
  })
  const spending = featureView('spending', {
    from: payments,
    by: customer,
    features: (on) => ({
      payments: on.count({ over: '7d' }),
      spent: on.sum('amount', { over: '7d' }),
      notes: on.distinctCount('note', { over: '7d' }),
    }),
  })
  return { payments, spending, service: featureService('shop', [spending]) }
}

const type = avsc.Type.forSchema(paymentSchema as avsc.Schema, { wrapUnions: false })

export type Payment = { readonly id: string; readonly customer: number; readonly cents: number; readonly atMs: number }

/** As Confluent's serializer writes it. */
export function confluent(
  schema: number,
  { id, customer: of, cents, atMs }: Payment,
  note: string | null = null,
): Buffer {
  const amount = Buffer.alloc(8)
  amount.writeBigInt64BE(BigInt(cents))
  const body = type.toBuffer({ paymentId: id, note, customer: { id: of }, cents: amount, at: atMs * 1000 })
  return framed(schema, body)
}

export function framed(schema: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(schema, 1)
  return Buffer.concat([head, body])
}
