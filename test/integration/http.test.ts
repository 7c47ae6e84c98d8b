// Goal: whatever arrives over HTTP, nothing vanishes and the next good event is served without delay.
// Method: a real mill and a real server on loopback. Every raw body of the poison corpus is posted by itself. Of each
// it is known whether it is well formed; in the end the log, the counters and the dead letters must say the same.
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
import { deadLetterTopic } from '../../src/plan/topics.ts'
import { poison } from '../poison/corpus.ts'

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

async function deadLetters(): Promise<Buffer[]> {
  const { partitions } = mill.log.topics().find(({ topic }) => topic === deadLetterTopic)!
  const bodies: Buffer[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const end = mill.log.end(deadLetterTopic, partition)
    for (let offset = 0; offset < end; ) {
      const records = await mill.log.read(deadLetterTopic, partition, offset, 64 * 1024 * 1024)
      bodies.push(...records.map(({ value }) => Buffer.from(value!)))
      offset = records.at(-1)!.offset + 1
    }
  }
  return bodies
}

/** Blanks around a body, and the brackets of an array, are framing over HTTP: what is inside is judged, not they. */
const bodies = poison.filter(({ body, expected }) => {
  const inside = trimmed(body)
  const large = expected !== 'accepted' && expected[0]?.code === 'SIZE'
  return inside[0] !== '['.charCodeAt(0) && !(large && inside.length <= 1_048_576)
})

function trimmed(body: Uint8Array): Buffer {
  const isBlank = (byte: number | undefined): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13
  let start = 0
  let end = body.length
  while (start < end && isBlank(body[start])) start += 1
  while (start < end && isBlank(body[end - 1])) end -= 1
  return Buffer.from(body.subarray(start, end))
}

function goodEvent(paymentId: string): string {
  return JSON.stringify({ paymentId, customerId: 1, terminalId: 2, amount: 1.5, fraud: false, at: Date.now() - 1_000 })
}

test('a poisonous body is refused with its reasons, and the next good event is served at once', async () => {
  let sent = 0
  let slowestMs = 0
  const refused: Buffer[] = []
  for (const [index, { name, body, expected }] of bodies.entries()) {
    const answer = await post('/v1/events/payments', body)
    // What is too large for a request, or no framing at all, is answered before the log.
    const allowed = expected === 'accepted' ? [202] : [422, 400, 413]
    const text = await answer.text()
    assert.ok(allowed.includes(answer.status), `${name}: ${answer.status} ${text}`)
    if (answer.status === 202 || answer.status === 422) sent += 1
    if (answer.status === 422) {
      refused.push(trimmed(body))
      const { faults } = JSON.parse(text) as { faults: { code: string; path: string }[] }
      const found = faults.map(({ code, path }) => ({ code, path }))
      assert.deepEqual(found, expected, name)
    }
    if (index % 20 !== 0) continue
    const startedAt = performance.now()
    const before = await countOf(1)
    assert.equal((await post('/v1/events/payments', goodEvent(`good-${index}`))).status, 202)
    sent += 1
    while ((await countOf(1)) === before) assert.ok(performance.now() - startedAt < 5_000, 'the good event is served')
    slowestMs = Math.max(slowestMs, performance.now() - startedAt)
  }
  await mill.caughtUp()
  await mill.engine.checkpoint()

  const { sources } = mill.counts
  const total = (part: 'records' | 'accepted' | 'duplicate' | 'late' | 'refused'): number =>
    sources.reduce((sum, source) => sum + source[part], 0)
  assert.equal(total('records'), sent, 'every answered event is in the log')
  assert.equal(total('records'), total('accepted') + total('duplicate') + total('late') + total('refused'))
  assert.equal(total('refused'), refused.length)
  const letters = await deadLetters()
  assert.deepEqual(
    letters.sort((a, b) => Buffer.compare(a, b)),
    refused.sort((a, b) => Buffer.compare(a, b)),
    'each refused body is kept, byte for byte',
  )
  assert.ok(refused.length > 150, `${refused.length} bodies were refused`)
  assert.ok(slowestMs < 2_000, `the slowest good event took ${slowestMs} ms`)
})

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
