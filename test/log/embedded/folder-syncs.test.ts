import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import { nodeFileSystem } from '../../../src/log/embedded/node-file-system.ts'
import { numbered } from '../../conformance/log.ts'
import { recordingFileSystem } from './recording-file-system.ts'

// Goal: no name and no byte that something acknowledged relies on can be lost by a power cut.
// Method: a log on real files, with a note of every name and every content that is not synced yet. When a call of the
// log has resolved, nothing may be left but what is only a hint. Then each folder's sync is left out in turn, and that
// must be noticed: the check is able to fail.

type Checked = { readonly syncs: ReadonlySet<string>; readonly lost: ReadonlySet<string> }

/** Runs through the life of a log; gives the folders that were synced, and names that some call left unsynced. */
async function live(forgotten: string | null): Promise<Checked> {
  const base = mkdtempSync(join(tmpdir(), 'millrace-syncs-'))
  const folder = join(base, 'data/log')
  const short = (path: string): string => path.slice(base.length + 1)
  const disk = recordingFileSystem(nodeFileSystem)
  const syncs = new Set<string>()
  const lost = new Set<string>()
  disk.forget = (path) => {
    syncs.add(short(path))
    return short(path) === forgotten
  }
  const check = (): void => {
    for (const path of [...disk.unsynced, ...disk.unsyncedFiles]) if (!isHint(path)) lost.add(short(path))
  }
  const clock = makeManualClock(0)
  const options = { folder, clock, fileSystem: disk, segmentBytes: 150 }
  try {
    let log = await openEmbeddedLog(options)
    check()
    await log.createTopic('t', { partitions: 2, retentionMs: 1000 })
    check()
    for (let offset = 0; offset < 12; offset += 2) {
      await log.append('t', 0, numbered(offset, 2))
      check()
    }
    clock.set(2_000_000_000_000)
    await log.append('t', 0, numbered(12, 8))
    await log.enforceRetention()
    assert.ok(log.start('t', 0) > 0)
    check()
    await log.close()
    check()
    // As a kill may leave it: the last call, of eight records, has a segment to itself.
    truncateSync(join(folder, 'topics/t/0/00000000000000000012.log'), 100)
    rmSync(join(folder, 'ends.json'))
    log = await openEmbeddedLog(options)
    check()
    await log.close()
    check()
  } finally {
    rmSync(base, { recursive: true })
  }
  return { syncs, lost }
}

/** Index files are written again when they are missing. */
const isHint = (path: string): boolean => /\.(index|timeindex)$/.test(basename(path))

test('leaves no name and no content unsynced that anything acknowledged relies on', async () => {
  const { syncs, lost } = await live(null)
  assert.deepEqual([...lost], [])
  const expected = ['', 'data', 'data/log', 'data/log/topics', 'data/log/topics/t', 'data/log/topics/t/0']
  for (const folder of expected) assert.ok(syncs.has(folder), `${folder} is synced`)
})

test('misses the sync of any of its folders', async () => {
  const { syncs } = await live(null)
  for (const folder of syncs) {
    const { lost } = await live(folder)
    const names = [...lost].filter((path) => (dirname(path) === '.' ? '' : dirname(path)) === folder)
    assert.ok(names.length > 0, `without the sync of "${folder}" something is left unsynced`)
  }
})
