// Goal: what a model gave is a feature like any other: of views over `predictions`, read by HTTP, by another model as its
// input, and by training, with one value in all of them.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer } from '../../src/app/server.ts'
import { train } from '../../src/app/train.ts'
import { systemClock } from '../../src/base/clock.ts'
import {
  entity,
  featureService,
  featureView,
  float,
  int,
  type Mill,
  millrace,
  model,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { openTableReader } from '../../src/store/offline/open-table.ts'

const user = entity('user', { user: int() })
const payments = stream('payments', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const spending = featureView('spending', {
  from: payments,
  by: user,
  features: (on) => ({ count: on.count({ over: '1h' }), sum: on.sum('amount', { over: '1h' }) }),
})
const risk = model('risk', {
  version: 1,
  input: spending,
  output: { score: float() },
  score: { on: payments },
  from: ({ count, sum }) => ({ score: sum / (count + 1) }),
})

/** Another one on the same payments, whose scores are none of these features. */
const other = model('other', {
  version: 1,
  input: spending,
  output: { score: float() },
  score: { on: payments },
  from: () => ({ score: 1_000 }),
})

/** What models gave, as events at the time of the payment. Refused and failed ones have no score. */
const scores = stream('scores', {
  topic: 'predictions',
  fields: {
    model: string(),
    user: int().at('keys.user'),
    score: float().optional().at('prediction'),
    at: timestamp('ms').at('event_time'),
  },
  time: 'at',
  lateness: '1h',
})
const scored = featureView('scored', {
  from: scores,
  by: user,
  features: (on) => {
    const own = on.where((one) => one.model.eq('risk'))
    return {
      last_score: own.last('score', { over: '1h' }),
      mean_score: own.mean('score', { over: '1h' }),
      scores: own.count({ over: '1h' }),
    }
  },
})
const review = featureService('review', [spending, scored])
const reviewer = model('reviewer', {
  version: 1,
  input: review,
  output: { urgency: float() },
  missing: { default: { last_score: 0, mean_score: 0 } },
  from: ({ last_score: last, mean_score: mean, count }) => ({ urgency: last * 100 + mean + count }),
})

const atMs = Date.UTC(2026, 0, 1, 12)
const asOf = atMs + 10 * 60_000
const amounts = [10, 20, 40, 5]
/** By hand: the score right after each payment. */
const byHand = amounts.map(
  (_, index) => amounts.slice(0, index + 1).reduce((sum, one) => sum + one, 0) / (index + 1 + 1),
)

async function withMill(folder: string, use: (mill: Mill) => Promise<void>): Promise<void> {
  const models = [other, risk, reviewer]
  const mill = await millrace({ definitions: [review], models, folder, partitions: 2, checkpointMs: 50 })
  try {
    await use(mill)
  } finally {
    await mill.close()
  }
}

/** Until the predictions of what was folded are folded themselves. */
async function settled(mill: Mill): Promise<void> {
  await mill.caughtUp()
  await mill.engine.checkpoint()
  await mill.caughtUp()
}

test('scores of a stream are features in HTTP, in another model and in training, and count once over a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-model-outputs-'))
  const data = join(folder, 'data')
  const expected = [byHand[3], byHand.reduce((sum, one) => sum + one, 0) / 4, 4]
  try {
    let prefix: Record<string, readonly number[]> = {}
    await withMill(data, async (mill) => {
      const events = amounts.map((amount, index) => ({ id: `p${index}`, user: 1, amount, at: atMs + index * 60_000 }))
      // Sent twice: a duplicate is not scored.
      await mill.send(payments, [...events, events[1]!])
      await settled(mill)
      const vector = mill.read('scored', { user: 1 }, { asOf })
      assert.deepEqual(vector.values, expected)
      const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
      const post = async (path: string, body: object): Promise<unknown> => {
        const headers = { 'content-type': 'application/json' }
        const answer = await fetch(server.address + path, { method: 'POST', headers, body: JSON.stringify(body) })
        assert.equal(answer.status, 200, await answer.clone().text())
        return await answer.json()
      }
      try {
        const entities = [{ user: 1 }]
        const read = (await post('/v1/features', { service: 'review', entities, asOf })) as Read
        assert.deepEqual(read.rows[0]!.values.slice(2), expected)
        prefix = read.prefix
        const { predictions } = (await post('/v1/predict', { model: 'reviewer', entities, asOf })) as Predicted
        assert.equal(predictions[0]!.output.urgency, expected[0]! * 100 + expected[1]! + 4)
      } finally {
        await server.close()
      }
      assert.deepEqual(await trained(mill, folder, prefix), [[4, 75, ...expected]])
    })
    // What a new process finds is what was there: no score is made or counted again.
    await withMill(data, async (mill) => {
      await settled(mill)
      assert.deepEqual(mill.read('scored', { user: 1 }, { asOf }).values, expected)
      const ends = [0, 1].map((partition) => mill.log.end('predictions', partition))
      assert.equal(ends[0]! + ends[1]!, 8)
      assert.deepEqual(mill.reader.prefixOf(mill.reader.prepare({ service: 'review' })), prefix)
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

type Read = { readonly rows: { readonly values: unknown[] }[]; readonly prefix: Record<string, readonly number[]> }
type Predicted = { readonly predictions: { readonly output: { readonly urgency: number } }[] }

async function trained(mill: Mill, folder: string, prefix: Read['prefix']): Promise<unknown[][]> {
  const spine = join(folder, 'spine.csv')
  await writeFile(spine, `user,at\n1,${new Date(asOf).toISOString()}\n`)
  const output = join(folder, 'set.parquet')
  await train({ plan: mill.plan, target: 'review', spine, at: 'at', history: { log: mill.log, prefix }, output })
  const names = ['count', 'sum', 'last_score', 'mean_score', 'scores']
  for await (const { columns } of (await openTableReader(output)).read(names)) {
    return columns[0]!.map((_, row) => columns.map((column) => Number(column[row])))
  }
  return []
}
