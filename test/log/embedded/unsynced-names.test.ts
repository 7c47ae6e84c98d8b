import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import { numbered } from '../../conformance/log.ts'
import { makeMemoryFileSystem } from './memory-file-system.ts'

// Goal: what is acknowledged survives a power cut even when the process that made the folders and files did not live to
// sync their names, and the next one found them there.
// Method: one sync of a folder fails in the first process, each of them in turn. A second process opens the same disk
// and page cache, and appends. Then the power goes, and of what was never synced nothing is kept.

/** Makes the `nth` sync of a folder fail. Gives how many there were. */
async function live(nth: number): Promise<number> {
  const disk = makeMemoryFileSystem()
  const options = { folder: '/data/log', clock: makeManualClock(0), fileSystem: disk }
  let syncs = 0
  disk.onOperation = (operation) => {
    if (operation === 'syncFolder' && syncs++ === nth) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  await openEmbeddedLog(options)
    .then(async (log) => await log.createTopic('t', { partitions: 1 }))
    .catch((error: unknown) => assert.match(String(error), /EIO/))
  const failed = syncs
  disk.killProcess()

  const second = await openEmbeddedLog(options)
  const { id } = second
  await second.createTopic('t', { partitions: 1 })
  await second.append('t', 0, numbered(0, 3))

  const survivor = disk.crash(() => false)
  const third = await openEmbeddedLog({ ...options, fileSystem: survivor })
  assert.equal(third.id, id)
  assert.equal(third.end('t', 0), 3)
  return failed
}

test('names that an earlier process made and did not sync are made durable', async () => {
  const count = await live(-1)
  assert.ok(count >= 8, `${count} syncs of folders`)
  for (let nth = 0; nth < count; nth++) await live(nth)
})
