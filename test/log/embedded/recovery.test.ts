import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import { encodeBatch, setPartitionLeaderEpoch } from '../../../src/log/record-batch.ts'
import { numbered, readAll, values } from '../../conformance/log.ts'
import { makeMemoryFileSystem, type MemoryFileSystem } from './memory-file-system.ts'

const clock = makeManualClock(1_700_000_000_000)
const segment = (baseOffset: number): string => `/log/topics/t/0/${String(baseOffset).padStart(20, '0')}.log`

function open(fileSystem: MemoryFileSystem, segmentBytes = 1_000_000): Promise<EmbeddedLog> {
  return openEmbeddedLog({ folder: '/log', clock, fileSystem, segmentBytes, tailBytesMax: 0 })
}

/** A disk with one topic, to which `groups` were appended: the calls of one group at once, then the next. */
async function diskWith(groups: readonly (readonly number[])[], segmentBytes?: number): Promise<MemoryFileSystem> {
  const fileSystem = makeMemoryFileSystem()
  const log = await open(fileSystem, segmentBytes)
  await log.createTopic('t', { partitions: 1 })
  let offset = 0
  for (const group of groups) {
    const calls = group.map((count) => {
      offset += count
      return log.append('t', 0, numbered(offset - count, count))
    })
    await Promise.all(calls)
  }
  await log.close()
  return fileSystem
}

/** As `diskWith`, but the process was killed instead of closing the log: there is no mark of how far it was durable. */
async function killedDiskWith(groups: readonly (readonly number[])[]): Promise<MemoryFileSystem> {
  const fileSystem = await diskWith(groups)
  await fileSystem.remove('/log/ends.json')
  return fileSystem
}

async function valuesOf(log: EmbeddedLog): Promise<(string | null)[]> {
  return values(await readAll(log, 't'))
}

const digits = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index))

