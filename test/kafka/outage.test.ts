import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import type { KafkaOptions } from '../../src/log/kafka/kafka-options.ts'
import type { Log, RecordInput } from '../../src/log/log.ts'
import { numbered, readAll, values } from '../conformance/log.ts'
import { reasonToSkip, useCluster } from './broker.ts'

/**
 * Goal: a broker that dies, hangs or is away costs time and nothing else: what was acknowledged is there once and in
 * order, readers go on, and what cannot be known is said. Method: a real broker, killed and stopped under load.
 */
const skip = await reasonToSkip()

describe('when the broker is away', { skip }, async () => {
  if (skip !== false) return
  const cluster = await useCluster()
  const { brokers } = cluster
  const open = (options: Partial<KafkaOptions> = {}): Promise<Log> =>
    openKafkaLog({ brokers, clock: systemClock, replication: 1, ...options })

  test('appends that meet kill -9 are there once, in order, and readers go on', async () => {
    const [log, reader] = [await open(), await open()]
    await log.createTopic('bounced', { partitions: 2 })
    await reader.createTopic('bounced', { partitions: 2 })
    let made = 0
    let stop = false
    const appended: Promise<number>[] = []
    const appending = (async () => {
      while (!stop) {
        appended.push(log.append('bounced', 0, current(made, 3)))
        made += 3
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })()
    const read: (string | null)[] = []
    const reading = (async () => {
      for (let offset = 0; ; ) {
        await reader.waitFor('bounced', 0, offset, AbortSignal.timeout(60_000))
        const { records, next } = await reader.read('bounced', 0, offset, 100_000)
        read.push(...values(records))
        if (read.at(-1) === 'end') return
        offset = next
      }
    })()
    for (let round = 0; round < 1; round++) {
      await new Promise((resolve) => setTimeout(resolve, 300))
      await cluster.kill()
      await new Promise((resolve) => setTimeout(resolve, 300))
      await cluster.start()
    }
    stop = true
    await appending
    const offsets = await Promise.all(appended)
    assert.deepEqual(
      offsets,
      offsets.map((_, index) => index * 3),
    )
    await log.append('bounced', 0, [{ key: null, value: Buffer.from('end'), timestampMs: 1 }])
    await reading
    assert.deepEqual(read, [...values(numbered(0, made)), 'end'])
    assert.deepEqual(values(await readAll(log, 'bounced')), read)
    await log.close()
    await reader.close()
  })

  test('an append whose answer never comes is said to be unknown, and is not there later than the next', async () => {
    const log = await open({ deliveryMs: 2_000 })
    await log.createTopic('hung', { partitions: 2 })
    await log.append('hung', 0, numbered(0, 1))
    cluster.nodes[0]!.signal('SIGSTOP')
    const lost = log.append('hung', 0, current(1, 1))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const next = log.append('hung', 0, numbered(2, 1))
    setTimeout(() => void cluster.kill(), 1_000)
    await assert.rejects(lost, { code: 'KAFKA_WRITE_FAILED', message: /hung\/0/ })
    await assert.rejects(next, { code: 'KAFKA_WRITE_FAILED' })
    await cluster.kill()
    await cluster.start()
    const offset = await log.append('hung', 0, current(3, 1))
    await log.append('hung', 0, current(4, 1))
    const found = values(await readAll(log, 'hung'))
    assert.deepEqual(found.slice(offset), values(numbered(3, 2)))
    assert.ok(!found.includes(values(numbered(2, 1))[0]!), 'what waited behind it was given up with it')
    await log.close()
  })

  test('records that are old by their timestamps are not sent again: Kafka may have forgotten who sent them', async () => {
    const log = await open()
    await log.createTopic('old', { partitions: 1 })
    await log.append('old', 0, numbered(0, 1))
    cluster.nodes[0]!.signal('SIGSTOP')
    const unknown = log.append('old', 0, numbered(1, 1))
    setTimeout(() => void cluster.kill(), 500)
    await assert.rejects(unknown, { code: 'KAFKA_WRITE_FAILED', message: /old\/0/ })
    await log.close()
  })

  test('a log that cannot be opened says which brokers were tried and what they said', async () => {
    await cluster.kill()
    await assert.rejects(open(), { code: 'KAFKA_UNREACHABLE', message: new RegExp(`${brokers}.*ECONNREFUSED`) })
  })
})

/** As they are written today: Kafka remembers the producers of such batches across its restarts. */
function current(first: number, count: number): RecordInput[] {
  return numbered(first, count).map((record) => ({ ...record, timestampMs: Date.now() }))
}
