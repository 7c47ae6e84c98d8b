import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeManualClock } from '../../../src/base/clock.ts'
import { type EmbeddedLogOptions, openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import { encodeBatch } from '../../../src/log/record-batch.ts'
import { numbered, readAll, values } from '../../conformance/log.ts'
import { makeMemoryFileSystem, type MemoryFileSystem } from './memory-file-system.ts'

const never = new AbortController().signal

async function openWithTopic(options: Partial<EmbeddedLogOptions> & { fileSystem: MemoryFileSystem }) {
  const log = await openEmbeddedLog({ folder: '/log', clock: makeManualClock(0), ...options })
  await log.createTopic('t', { partitions: 1 })
  return log
}

describe('group commit', () => {
  test('syncs once for all calls that come while another sync is under way', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem })
    const before = fileSystem.counts.sync
    const first = log.append('t', 0, numbered(0, 1))
    await Promise.resolve()
    await Promise.resolve()
    const others = Array.from({ length: 500 }, (_, index) => log.append('t', 0, numbered(index + 1, 1)))
    await Promise.all([first, ...others])
    assert.equal(fileSystem.counts.sync - before, 2)
    assert.deepEqual(values(await readAll(log, 't')), values(numbered(0, 501)))
  })

  test('syncs once for the calls of one turn', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem })
    const before = { ...fileSystem.counts }
    await Promise.all([0, 1, 2].map((first) => log.append('t', 0, numbered(first, 1))))
    assert.equal(fileSystem.counts.sync - before.sync, 1)
    assert.equal(fileSystem.counts.write - before.write, 1)
  })

  test('shows nothing before the sync has resolved', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem })
    const gate = Promise.withResolvers<void>()
    let reached = false
    fileSystem.holdSync = () => {
      reached = true
      return gate.promise
    }
    let resolved = false
    const appended = log.append('t', 0, numbered(0, 1)).then(() => {
      resolved = true
    })
    while (!reached) await Promise.resolve()
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    assert.deepEqual([resolved, log.end('t', 0)], [false, 0])
    assert.deepEqual(await log.read('t', 0, 0, 1_000), { records: [], next: 0 })
    await assert.rejects(log.read('t', 0, 1, 1_000), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
    gate.resolve()
    await appended
    assert.equal(log.end('t', 0), 1)
  })
})

describe('a partition whose disk fails', () => {
  for (const [operation, code] of [
    ['write', 'ENOSPC'],
    ['sync', 'EIO'],
  ] as const) {
    test(`stops at ${code} of a ${operation}, keeps what was durable, and recovers when it is opened again`, async () => {
      const fileSystem = makeMemoryFileSystem()
      const log = await openWithTopic({ fileSystem, tailBytesMax: 0 })
      await log.createTopic('other', { partitions: 1 })
      await log.append('t', 0, numbered(0, 2))
      fileSystem.writtenOnFailure = (bytes) => bytes - 1
      fileSystem.onOperation = (current, path) => {
        if (current === operation && path.includes('/t/')) throw Object.assign(new Error(code), { code })
      }
      const waiting = assert.rejects(log.waitFor('t', 0, 2, never), { code: 'LOG_WRITE_FAILED' })
      const calls = [log.append('t', 0, numbered(2, 1)), log.append('t', 0, numbered(3, 1))]
      for (const call of calls) await assert.rejects(call, { code: 'LOG_WRITE_FAILED' })
      await waiting
      fileSystem.onOperation = () => {}
      await assert.rejects(log.append('t', 0, numbered(2, 1)), { code: 'LOG_WRITE_FAILED' })
      await assert.rejects(log.waitFor('t', 0, 2, never), { code: 'LOG_WRITE_FAILED' })
      assert.deepEqual(values(await readAll(log, 't')), ['0', '1'])
      assert.equal(await log.append('other', 0, numbered(0, 1)), 0)
      await log.close()

      const again = await openEmbeddedLog({
        folder: '/log',
        clock: makeManualClock(0),
        fileSystem: fileSystem.crash(() => false),
      })
      assert.deepEqual(values(await readAll(again, 't')), ['0', '1'])
      assert.equal(await again.append('t', 0, numbered(2, 1)), 2)
    })
  }

  test('stops when the next segment cannot be begun', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem, segmentBytes: 100 })
    await log.append('t', 0, numbered(0, 1))
    fileSystem.onOperation = (operation) => {
      if (operation === 'syncFolder') throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    await assert.rejects(log.append('t', 0, numbered(1, 2)), { code: 'LOG_WRITE_FAILED' })
    assert.equal(log.end('t', 0), 1)
    await log.close()
  })

  test('says so when a file cannot be read, and reads on when it can', async () => {
    for (const failing of ['open', 'read'] as const) {
      const fileSystem = makeMemoryFileSystem()
      const log = await openWithTopic({ fileSystem, tailBytesMax: 0 })
      await log.append('t', 0, numbered(0, 2))
      fileSystem.onOperation = (operation) => {
        if (operation === failing) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }
      await assert.rejects(log.read('t', 0, 0, 100), { code: 'LOG_READ_FAILED' })
      await assert.rejects(log.offsetAt('t', 0, 0), { code: 'LOG_READ_FAILED' })
      fileSystem.onOperation = () => {}
      assert.deepEqual(values((await log.read('t', 0, 0, 100)).records), ['0', '1'])
    }
  })
})

