import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { numbered, readAll, values } from '../conformance/log.ts'
import { makeRandom } from '../integration/kill-stream.ts'
import { reasonToSkip, useBrokers } from './broker.ts'
import { connectForeignClient } from './foreign-client.ts'

/**
 * Goal: of what others write in transactions a reader sees what was committed, each record once and in order, from
 * whatever offset and in however small portions it reads. Method: the patterns of aborts that clients are known to get
 * wrong, then histories of several producers at random, against a list of what was committed.
 */
const skip = await reasonToSkip()
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

describe(`transactions of others (SEED=${seed})`, { skip }, async () => {
  if (skip !== false) return
  const brokers = await useBrokers()
  const foreign = await connectForeignClient(brokers)

  const withTopic = async (action: (log: Log, topic: string) => Promise<void>): Promise<void> => {
    const topic = await foreign.createTopic({})
    const log = await openKafkaLog({ brokers, clock: systemClock, replication: 1 })
    try {
      await action(log, topic)
    } finally {
      await log.close()
    }
  }

  const patterns: Readonly<Record<string, readonly (readonly [value: string, committed: boolean])[]>> = {
    'an aborted one with its marker': [
      ['aborted', false],
      ['committed', true],
    ],
    'two aborted ones of one producer in one answer': [
      ['aborted 1', false],
      ['aborted 2', false],
      ['committed', true],
    ],
    'aborted, committed, aborted': [
      ['aborted 1', false],
      ['committed 1', true],
      ['aborted 2', false],
      ['committed 2', true],
    ],
  }
  for (const [name, pattern] of Object.entries(patterns)) {
    test(`are filtered: ${name}`, () =>
      withTopic(async (log, topic) => {
        const producer = await foreign.openProducer(topic)
        for (const [value, committed] of pattern) {
          await producer.send([value])
          await producer.end(committed)
        }
        const expected = pattern.filter(([, committed]) => committed).map(([value]) => value)
        assert.deepEqual(values(await settled(log, topic)), expected)
      }))
  }

  test('are filtered: an abort marker that lies beyond what was fetched', () =>
    withTopic(async (log, topic) => {
      const producer = await foreign.openProducer(topic)
      // Two megabytes before the marker: more than one answer holds.
      for (let index = 0; index < 20; index++) await producer.send([`${index} `.padEnd(100_000, 'x')])
      await log.append(topic, 0, numbered(0, 1))
      await producer.end(false)
      assert.deepEqual(values(await settled(log, topic)), ['0'])
    }))

  test('are not there before they are committed, and wake who waits when they are', () =>
    withTopic(async (log, topic) => {
      const producer = await foreign.openProducer(topic)
      await producer.send(['a', 'b'])
      await log.refresh(topic)
      assert.equal(log.end(topic, 0), 0)
      const woken = log.waitFor(topic, 0, 0, AbortSignal.timeout(20_000))
      await producer.end(true)
      await woken
      assert.deepEqual(values((await log.read(topic, 0, 0, 1_000)).records), ['a', 'b'])
    }))

  test('of several producers, at random, read from every offset', () =>
    withTopic(async (log, topic) => {
      const random = makeRandom(seed)
      const producers = await Promise.all([0, 1, 2].map(() => foreign.openProducer(topic)))
      const written: { value: string; transaction: { committed: boolean | null } }[] = []
      const open = producers.map(() => ({ committed: null as boolean | null }))
      const end = async (index: number): Promise<void> => {
        open[index]!.committed = random() < 0.5
        await producers[index]!.end(open[index]!.committed === true)
        open[index] = { committed: null }
      }
      for (let step = 0; step < 60; step++) {
        const index = Math.floor(random() * 4)
        if (index === 3) {
          const value = `plain ${step}`
          await log.append(topic, 0, [{ key: null, value: Buffer.from(value), timestampMs: 1 }])
          written.push({ value, transaction: { committed: true } })
        } else if (random() < 0.35) await end(index)
        else {
          const sent = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, nth) => `${index} ${step} ${nth}`)
          await producers[index]!.send(sent)
          for (const value of sent) written.push({ value, transaction: open[index]! })
        }
      }
      for (const index of producers.keys()) await end(index)
      const expected = written.filter(({ transaction }) => transaction.committed === true).map(({ value }) => value)
      const whole = await settled(log, topic)
      assert.deepEqual(values(whole), expected)
      assert.ok(expected.length > 10 && expected.length < written.length, `${expected.length} of ${written.length}`)
      for (let from = 0; from < log.end(topic, 0); from++) {
        const { records, next } = await log.read(topic, 0, from, 1 + Math.floor(random() * 60))
        const there = whole.filter(({ offset }) => offset >= from && offset < next)
        assert.deepEqual(
          values(records).filter((value) => value !== 'end'),
          values(there),
          `from ${from} to ${next}`,
        )
      }
    }))
})

/** All there is, once every marker is written: a record that comes after them can be read only then. */
async function settled(log: Log, topic: string): Promise<LogRecord[]> {
  await log.append(topic, 0, [{ key: null, value: Buffer.from('end'), timestampMs: 1 }])
  const records = await readAll(log, topic)
  assert.deepEqual(values(records.slice(-1)), ['end'])
  return records.slice(0, -1)
}
