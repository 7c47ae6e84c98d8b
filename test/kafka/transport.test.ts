import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { type Compression, compressions } from '../../src/log/kafka/compression.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import type { KafkaOptions } from '../../src/log/kafka/kafka-options.ts'
import type { Log, RecordInput } from '../../src/log/log.ts'
import { runKafkaTool } from '../../scripts/kafka/tool.ts'
import { numbered, readAll, values } from '../conformance/log.ts'
import { reasonToSkip, useBrokers } from './broker.ts'
import { connectForeignClient } from './foreign-client.ts'

/**
 * Goal: what Kafka can make of a topic comes through as it is: codecs, kinds of timestamps, large records, what
 * compaction and deletion leave, topics that are somebody else's. Method: a real broker, whose own code compresses anew
 * what a topic is set to, compacts, deletes; and Kafka's console tools, to which ours has to look like anybody else.
 */
const skip = await reasonToSkip()

describe('the Kafka log', { skip }, async () => {
  if (skip !== false) return
  const brokers = await useBrokers()
  const foreign = await connectForeignClient(brokers)
  const open = (options: Partial<KafkaOptions> = {}): Promise<Log> =>
    openKafkaLog({ brokers, clock: systemClock, replication: 1, ...options })

  const withLog = async (options: Partial<KafkaOptions>, action: (log: Log) => Promise<void>): Promise<void> => {
    const log = await open(options)
    await using(log, action)
  }

  for (const ours of compressions) {
    test(`writes ${ours} that the broker reads, and reads what it compresses anew`, async () => {
      const topics = new Map<Compression, string>()
      for (const theirs of compressions) {
        const type = theirs === 'none' ? 'uncompressed' : theirs
        topics.set(theirs, await foreign.createTopic({ 'compression.type': type, 'max.message.bytes': '8000000' }))
      }
      await withLog({ compression: ours }, async (log) => {
        for (const [theirs, topic] of topics) {
          const records = mixed()
          await log.append(topic, 0, records)
          const read = await readAll(log, topic)
          const expected = records.map((record, offset) => ({ headers: [], ...record, offset }))
          assert.deepEqual(read.map(plain), expected.map(plain), `${ours} to ${theirs}`)
        }
      })
    })
  }

  test('is like any other client to Kafka’s own consumer', async () => {
    await withLog({ compression: 'snappy' }, async (log) => {
      const topic = `console-${randomUUID()}`
      await log.createTopic(topic, { partitions: 1 })
      const text = 'a longer value that compresses '.repeat(50)
      await log.append(topic, 0, [
        { key: Buffer.from('k'), value: Buffer.from(text), timestampMs: 12, headers: [['h', Buffer.from('1')]] },
        { key: null, value: null, timestampMs: 13 },
      ])
      const show = ['print.key', 'print.headers', 'print.timestamp'].flatMap((name) => [
        '--formatter-property',
        `${name}=true`,
      ])
      const from = ['--bootstrap-server', brokers, '--topic', topic, '--from-beginning', '--max-messages', '2']
      const printed = await runKafkaTool('consumer.ConsoleConsumer', [...from, '--timeout-ms', '20000', ...show])
      assert.deepEqual(printed.trimEnd().split('\n'), [
        `CreateTime:12\th:1\tk\t${text}`,
        'CreateTime:13\tNO_HEADERS\tnull\tnull',
      ])
    })
  })

  test('takes records over a megabyte where the topic does, and refuses what the topic would', async () => {
    await withLog({ compression: 'none' }, async (log) => {
      const topic = `large-${randomUUID()}`
      await log.createTopic(topic, { partitions: 1 })
      const value = Buffer.alloc(5_000_000, 'x')
      await log.append(topic, 0, [...numbered(0, 1), { key: null, value, timestampMs: 1 }])
      const [, large] = await readAll(log, topic)
      assert.ok(Buffer.from(large!.value!).equals(value))

      const small = await foreign.createTopic({ 'max.message.bytes': '10000' })
      await using(await open({ compression: 'none' }), async (other) => {
        const refused = other.append(small, 0, [{ key: null, value: Buffer.alloc(20_000), timestampMs: 1 }])
        const after = other.append(small, 0, numbered(1, 1))
        await assert.rejects(refused, { code: 'LOG_RECORD_TOO_LARGE' })
        assert.equal(await after, 0)
      })
    })
  })

  test('gives the time that the topic keeps, the producer’s or the broker’s', async () => {
    const beforeMs = Date.now()
    const topic = await foreign.createTopic({ 'message.timestamp.type': 'LogAppendTime' })
    await withLog({}, async (log) => {
      await log.append(topic, 0, numbered(0, 3))
      for (const { timestampMs } of await readAll(log, topic)) assert.ok(timestampMs >= beforeMs - 1_000)
      assert.equal(await log.offsetAt(topic, 0, beforeMs - 1_000), 0)
    })
  })

  test('reads across the gaps that compaction leaves, from every offset', async () => {
    const compacting = {
      'cleanup.policy': 'compact',
      'segment.ms': '200',
      'min.cleanable.dirty.ratio': '0.001',
      'max.compaction.lag.ms': '300',
      'delete.retention.ms': '100',
    }
    const topic = await foreign.createTopic(compacting)
    await withLog({}, async (log) => {
      const put = (key: string, value: string | null): RecordInput => ({
        key: Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        timestampMs: Date.now(),
      })
      for (let round = 0; round < 4; round++) {
        for (let key = 0; key < 5; key++) await log.append(topic, 0, [put(`k${key}`, `${round}.${key}`)])
      }
      await log.append(topic, 0, [put('k0', null)])
      // A segment is closed by the first record that comes after its time.
      let left = await readAll(log, topic)
      for (let tries = 0; tries < 60 && left.length > 12; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 300))
        await log.append(topic, 0, [put('tick', `${tries}`)])
        left = await readAll(log, topic)
      }
      assert.ok(left.length <= 12, `${left.length} records are left`)
      assert.equal(log.start(topic, 0), 0)
      assert.ok(left.at(-1)!.offset >= 20, 'offsets are what they were')
      for (let key = 1; key < 5; key++) {
        const last = left.findLast((record) => Buffer.from(record.key!).toString() === `k${key}`)
        assert.equal(Buffer.from(last!.value!).toString(), `3.${key}`)
      }
      await using(await open(), async (fresh) => {
        const there = await readAll(fresh, topic)
        for (let from = 0; from < there.at(-1)!.offset; from++) {
          const { records, next } = await fresh.read(topic, 0, from, 1)
          const expected = there.find(({ offset }) => offset >= from)!
          assert.ok(next > from)
          if (records.length > 0) assert.equal(records[0]!.offset, expected.offset)
          else assert.ok(next <= expected.offset)
        }
      })
    })
  })

  test('refuses to read what was deleted, and begins where the topic does', async () => {
    await withLog({}, async (log) => {
      const topic = `deleted-${randomUUID()}`
      await log.createTopic(topic, { partitions: 1 })
      for (let index = 0; index < 10; index++) await log.append(topic, 0, numbered(index, 1))
      await foreign.deleteRecordsBefore(topic, 4)
      await assert.rejects(
        using(await open(), (fresh) => fresh.read(topic, 0, 3, 1_000)),
        { code: 'LOG_OFFSET_OUT_OF_RANGE' },
      )
      await log.refresh(topic)
      assert.equal(log.start(topic, 0), 4)
      assert.deepEqual(values(await readAll(log, topic)), ['4', '5', '6', '7', '8', '9'])
    })
  })

  test('does not take a topic of the same name for the same topic', async () => {
    await withLog({}, async (log) => {
      const topic = `replaced-${randomUUID()}`
      await log.createTopic(topic, { partitions: 1 })
      await log.append(topic, 0, numbered(0, 5))
      await foreign.deleteTopic(topic)
      await foreign.createTopicNamed(topic)
      await using(await open(), (other) => other.append(topic, 0, numbered(0, 9)))
      await assert.rejects(log.read(topic, 0, 2, 1_000), { code: 'KAFKA_TOPIC_REPLACED' })
    })
  })

  test('sees what another process appends, and creates', async () => {
    await withLog({}, async (log) => {
      await using(await open(), async (other) => {
        const topic = `shared-${randomUUID()}`
        await other.createTopic(topic, { partitions: 2, retentionMs: 86_400_000 })
        await log.createTopic(topic, { partitions: 2 })
        assert.equal(log.topics().find((one) => one.topic === topic)?.retentionMs, 86_400_000)
        const waiting = log.waitFor(topic, 1, 0, AbortSignal.timeout(20_000))
        await other.append(topic, 1, numbered(0, 2))
        await waiting
        assert.deepEqual(values((await log.read(topic, 1, 0, 1_000)).records), ['0', '1'])
        await other.append(topic, 0, numbered(5, 1))
        await log.refresh(topic)
        assert.equal(log.end(topic, 0), 1)
      })
    })
  })

  test('creates no topic with fewer copies than asked for, and never changes one', async () => {
    await withLog({ replication: 3 }, async (log) => {
      const created = log.createTopic(`copies-${randomUUID()}`, { partitions: 1 })
      await assert.rejects(created, { code: 'KAFKA_REPLICAS_TOO_FEW', message: /3 replicas.*1 broker/ })
      const theirs = await foreign.createTopic({ 'retention.ms': '60000' }, 4)
      await assert.rejects(log.createTopic(theirs, { partitions: 3 }), { code: 'LOG_TOPIC_MISMATCH' })
      const longer = log.createTopic(theirs, { partitions: 4, retentionMs: 120_000 })
      await assert.rejects(longer, { code: 'LOG_RETENTION_MISMATCH' })
    })
  })
})

/** Compressible and not, empty and null, in two megabytes. */
function mixed(): RecordInput[] {
  const noise = Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 2_654_435_761) >>> 24))
  return [
    { key: null, value: null, timestampMs: 5 },
    { key: Buffer.alloc(0), value: Buffer.alloc(0), timestampMs: 4, headers: [['größe', Buffer.from('1')]] },
    { key: noise, value: Buffer.alloc(2_000_000, 'abc'), timestampMs: 1_700_000_000_000 },
    ...Array.from({ length: 1_000 }, (_, index) => ({
      key: Buffer.from(`key ${index % 7}`),
      value: Buffer.from(JSON.stringify({ index, text: 'the same again and again' })),
      timestampMs: 1_700_000_000_000 + index,
    })),
  ]
}

function plain({ key, value, headers = [], timestampMs }: RecordInput): unknown {
  const text = (bytes: Uint8Array | null): string | null =>
    bytes === null ? null : Buffer.from(bytes).toString('base64')
  return { key: text(key), value: text(value), timestampMs, headers: headers.map(([name, one]) => [name, text(one)]) }
}

async function using<Result>(log: Log, action: (log: Log) => Promise<Result>): Promise<Result> {
  try {
    return await action(log)
  } finally {
    await log.close()
  }
}
