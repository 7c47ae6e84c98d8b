// Goal: a real millrace behind a real server says what the log, the counters and the definitions say.
// Method: on loopback. What poison does at this entrance is in test/poison.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import {
  boolean,
  decimal,
  entity,
  featureService,
  featureView,
  int,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'

const payments = stream('payments', {
  fields: {
    paymentId: string(),
    customerId: int(),
    terminalId: int(),
    amount: decimal(2),
    fraud: boolean(),
    at: timestamp('ms'),
    note: string().optional(),
  },
  time: 'at',
  id: 'paymentId',
  lateness: '36500d',
  dedupe: '36500d',
  future: '36500d',
})
const customer = entity('customer', { customerId: int() })
const spending = featureView('spending', {
  from: payments,
  by: customer,
  features: (on) => ({ payments_1h: on.count({ over: '1h' }), spent_1h: on.sum('amount', { over: '1h' }) }),
})
const service = featureService('spending_v1', [spending])

let folder: string
let mill: Mill
let server: { address: string; close(): Promise<void> }

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-http-'))
  mill = await millrace({ definitions: [service], folder, checkpointMs: 50 })
  server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
})

after(async () => {
  await server.close()
  await mill.close()
  await rm(folder, { recursive: true })
})

async function post(path: string, body: Uint8Array | string, type = 'application/json'): Promise<Response> {
  return await fetch(new URL(path, server.address), {
    method: 'POST',
    headers: { 'content-type': type },
    body: body as string,
  })
}

async function countOf(customerId: number): Promise<number> {
  const body = JSON.stringify({ service: 'spending_v1', entities: [{ customerId }] })
  const answer = await post('/v1/features', body)
  assert.equal(answer.status, 200)
  const { rows } = (await answer.json()) as { rows: { values: number[] }[] }
  return rows[0]!.values[0]!
}

function goodEvent(paymentId: string): string {
  return JSON.stringify({ paymentId, customerId: 1, terminalId: 2, amount: 1.5, fraud: false, at: Date.now() - 1_000 })
}

test('an event that is scored is not in the log', async () => {
  const before = await countOf(1)
  const event = JSON.parse(goodEvent('scored')) as unknown
  const answer = await post(
    '/v1/features',
    JSON.stringify({ service: 'spending_v1', entities: [{ customerId: 1 }], with: { stream: 'payments', event } }),
  )
  const { rows } = (await answer.json()) as { rows: { values: number[]; status: string[] }[] }
  assert.equal(rows[0]!.values[0], before + 1)
  assert.equal(await countOf(1), before)
})

test('metrics speak the names of the field and agree with the counters', async () => {
  const text = await (await fetch(new URL('/metrics', server.address))).text()
  const accepted = mill.counts.sources.reduce((sum, source) => sum + source.accepted, 0)
  assert.match(text, new RegExp(`events_processed_total\\{stream="payments",status="accepted"\\} ${accepted}\n`))
  for (const name of ['processing_latency_seconds', 'feature_computation_seconds', 'kafka_consumer_lag']) {
    assert.ok(text.includes(`# TYPE ${name}`), name)
  }
})

test('an unknown stream or service names the nearest one', async () => {
  const answer = await post('/v1/events/paymants', goodEvent('x'))
  assert.equal(answer.status, 404)
  assert.match(await answer.text(), /payments/)
  const read = await post('/v1/features', JSON.stringify({ service: 'spending_v2', entities: [{ customerId: 1 }] }))
  assert.equal(read.status, 404)
  assert.match(await read.text(), /spending_v1/)
})
