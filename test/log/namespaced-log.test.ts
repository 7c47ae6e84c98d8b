import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeManualClock } from '../../src/base/clock.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import { namespacedLog } from '../../src/log/namespaced-log.ts'
import { isOwnTopic } from '../../src/plan/own-topics.ts'
import { deadLetterTopic, featureEventsTopic } from '../../src/plan/topics.ts'
import { numbered, readAll, values } from '../conformance/log.ts'
import { makeMemoryFileSystem } from './embedded/memory-file-system.ts'

describe('namespaces of one log', () => {
  test('have each their own of the topics that millrace makes, and share all others', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openEmbeddedLog({ folder: 'log', clock: makeManualClock(0), fileSystem })
    const [shop, bank] = ['shop', 'bank'].map((name) => namespacedLog(log, { name, isOwn: isOwnTopic }))
    await log.createTopic('payments.v1', { partitions: 1 })
    await log.createTopic('shop.window', { partitions: 1 })
    await log.createTopic(deadLetterTopic, { partitions: 3 })
    await shop!.createTopic(deadLetterTopic, { partitions: 1 })
    await shop!.createTopic(featureEventsTopic('spending'), { partitions: 1 })
    await bank!.createTopic(deadLetterTopic, { partitions: 2 })
    await shop!.append(deadLetterTopic, 0, numbered(0, 2))
    await shop!.append('payments.v1', 0, numbered(0, 3))

    const namesOf = (one: typeof log): string[] => one.topics().map(({ topic }) => topic)
    assert.deepEqual(namesOf(shop! as typeof log), [
      'bank.dead-letter-queue',
      'dead-letter-queue',
      'feature-events.spending',
      'payments.v1',
      'shop.window',
    ])
    assert.deepEqual(
      bank!.topics().map(({ topic, partitions }) => `${topic} ${partitions}`),
      [
        'dead-letter-queue 2',
        'payments.v1 1',
        'shop.window 1',
        'shop.dead-letter-queue 1',
        'shop.feature-events.spending 1',
      ].sort(),
    )
    assert.deepEqual(values(await readAll(shop!, deadLetterTopic)), ['0', '1'])
    assert.equal(bank!.end(deadLetterTopic, 0), 0)
    assert.equal(bank!.end('payments.v1', 0), 3)
    assert.equal(log.end('shop.dead-letter-queue', 0), 2)
    assert.equal(new Set([log.id, shop!.id, bank!.id]).size, 3)
    await log.close()
  })
})
