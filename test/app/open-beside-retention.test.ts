import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openReadOnlyLog } from '../../src/app/inspect-folder.ts'
import { systemClock } from '../../src/base/clock.ts'
import { MillraceError } from '../../src/base/faults.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { FileSystem } from '../../src/log/embedded/file-system.ts'
import { nodeFileSystem } from '../../src/log/embedded/node-file-system.ts'

/** Lists a segment that retention removed just then, so many times. */
function listingGone(times: number): FileSystem {
  let left = times
  return {
    ...nodeFileSystem,
    list: async (folder) => {
      const names = await nodeFileSystem.list(folder)
      const ofPartition = names.some((name) => name.endsWith('.log'))
      if (!ofPartition || left === 0) return names
      left -= 1
      return [...names, '00000000000000000000.log']
    },
  }
}

test('a log is opened beside a process that removes segments meanwhile', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-inspect-'))
  try {
    const log = await openEmbeddedLog({ folder: join(folder, 'log'), clock: systemClock, segmentBytes: 100 })
    await log.createTopic('events', { partitions: 1 })
    for (const value of ['first', 'second', 'third']) {
      await log.append('events', 0, [{ key: null, value: Buffer.from(value), timestampMs: 1 }])
    }
    await log.close()
    const partition = join(folder, 'log/topics/events/0')
    for (const name of await readdir(partition)) if (name.startsWith('0'.repeat(20))) await rm(join(partition, name))
    const opened = await openReadOnlyLog(folder, systemClock, listingGone(3))
    assert.equal(opened.start('events', 0), 1)
    await opened.close()
    const never = openReadOnlyLog(folder, systemClock, listingGone(1_000))
    await assert.rejects(never, (error) => error instanceof MillraceError && error.code === 'LOG_FOLDER_UNUSABLE')
  } finally {
    await rm(folder, { recursive: true })
  }
})
