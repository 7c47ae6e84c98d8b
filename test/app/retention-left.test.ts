import assert from 'node:assert/strict'
import { test } from 'node:test'
import { observeEngine } from '../../src/app/server.ts'
import { retentionLeftMs } from '../../src/app/retention-left.ts'
import { makeManualClock } from '../../src/base/clock.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import { makeMetrics } from '../../src/monitor/metrics.ts'
import { makeMemoryFileSystem } from '../log/embedded/memory-file-system.ts'

test('retention leaves as long as the first unread record has, and no time for what is gone', async () => {
  const clock = makeManualClock(10_000)
  const log = await openEmbeddedLog({ folder: 'log', clock, fileSystem: makeMemoryFileSystem() })
  await log.createTopic('kept', { partitions: 1 })
  await log.createTopic('short', { partitions: 1, retentionMs: 60_000 })
  const left = async (topic: string, next: number): Promise<number | null> =>
    await retentionLeftMs({ topic, partition: 0, next }, log, clock)
  const record = (timestampMs: number) => ({ key: null, value: Buffer.from('x'), timestampMs })
  for (const topic of ['kept', 'short']) await log.append(topic, 0, [record(1_000), record(8_000)])
  assert.equal(await left('kept', 0), null)
  assert.deepEqual([await left('short', 0), await left('short', 1), await left('short', 2)], [51_000, 58_000, 60_000])
  clock.set(100_000)
  assert.equal(await left('short', 0), 0)
  await log.close()
})

test('changes of what a member of a group owns are counted by why, and timed', async () => {
  const metrics = makeMetrics()
  const observer = observeEngine(metrics)
  observer.rebalance!({ assigned: 4, moved: 0, lost: 0, owned: 4, ms: 20 })
  observer.rebalance!({ assigned: 2, moved: 0, lost: 4, owned: 2, ms: 2_000 })
  const { body } = await metrics.render()
  for (const line of [
    'millrace_group_partitions 2',
    'millrace_group_rebalances_total{why="assigned"} 2',
    'millrace_group_rebalances_total{why="moved"} 0',
    'millrace_group_rebalances_total{why="lost"} 1',
    'millrace_group_rebalance_seconds_sum 2.02',
    'millrace_group_rebalance_seconds_count 2',
  ]) {
    assert.ok(body.split('\n').includes(line), `${line}\n${body}`)
  }
})
