// Goal: a request that comes through the log gets the vector that the features route gives, or the reason why not.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { letters } from '../../src/app/dead-letters.ts'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import {
  entity,
  featureService,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { coordinatesIn } from '../../src/stream/output-headers.ts'

const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const spending = featureView('spending', {
  from: payments,
  by: user,
  features: (on) => ({ count: on.count({ over: '1h' }), mean: on.mean('amount', { over: '1h' }) }),
})
const scoring = featureService('scoring', [spending])
const atMs = Date.UTC(2026, 0, 1, 12)
const asOf = atMs + 10

async function withMill(use: (mill: Mill, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-requests-'))
  const mill = await millrace({ definitions: [scoring], folder, partitions: 2, answerRequests: true })
  try {
    await mill.send(payments, [
      { id: 'a', user: 1, amount: 2, at: atMs },
      { id: 'b', user: 1, amount: 4, at: atMs + 1 },
    ])
    await mill.caughtUp()
    await use(mill, folder)
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
}

async function ask(mill: Mill, partition: number, requests: readonly (object | string)[]): Promise<void> {
  const records = requests.map((request) => ({
    key: null,
    value: Buffer.from(typeof request === 'string' ? request : JSON.stringify(request)),
    timestampMs: asOf,
  }))
  await mill.log.append('feature-requests', partition, records)
  await mill.answering!.caughtUp()
}

type FeatureAnswer = {
  readonly request_id: string
  readonly outcome: string
  readonly reason?: string
  readonly path?: string
  readonly features?: Readonly<Record<string, unknown>>
}

async function answers(mill: Mill, partition: number): Promise<FeatureAnswer[]> {
  const { records } = await mill.log.read('computed-features', partition, 0, 1024 * 1024)
  return records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as FeatureAnswer)
}

test('a request is answered beside it, with what the values have seen', async () => {
  await withMill(async (mill) => {
    await ask(mill, 1, [{ request_id: 'r1', user_id: 'u-1', service: 'scoring', keys: { user: 1 }, as_of: asOf }])
    const [answer] = await answers(mill, 1)
    const { timestamp: answeredAt, ...rest } = answer as FeatureAnswer & { readonly timestamp: string }
    assert.match(answeredAt, /^20\d\d-.*Z$/)
    assert.deepEqual(rest, {
      request_id: 'r1',
      user_id: 'u-1',
      outcome: 'served',
      service: 'scoring',
      keys: { user: 1 },
      as_of: '2026-01-01T12:00:00.010Z',
      features: { count: 2, mean: 3 },
      status: {},
      prefix: { payments: mill.engine.prefix('payments') },
      plan: mill.plan.hash.slice(0, 12),
    })
    const [record] = (await mill.log.read('computed-features', 1, 0, 1024)).records
    assert.deepEqual(coordinatesIn(record!), {
      stream: 'feature-requests',
      topic: 'feature-requests',
      partition: 1,
      offset: 0,
    })
    assert.equal(Buffer.from(record!.key!).toString(), 'r1')
  })
})

test('what is wrong with a request is said to whoever asks and kept among the dead letters; the next is answered', async () => {
  await withMill(async (mill) => {
    await ask(mill, 0, [
      'not json',
      { service: 'scoring', keys: { user: 1 } },
      { request_id: 'r3', service: 'scorin', keys: { user: 1 } },
      { request_id: 'r4', service: 'scoring', keys: { user: 'one' } },
      { request_id: 'r5', service: 'scoring', keys: { user: 1 }, as_of: 'yesterday' },
      { request_id: 'r6', features: ['spending:mean'], keys: { user: 1 }, as_of: 'request' },
      { request_id: 'r7', features: ['spending:none'], keys: { user: 1 } },
      { request_id: 'r8', service: 'scoring' },
    ])
    const told = (await answers(mill, 0)).map(({ request_id: id, outcome, reason, path, features }) =>
      outcome === 'served' ? [id, features] : [id, reason, path],
    )
    assert.deepEqual(told, [
      [null, 'JSON', ''],
      [null, 'MISSING', 'request_id'],
      ['r3', 'NAME_UNDECLARED', 'service'],
      ['r4', 'KEY_MALFORMED', 'keys'],
      ['r5', 'TIME', 'as_of'],
      ['r6', { 'spending:mean': 3 }],
      ['r7', 'NAME_UNDECLARED', 'service'],
      ['r8', 'MISSING', 'keys'],
    ])
    const kept: unknown[] = []
    for await (const { reason, offset } of letters(
      mill.log,
      { kind: 'refused', stream: 'feature-requests' },
      { clock: systemClock },
    )) {
      kept.push([offset, reason])
    }
    assert.deepEqual(kept, [
      [0, 'JSON'],
      [1, 'MISSING'],
      [2, 'NAME_UNDECLARED'],
      [3, 'KEY_MALFORMED'],
      [4, 'TIME'],
      [6, 'NAME_UNDECLARED'],
      [7, 'MISSING'],
    ])
  })
})

test('nothing is answered again when it is opened again, and the metrics say how far it is', async () => {
  await withMill(async (mill, folder) => {
    await ask(mill, 0, [{ request_id: 'r1', service: 'scoring', keys: { user: 1 } }])
    await mill.close()
    const again = await millrace({ folder, answerRequests: true })
    try {
      await ask(again, 0, [{ request_id: 'r2', service: 'scoring', keys: { user: 9 } }])
      assert.deepEqual(
        (await answers(again, 0)).map((one) => one.request_id),
        ['r1', 'r2'],
      )
      const server = await startServer({ mill: again, host: '127.0.0.1', port: 0, clock: systemClock })
      const metrics = await (await fetch(`${server.address}/metrics`)).text()
      assert.match(metrics, /^kafka_consumer_lag\{topic="feature-requests",partition="0"\} 0$/m)
      await server.close()
    } finally {
      await again.close()
    }
  })
})