describe('the newest records', () => {
  test('are in memory for who was at the end before them, and for nobody else', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem })
    const read = async (offset: number): Promise<(string | null)[]> => {
      let fromFiles = 0
      fileSystem.onOperation = (operation) => {
        if (operation === 'read') fromFiles += 1
      }
      const found = values((await log.read('t', 0, offset, 100)).records)
      return fromFiles > 0 ? [...found, 'from files'] : found
    }
    await log.append('t', 0, numbered(0, 2))
    assert.deepEqual(await read(0), ['0', '1', 'from files'])
    await log.append('t', 0, numbered(2, 1))
    assert.deepEqual(await read(2), ['2', 'from files'])
    await log.waitFor('t', 0, 2, never)
    await log.append('t', 0, numbered(3, 1))
    assert.deepEqual(await read(3), ['3'])
    await log.close()
  })
})

describe('retention', () => {
  const dayMs = 86_400_000
  const record = (timestampMs: number) => [{ key: null, value: new Uint8Array(40), timestampMs }]

  test('removes whole segments by their newest record, oldest first, never the one written', async () => {
    const fileSystem = makeMemoryFileSystem()
    const clock = makeManualClock(10 * dayMs)
    const options = { folder: '/log', clock, fileSystem, segmentBytes: 250 }
    const log = await openEmbeddedLog(options)
    await log.createTopic('t', { partitions: 1, retentionMs: 5 * dayMs })
    // Two records a segment. The second segment is kept by one young record, and keeps the third behind it.
    const days = [1, 2, 1, 9, 1, 1, 1, 1]
    for (const day of days) await log.append('t', 0, record(day * dayMs))
    assert.equal(log.start('t', 0), 2)
    await assert.rejects(log.read('t', 0, 1, 100), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
    assert.equal(await log.offsetAt('t', 0, 0), 2)
    clock.set(14 * dayMs)
    await log.enforceRetention()
    assert.equal(log.start('t', 0), 2, 'a record exactly as old as the retention stays')
    clock.set(14 * dayMs + 1)
    await log.enforceRetention()
    assert.equal(log.start('t', 0), 6, 'the segment being written stays')
    assert.deepEqual(
      fileSystem.paths().filter((path) => path.startsWith('/log/topics/t/0/')),
      [`/log/topics/t/0/${'6'.padStart(20, '0')}.log`],
    )
    await log.close()
    const again = await openEmbeddedLog(options)
    assert.deepEqual([again.start('t', 0), again.end('t', 0)], [6, 8])
    assert.deepEqual(again.topics(), [{ topic: 't', partitions: 1, retentionMs: 5 * dayMs }])
  })

  test('is enforced on open', async () => {
    const fileSystem = makeMemoryFileSystem()
    const clock = makeManualClock(0)
    const options = { folder: '/log', clock, fileSystem, segmentBytes: 250 }
    const log = await openEmbeddedLog(options)
    await log.createTopic('t', { partitions: 1, retentionMs: dayMs })
    for (let index = 0; index < 6; index++) await log.append('t', 0, record(0))
    assert.equal(log.start('t', 0), 0)
    await log.close()
    clock.set(dayMs + 1)
    assert.equal((await openEmbeddedLog(options)).start('t', 0), 4)
  })

  test('never leaves a gap, wherever a power cut meets it', async () => {
    for (let step = 0; ; step++) {
      const fileSystem = makeMemoryFileSystem()
      const clock = makeManualClock(0)
      const options = { folder: '/log', clock, segmentBytes: 250 }
      const log = await openEmbeddedLog({ ...options, fileSystem })
      await log.createTopic('t', { partitions: 1, retentionMs: 0 })
      for (let index = 0; index < 7; index++) await log.append('t', 0, record(0))
      clock.set(1)
      let left = step
      fileSystem.onOperation = () => {
        if (left-- <= 0) throw new Error('power cut')
      }
      const done = await log.enforceRetention().then(
        () => true,
        () => false,
      )
      let flip = 0
      const after = await openEmbeddedLog({ ...options, fileSystem: fileSystem.crash(() => flip++ % 2 === step % 2) })
      assert.deepEqual([after.start('t', 0), after.end('t', 0)], [6, 7])
      if (done) break
    }
  })

  test('lets a read that is under way finish, or says that its records are gone', async () => {
    const fileSystem = makeMemoryFileSystem()
    const clock = makeManualClock(0)
    const log = await openEmbeddedLog({ folder: '/log', clock, fileSystem, segmentBytes: 250, tailBytesMax: 0 })
    await log.createTopic('t', { partitions: 1, retentionMs: 0 })
    for (let index = 0; index < 6; index++) await log.append('t', 0, record(0))
    clock.set(1)
    const reading = log.read('t', 0, 0, 1).then(
      ({ records }) => records[0]!.offset,
      (error: { code?: string }) => error.code,
    )
    await log.enforceRetention()
    assert.ok([0, 'LOG_OFFSET_OUT_OF_RANGE'].includes((await reading) ?? 'none'))
    assert.equal(log.start('t', 0), 4)
  })
})

describe('the embedded log', () => {
  test('refuses records and calls beyond its limits', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem, recordBytesMax: 100, appendBytesMax: 250 })
    const of = (keyBytes: number, valueBytes: number) => ({
      key: new Uint8Array(keyBytes),
      value: new Uint8Array(valueBytes),
      timestampMs: 0,
    })
    await assert.rejects(log.append('t', 0, [of(1, 100)]), { code: 'LOG_RECORD_TOO_LARGE' })
    await assert.rejects(log.append('t', 0, [of(0, 100), of(0, 100), of(51, 0)]), { code: 'REQUEST_TOO_LARGE' })
    const headers: [string, Uint8Array][] = [['h', new Uint8Array(65_536)]]
    await assert.rejects(log.append('t', 0, [{ ...of(0, 0), headers }]), { code: 'LOG_RECORD_TOO_LARGE' })
    await assert.rejects(log.append('t', 0, []), { name: 'AssertionFailure' })
    await assert.rejects(log.append('t', 0, [{ ...of(0, 0), timestampMs: 0.5 }]), { name: 'AssertionFailure' })
    assert.equal(await log.append('t', 0, [of(50, 50), of(0, 100), of(50, 0)]), 0)
  })

  test('gives a call that is larger than a segment one to itself', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem, segmentBytes: 300, tailBytesMax: 0 })
    await log.append('t', 0, numbered(0, 1))
    await log.append('t', 0, numbered(1, 100))
    await log.append('t', 0, numbered(101, 1))
    assert.deepEqual(values(await readAll(log, 't')), values(numbered(0, 102)))
    assert.equal(fileSystem.paths().filter((path) => path.endsWith('.log')).length, 3)
  })

  test('reads no file for who follows the end, and opens each file once for who reads all', async () => {
    const fileSystem = makeMemoryFileSystem()
    const options = { folder: '/log', clock: makeManualClock(0), fileSystem, segmentBytes: 100_000 }
    const log = await openWithTopic(options)
    assert.deepEqual((await log.read('t', 0, 0, 1)).records, [])
    const readsBefore = fileSystem.counts.read
    for (let first = 0; first < 1_000; first += 100) {
      await log.append('t', 0, numbered(first, 100))
      assert.deepEqual(values((await log.read('t', 0, first, 1_000_000)).records), values(numbered(first, 100)))
    }
    assert.equal(fileSystem.counts.read, readsBefore)
    await log.close()
    const again = await openEmbeddedLog(options)
    const before = { ...fileSystem.counts }
    assert.equal((await readAll(again, 't')).length, 1_000)
    assert.equal(fileSystem.counts.open - before.open, 1)
    assert.equal(fileSystem.counts.read - before.read, 1)
  })

  test('wakes a waiter at the first record it waits for, and all of them when it is closed', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem })
    const woken: number[] = []
    const waits = [0, 1, 2].map((offset) => log.waitFor('t', 0, offset, never).then(() => woken.push(offset)))
    const last = assert.rejects(log.waitFor('t', 0, 3, never), { code: 'LOG_CLOSED' })
    await log.append('t', 0, numbered(0, 2))
    await Promise.all(waits.slice(0, 2))
    assert.deepEqual(woken, [0, 1])
    await log.append('t', 0, numbered(2, 1))
    await waits[2]
    await log.close()
    await last
  })

  test('keeps topics apart whose names a file system could mix up', async () => {
    const log = await openWithTopic({ fileSystem: makeMemoryFileSystem() })
    await assert.rejects(log.createTopic('T', { partitions: 1 }), { code: 'LOG_TOPIC_NAME_REFUSED' })
    await log.createTopic(`${'x'.repeat(240)}.-_Aa0Zz9`, { partitions: 1 })
    for (const partitions of [0, 1.5, -1, 1025]) {
      await assert.rejects(log.createTopic('u', { partitions }), { code: 'REQUEST_MALFORMED' })
    }
  })

  test('creates a topic once when two ask for it at the same time', async () => {
    const log = await openWithTopic({ fileSystem: makeMemoryFileSystem() })
    await Promise.all([log.createTopic('u', { partitions: 2 }), log.createTopic('u', { partitions: 2 })])
    const mismatch = [log.createTopic('v', { partitions: 2 }), log.createTopic('v', { partitions: 3 })]
    await mismatch[0]
    await assert.rejects(mismatch[1]!, { code: 'LOG_TOPIC_MISMATCH' })
    await log.append('u', 1, numbered(0, 1))
    assert.deepEqual(
      log.topics().map(({ topic }) => topic),
      ['t', 'u', 'v'],
    )
  })

  test('is for one at a time, and free again after a close or a failed open', async () => {
    const fileSystem = makeMemoryFileSystem()
    const options = { folder: '/log', clock: makeManualClock(0), fileSystem }
    const log = await openEmbeddedLog(options)
    await assert.rejects(openEmbeddedLog(options), { code: 'FOLDER_IN_USE' })
    await log.close()
    fileSystem.onOperation = () => {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
    }
    await assert.rejects(openEmbeddedLog(options), { code: 'LOG_FOLDER_UNUSABLE' })
    fileSystem.onOperation = () => {}
    const again = await openEmbeddedLog(options)
    assert.equal(again.id, log.id)
  })

  test('writes files that hold the batches and nothing else', async () => {
    const fileSystem = makeMemoryFileSystem()
    const log = await openWithTopic({ fileSystem })
    await log.append('t', 0, numbered(0, 3))
    await log.append('t', 0, numbered(3, 1))
    const content = fileSystem.content(`/log/topics/t/0/${'0'.repeat(20)}.log`)
    const expected = Buffer.concat([encodeBatch(numbered(0, 3), 0), encodeBatch(numbered(3, 1), 3)])
    // The leader epoch of both: each call was the first of its group.
    expected.fill(0, 12, 16)
    expected.fill(0, encodeBatch(numbered(0, 3), 0).length + 12, encodeBatch(numbered(0, 3), 0).length + 16)
    assert.deepEqual(Buffer.from(content), expected)
  })
})