describe('opening a log', () => {
  test('cuts off the last batch when it is torn at any byte, and goes on from there', async () => {
    const whole = (await diskWith([[2], [3]])).content(segment(0))
    const lastAt = encodeBatch(numbered(0, 2), 0).length
    for (let size = lastAt; size < whole.length; size++) {
      for (const rest of [0, whole.length - size]) {
        // Cut short, or grown to its full length before the content arrived.
        const disk = await killedDiskWith([[2], [3]])
        const torn = new Uint8Array(size + rest)
        torn.set(whole.subarray(0, size))
        disk.setContent(segment(0), torn)
        const log = await open(disk)
        const kept = Buffer.compare(torn, whole) === 0 ? 5 : 2
        assert.equal(log.end('t', 0), kept, `cut at byte ${size}`)
        assert.equal(await log.append('t', 0, numbered(kept, 1)), kept)
        assert.deepEqual(await valuesOf(log), digits(kept + 1))
        await log.close()
        const again = await open(disk.crash(() => false))
        assert.deepEqual(await valuesOf(again), digits(kept + 1))
      }
    }
  })

  test('refuses any flipped bit before the last group', async () => {
    const whole = (await diskWith([[2], [1, 2], [1]])).content(segment(0))
    const lastGroupAt = whole.length - encodeBatch(numbered(5, 1), 5).length
    const disk = await killedDiskWith([[2], [1, 2], [1]])
    for (let bit = 0; bit < lastGroupAt * 8; bit++) {
      const flipped = Uint8Array.from(whole)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      disk.setContent(segment(0), flipped)
      await assert.rejects(open(disk), { code: 'LOG_CORRUPT' }, `bit ${bit}`)
      assert.deepEqual(disk.content(segment(0)), flipped, 'a damaged segment is left as it is')
    }
  })

  test('takes a hole in a group that was never durable for a torn tail, though whole batches follow it', async () => {
    const disk = await killedDiskWith([[2], [1, 1, 1]])
    const content = disk.content(segment(0))
    const groupAt = encodeBatch(numbered(0, 2), 0).length
    const secondAt = groupAt + encodeBatch(numbered(2, 1), 2).length
    content.fill(0, secondAt, secondAt + 20)
    disk.setContent(segment(0), content)
    const log = await open(disk)
    assert.deepEqual(await valuesOf(log), digits(3))
  })

  test('does not take a batch inside a value for one of its own', async () => {
    // A dead letter may hold the raw bytes of a batch from another log, with far higher offsets.
    const disk = makeMemoryFileSystem()
    const log = await open(disk)
    await log.createTopic('t', { partitions: 1 })
    const value = encodeBatch(numbered(0, 1), 900)
    setPartitionLeaderEpoch(value, 0)
    await log.append('t', 0, [{ key: null, value, timestampMs: 0 }])
    disk.killProcess()
    const content = disk.content(segment(0))
    content[20]! ^= 1
    disk.setContent(segment(0), content)
    assert.equal((await open(disk)).end('t', 0), 0)
  })

  test('refuses damage in an older segment: at once when it is cut, on reading when a bit is flipped', async () => {
    const disk = await diskWith([[3], [3], [3]], 150)
    const content = disk.content(segment(3))
    disk.setContent(segment(3), content.subarray(0, -1))
    await assert.rejects(open(disk), { code: 'LOG_CORRUPT' })

    for (let bit = 0; bit < content.length * 8; bit++) {
      // Kafka's leader epoch holds the place in the group, which no reader goes by.
      if (bit >> 3 >= 12 && bit >> 3 < 16) continue
      const flipped = Uint8Array.from(content)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      disk.setContent(segment(3), flipped)
      const log = await open(disk)
      await assert.rejects(log.read('t', 0, 3, 1_000), { code: 'LOG_CORRUPT' }, `bit ${bit}`)
      assert.equal((await log.read('t', 0, 0, 1)).records.length, 1)
      await log.close()
    }
  })

  test('refuses a missing segment, and a partition without any', async () => {
    const disk = await diskWith([[3], [3], [3]], 150)
    await disk.remove(segment(3))
    await assert.rejects(open(disk), { code: 'LOG_CORRUPT' })
    await disk.remove(segment(0))
    await disk.remove(segment(6))
    await assert.rejects(open(disk), { code: 'LOG_CORRUPT' })
  })

  test('does without index files that are missing or damaged, and writes them again', async () => {
    const disk = await diskWith([[3], [3], [3]], 150)
    const hints = disk.paths().filter((path) => path.endsWith('index'))
    assert.equal(hints.length, 4)
    const whole = new Map(hints.map((path) => [path, disk.content(path)]))
    for (const path of hints) {
      for (let at = -1; at < whole.get(path)!.length; at++) {
        const damaged = Uint8Array.from(whole.get(path)!)
        if (at === -1) await disk.remove(path)
        else {
          damaged[at]! ^= 4
          disk.setContent(path, damaged)
        }
        const log = await open(disk)
        assert.deepEqual(await valuesOf(log), digits(9))
        assert.equal(await log.offsetAt('t', 0, 1_700_000_000_004), 4)
        await log.close()
        assert.deepEqual(disk.content(path), whole.get(path))
      }
    }
  })

  test('makes durable what it shows, even where an earlier sync failed and left clean pages', async () => {
    const disk = makeMemoryFileSystem()
    const log = await open(disk)
    await log.createTopic('t', { partitions: 1 })
    await log.append('t', 0, numbered(0, 2))
    disk.onOperation = (operation) => {
      if (operation === 'sync') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    await assert.rejects(log.append('t', 0, numbered(2, 2)), { code: 'LOG_WRITE_FAILED' })
    disk.onOperation = () => {}
    await log.close()
    // The process starts again; the page cache still shows what the disk never got.
    const again = await open(disk)
    const shown = await valuesOf(again)
    assert.deepEqual(shown, digits(4))
    const afterPowerCut = await open(disk.crash(() => false))
    assert.deepEqual(await valuesOf(afterPowerCut), shown)
  })

  test('refuses topics without the id of their log, another format, and a damaged description', async () => {
    const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
    const disk = await diskWith([[1]])
    const [id, topic] = [disk.content('/log/log.json'), disk.content('/log/topics/t/topic.json')]
    await disk.remove('/log/log.json')
    await assert.rejects(open(disk), { code: 'LOG_CORRUPT' })
    disk.setContent('/log/log.json', text({ version: 2, id: 'x' }))
    await assert.rejects(open(disk), { code: 'LOG_VERSION_UNKNOWN' })
    disk.setContent('/log/log.json', id)
    disk.setContent('/log/topics/t/topic.json', topic.subarray(0, 10))
    await assert.rejects(open(disk), { code: 'LOG_CORRUPT' })
    disk.setContent('/log/topics/t/topic.json', topic)
    assert.deepEqual(await valuesOf(await open(disk)), digits(1))
  })

  test('forgets a topic whose creation was cut off, and can create it then', async () => {
    for (let step = 0; ; step++) {
      const disk = makeMemoryFileSystem()
      const log = await open(disk)
      let left = step
      disk.onOperation = () => {
        if (left-- === 0) throw new Error('power cut')
      }
      const created = await log.createTopic('t', { partitions: 2 }).then(
        () => true,
        () => false,
      )
      const after = await open(disk.crash(() => step % 2 === 0))
      if (created) assert.equal(after.topics().length, 1)
      await after.createTopic('t', { partitions: 2 })
      assert.equal(await after.append('t', 1, numbered(0, 1)), 0)
      if (created) break
    }
  })
})
