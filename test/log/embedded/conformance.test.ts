import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import type { Log } from '../../../src/log/log.ts'
import { namespacedLog } from '../../../src/log/namespaced-log.ts'
import { describeLogConformance } from '../../conformance/log.ts'
import { makeMemoryFileSystem } from './memory-file-system.ts'

const clock = makeManualClock(1_700_000_000_000)
const root = await mkdtemp(join(tmpdir(), 'millrace-log-'))
after(() => rm(root, { recursive: true }))

let folders = 0
const folderOf = new Map<string, string>()

async function openFresh(): Promise<Log> {
  const folder = join(root, String(folders++))
  const log = await openEmbeddedLog({ folder, clock })
  folderOf.set(log.id, folder)
  return log
}

async function reopen(log: Log): Promise<Log> {
  await log.close()
  const folder = folderOf.get(log.id)
  assert.ok(folder !== undefined)
  return openEmbeddedLog({ folder, clock })
}

describeLogConformance('the embedded log', { openFresh, reopen })

const inner = new WeakMap<Log, Log>()
const within = (log: Log): Log => {
  const outer = namespacedLog(log, { name: 'shop', isOwn: (topic) => topic.startsWith('conformance-') })
  inner.set(outer, log)
  return outer
}
describeLogConformance('a namespace of the embedded log', {
  openFresh: async () => within(await openFresh()),
  reopen: async (log) => within(await reopen(inner.get(log)!)),
})

// Segments of a few records and no cache: every read comes from a file, through an index, across segments.
const small = { folder: '/data', clock, segmentBytes: 600, tailBytesMax: 0 }
const disks = new Map<string, ReturnType<typeof makeMemoryFileSystem>>()

describeLogConformance('the embedded log in small segments in memory', {
  openFresh: async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openEmbeddedLog({ ...small, fileSystem })
    disks.set(log.id, fileSystem)
    return log
  },
  reopen: async (log) => {
    await log.close()
    const fileSystem = disks.get(log.id)
    assert.ok(fileSystem !== undefined)
    return openEmbeddedLog({ ...small, fileSystem })
  },
})
