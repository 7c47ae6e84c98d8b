import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import {
  entity,
  type FeatureView,
  featureView,
  int,
  kafka,
  type Mill,
  millrace,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { systemClock } from '../../src/base/clock.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { reasonToSkip, useCluster } from './broker.ts'
import { connectForeignClient } from './foreign-client.ts'

/**
 * Goal: the engine on a log in Kafka comes to what the records in it say, across aborted transactions of others, a
 * restart, and a rejection on its own topic. Method: the naive model reads the same topics.
 */
const skip = await reasonToSkip()

describe('the engine on a log in Kafka', { skip }, async () => {
  if (skip !== false) return
  // Registry and rejections are the cluster's: nothing else may be in them.
  const { brokers } = await useCluster()
  const foreign = await connectForeignClient(brokers)
  const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-engine-'))
  const opened: Mill[] = []
  after(async () => {
    for (const mill of opened) await mill.close()
    await rm(folder, { recursive: true })
  })

  test('folds a topic that was there before, and goes on after a restart', async () => {
    const topic = await foreign.createTopic({}, 2)
    const views = viewsOf(topic)
    const open = async (): Promise<Mill> => {
      const log = kafka(brokers, { replication: 1 })
      const mill = await millrace({ folder, definitions: views, log, checkpointMs: 50 })
      opened.push(mill)
      return mill
    }
    const producer = await foreign.openProducer(topic)
    await producer.send(click(0, 10).map((event) => JSON.stringify(event)))
    await producer.end(true)
    await producer.send(click(900, 20).map((event) => JSON.stringify({ ...event, user: 'aborted' })))
    await producer.end(false)

    const first = await open()
    await first.send(views[0]!.from, click(100, 30))
    await first.ingest('clicks', [Buffer.from('no event')])
    await first.caughtUp()
    await first.close()

    const others = await openKafkaLog({ brokers, clock: systemClock })
    await others.append(topic, 1, click(200, 25).map(record))
    await others.close()
    const second = await open()
    await second.send(views[0]!.from, click(300, 5))
    await second.caughtUp()
    await second.engine.checkpoint()
    const tally = await assertMatchesLog(
      { plan: second.plan, log: second.log, engine: second.engine, views },
      [0, 1_000],
    )
    assert.deepEqual([tally.records, tally.deadLetters], [71, 1])
    assert.equal(second.read('clicking', { user: 'aborted' }, { asOf: 'latest' }).values[0], 0)
    await second.close()
  })
})

function viewsOf(topic: string): [FeatureView] & readonly FeatureView[] {
  const clicks = stream('clicks', {
    topic,
    fields: { id: string(), user: string(), value: int(), at: timestamp() },
    time: 'at',
    id: 'id',
    lateness: '1h',
  })
  const user = entity('user', { user: string() })
  return [
    featureView('clicking', {
      from: clicks,
      by: user,
      features: (on) => ({ count_1h: on.count({ over: '1h' }), sum_1h: on.sum('value', { over: '1h' }) }),
    }),
  ]
}

const startMs = Date.now() - 3_600_000

function click(first: number, count: number): { id: string; user: string; value: number; at: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${first + index}`,
    user: `u${(first + index) % 7}`,
    value: first + index,
    at: new Date(startMs + (first + index) * 1_000).toISOString(),
  }))
}

function record(event: object): { key: null; value: Uint8Array; timestampMs: number } {
  return { key: null, value: Buffer.from(JSON.stringify(event)), timestampMs: Date.now() }
}
