import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { type EmbeddedLog, type EmbeddedLogOptions, openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import { readOnlyFileSystem } from '../../../src/log/embedded/read-only-file-system.ts'
import { encodeBatch } from '../../../src/log/record-batch.ts'
import { numbered, readAll, values } from '../../conformance/log.ts'
import { makeMemoryFileSystem, type MemoryFileSystem } from './memory-file-system.ts'

const clock = makeManualClock(1_700_000_000_000)
const segment = '/log/topics/t/0/00000000000000000000.log'
const mark = '/log/ends.json'

function open(fileSystem: MemoryFileSystem, options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> {
  return openEmbeddedLog({ folder: '/log', clock, fileSystem, tailBytesMax: 0, ...options })
}

/** Two groups, of which the second is the last one: records 0 to 4. */
async function writeDisk(end: 'closed' | 'killed', segmentBytes = 1_000_000): Promise<MemoryFileSystem> {
  const disk = makeMemoryFileSystem()
  const log = await open(disk, { segmentBytes })
  await log.createTopic('t', { partitions: 1 })
  await log.append('t', 0, numbered(0, 2))
  await log.append('t', 0, numbered(2, 3))
  if (end === 'closed') await log.close()
  else disk.killProcess()
  return disk
}

async function assertRefusedUnchanged(disk: MemoryFileSystem, what: string, options = {}): Promise<void> {
  const before = disk.content(segment)
  await assert.rejects(open(disk, options), { code: 'LOG_CORRUPT' }, what)
  assert.deepEqual(disk.content(segment), before, `${what}: the segment is left as it is`)
}

const known = new Map([['t', [5]]])
const lastGroupAt = encodeBatch(numbered(0, 2), 0).length

describe('what was durable is never cut off', () => {
  test('a flipped bit anywhere in a partition that was closed is damage', async () => {
    const disk = await writeDisk('closed')
    const whole = disk.content(segment)
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Uint8Array.from(whole)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      disk.setContent(segment, flipped)
      await assertRefusedUnchanged(disk, `bit ${bit}`)
    }
  })

  test('a tail that is missing from a partition that was closed is damage, at any byte', async () => {
    const disk = await writeDisk('closed')
    const whole = disk.content(segment)
    for (let size = 0; size < whole.length; size++) {
      disk.setContent(segment, whole.subarray(0, size))
      await assertRefusedUnchanged(disk, `cut at ${size}`)
    }
  })

  test('a newest segment that is missing from a partition that was closed is damage', async () => {
    const disk = await writeDisk('closed', 100)
    await disk.remove('/log/topics/t/0/00000000000000000002.log')
    await assertRefusedUnchanged(disk, 'the newest segment')
  })

  test('a topic that is missing from a log that was closed is damage', async () => {
    const disk = await writeDisk('closed')
    await disk.remove('/log/topics/t/topic.json')
    await assertRefusedUnchanged(disk, 'the topic')
  })

  test('what a checkpoint has seen is damage when it is gone, though the process was killed', async () => {
    const disk = await writeDisk('killed')
    const whole = disk.content(segment)
    for (let at = lastGroupAt; at < whole.length; at++) {
      const damaged = Uint8Array.from(whole)
      damaged[at]! ^= 16
      disk.setContent(segment, damaged)
      await assertRefusedUnchanged(disk, `byte ${at}`, { durableEnds: known })
    }
    // Without that knowledge it looks like a write that the kill tore.
    assert.equal((await open(disk)).end('t', 0), 2)
  })

  test('a write torn by a kill after the log was closed and opened again is still cut off', async () => {
    const disk = await writeDisk('closed')
    const log = await open(disk)
    await log.append('t', 0, numbered(5, 2))
    disk.killProcess()
    const content = disk.content(segment)
    disk.setContent(segment, content.subarray(0, content.length - 1))
    const again = await open(disk)
    assert.equal(again.end('t', 0), 5)
    await again.append('t', 0, numbered(5, 1))
    await again.close()
    assert.deepEqual(values(await readAll(await open(disk), 't')), ['0', '1', '2', '3', '4', '5'])
  })
})

describe('the mark of a closed log', () => {
  test('is written anew only when something was appended', async () => {
    const disk = await writeDisk('closed')
    const renames = disk.counts.rename
    await (await open(disk)).close()
    assert.equal(disk.counts.rename, renames)
    const log = await open(disk)
    await log.append('t', 0, numbered(5, 1))
    await log.close()
    assert.equal(disk.counts.rename, renames + 1)
    const { ends } = JSON.parse(Buffer.from(disk.content(mark)).toString()) as { ends: unknown }
    assert.deepEqual(ends, { t: [6] })
    const survivor = disk.crash(() => false)
    survivor.setContent(segment, survivor.content(segment).subarray(0, lastGroupAt))
    await assert.rejects(open(survivor), /offsets 2 to 5 were durable and are gone/)
  })

  test('is not written by a log that a fault has stopped, nor by one that only reads', async () => {
    const disk = await writeDisk('killed')
    await (await open(disk, { fileSystem: readOnlyFileSystem(disk) })).close()
    const log = await open(disk)
    disk.onOperation = (operation) => {
      if (operation === 'sync') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    await assert.rejects(log.append('t', 0, numbered(5, 1)), { code: 'LOG_WRITE_FAILED' })
    disk.onOperation = () => undefined
    await log.close()
    assert.equal(disk.paths().includes(mark), false)
  })

  test('leaves the lock free when it cannot be written, and says so', async () => {
    const disk = await writeDisk('killed')
    const log = await open(disk)
    disk.onOperation = (_, path) => {
      if (path.startsWith(mark)) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    }
    await assert.rejects(log.close(), { code: 'LOG_FOLDER_UNUSABLE' })
    disk.onOperation = () => undefined
    assert.equal((await open(disk)).end('t', 0), 5)
  })

  test('is refused when any bit of it is damaged, when it is of another log, and in a newer form', async () => {
    const disk = await writeDisk('closed')
    const whole = disk.content(mark)
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Uint8Array.from(whole)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      disk.setContent(mark, flipped)
      const opened = await open(disk).catch((error: { code?: string }) => error)
      if ('code' in opened) assert.match(opened.code!, /^(LOG_CORRUPT|LOG_VERSION_UNKNOWN)$/)
      else {
        // A blank may turn into another blank: the content is the same.
        assert.deepEqual(JSON.parse(Buffer.from(flipped).toString()), JSON.parse(Buffer.from(whole).toString()))
        await (opened as EmbeddedLog).close()
      }
    }
    const other = makeMemoryFileSystem()
    await (await open(other)).close()
    disk.setContent(mark, whole)
    disk.setContent('/log/log.json', other.content('/log/log.json'))
    await assert.rejects(open(disk), /it belongs to log/)
  })
})
