import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFolderLog } from '../../src/app/folder-log.ts'
import { applyRetentions, retentionsOf } from '../../src/app/topic-retention.ts'
import { systemClock } from '../../src/base/clock.ts'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { compile } from '../../src/plan/compile.ts'
import { string, timestamp } from '../../src/schema/field.ts'

const clicks = stream('clicks', {
  topic: 'raw',
  fields: { user: string(), at: timestamp() },
  time: 'at',
  lateness: '1m',
  retention: '2h',
})
const by = entity('user', { user: string() })
const plan = compile([featureView('v', { from: clicks, by, features: (on) => ({ n: on.count({ over: '10m' }) }) })])
const hourMs = 3_600_000

test('shows what a topic keeps and what is declared, says what would go, and changes it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-retention-'))
  const nowMs = Date.UTC(2026, 5)
  const clock = { ...systemClock, now: () => nowMs }
  try {
    const log = await openFolderLog(folder, clock)
    await log.createTopic('raw', { partitions: 1, retentionMs: 5 * hourMs })
    await log.createTopic('other', { partitions: 1 })
    for (const ageMs of [3 * hourMs, 2 * hourMs + 1, 2 * hourMs, 0]) {
      await log.append('raw', 0, [{ key: null, value: null, timestampMs: nowMs - ageMs }])
    }
    await log.close()
    const before = { topic: 'raw', streams: ['clicks'], keptMs: 5 * hourMs, declaredMs: 2 * hourMs, expired: 2 }
    assert.deepEqual(await retentionsOf(plan, { folder, clock }), [before])
    assert.deepEqual(await applyRetentions(plan, { folder, clock }), [before])
    assert.deepEqual(await retentionsOf(plan, { folder, clock }), [{ ...before, keptMs: 2 * hourMs }])
    assert.deepEqual(await applyRetentions(plan, { folder, clock }), [])
    const again = await openFolderLog(folder, clock)
    // The newest segment stays, however old its first records are.
    assert.equal(again.end('raw', 0) - again.start('raw', 0), 4)
    await again.createTopic('raw', { partitions: 1, retentionMs: 2 * hourMs })
    await again.close()
  } finally {
    await rm(folder, { recursive: true })
  }
})
