import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import type { FileSystem } from '../../../src/log/embedded/file-system.ts'
import { readOnlyFileSystem } from '../../../src/log/embedded/read-only-file-system.ts'
import { numbered, readAll, values } from '../../conformance/log.ts'
import { makeMemoryFileSystem } from './memory-file-system.ts'

const clock = makeManualClock(1_700_000_000_000)

function open(fileSystem: FileSystem): Promise<EmbeddedLog> {
  return openEmbeddedLog({ folder: '/log', clock, fileSystem, segmentBytes: 150 })
}

test('reads a log beside its owner, also one with a torn tail and without index files, and changes nothing', async () => {
  const disk = makeMemoryFileSystem()
  const log = await open(disk)
  await log.createTopic('t', { partitions: 1 })
  for (let offset = 0; offset < 9; offset += 3) await log.append('t', 0, numbered(offset, 3))
  for (const path of disk.paths().filter((one) => one.endsWith('index'))) await disk.remove(path)
  const newest = '/log/topics/t/0/00000000000000000006.log'
  disk.setContent(newest, Buffer.concat([disk.content(newest), Buffer.from('a write under way')]))
  const before = disk.paths().map((path) => [path, disk.content(path)])
  const reader = await open(readOnlyFileSystem(disk))
  assert.deepEqual(values(await readAll(reader, 't')), ['0', '1', '2', '3', '4', '5', '6', '7', '8'])
  await reader.close()
  assert.deepEqual(
    disk.paths().map((path) => [path, disk.content(path)]),
    before,
  )
})
