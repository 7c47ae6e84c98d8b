import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Log, LogRecord, RecordInput } from '../../src/log/log.ts'

export type LogUnderTest = {
  /** A log without topics of ours; it may be shared with others. */
  readonly openFresh: () => Promise<Log>
  /** Closes a log and opens it again, with all that it holds. */
  readonly reopen: (log: Log) => Promise<Log>
}

/**
 * Goal: every adapter keeps the promises of `src/log/log.ts`, because the engine is proven against those alone.
 * Method: the same cases against each adapter, through the port only. Topics get names of their own, so that one
 * cluster can serve many runs. What a crash leaves is for each adapter's own tests.
 */
export function describeLogConformance(name: string, { openFresh, reopen }: LogUnderTest): void {
  const withTopic = async (action: (log: Log, topic: string) => Promise<Log>, partitions = 1): Promise<void> => {
    const log = await openFresh()
    const topic = `conformance-${randomUUID()}`
    await log.createTopic(topic, { partitions })
    await (await action(log, topic)).close()
  }

  describe(`${name} keeps the contract of the log`, () => {
    test('begins a topic empty, with offsets from 0', () =>
      withTopic(async (log, topic) => {
        assert.equal(log.start(topic, 0), 0)
        assert.equal(log.end(topic, 0), 0)
        assert.deepEqual(await log.read(topic, 0, 0, 1000), { records: [], next: 0 })
        assert.equal(await log.offsetAt(topic, 0, 0), 0)
        return log
      }))

    test('gives back key, value, headers and time byte for byte, null apart from empty', () =>
      withTopic(async (log, topic) => {
        const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
        const records: RecordInput[] = [
          { key: every, value: every, timestampMs: 1_700_000_000_000, headers: [['all', every]] },
          { key: null, value: null, timestampMs: 0 },
          { key: bytes(''), value: bytes(''), timestampMs: 1, headers: [['empty', bytes('')]] },
          {
            key: bytes('k'),
            value: bytes('v'),
            timestampMs: 2,
            headers: [
              ['twice', bytes('1')],
              ['twice', bytes('2')],
              ['größe', bytes('3')],
            ],
          },
        ]
        await log.append(topic, 0, records)
        const expected = records.map((record, offset) => ({ headers: [], ...record, offset }))
        assert.deepEqual(plain(await readAll(log, topic)), expected)
        const again = await reopen(log)
        assert.deepEqual(plain(await readAll(again, topic)), expected)
        return again
      }))

    test('resolves an append with the offset of its first record, which is readable by then', () =>
      withTopic(async (log, topic) => {
        assert.equal(await log.append(topic, 0, numbered(0, 3)), 0)
        assert.equal(log.end(topic, 0), 3)
        assert.equal(await log.append(topic, 0, numbered(3, 2)), 3)
        assert.equal(log.end(topic, 0), 5)
        assert.deepEqual(values((await log.read(topic, 0, 4, 1000)).records), ['4'])
        return log
      }))

    test('appends calls in the order in which they were made, each in one piece', () =>
      withTopic(async (log, topic) => {
        const calls = Array.from({ length: 50 }, (_, call) => log.append(topic, 0, numbered(call * 4, 4)))
        assert.deepEqual(
          await Promise.all(calls),
          Array.from({ length: 50 }, (_, call) => call * 4),
        )
        assert.deepEqual(values(await readAll(log, topic)), values(numbered(0, 200)))
        return log
      }))

    test('takes the bytes of an append when it is called, not later', () =>
      withTopic(async (log, topic) => {
        const value = bytes('before')
        const appended = log.append(topic, 0, [{ key: null, value, timestampMs: 0 }])
        value.set(bytes('after!'))
        await appended
        assert.deepEqual(values(await readAll(log, topic)), ['before'])
        return log
      }))

    test('keeps partitions apart', () =>
      withTopic(async (log, topic) => {
        await Promise.all([0, 1, 2].map((partition) => log.append(topic, partition, numbered(partition * 10, 2))))
        for (const partition of [0, 1, 2]) {
          const { records } = await log.read(topic, partition, 0, 10_000)
          assert.deepEqual(values(records), [`${partition * 10}`, `${partition * 10 + 1}`])
        }
        return log
      }, 3))

    test('reads on from any offset, at least one record and no more than about what is asked', () =>
      withTopic(async (log, topic) => {
        const large = Array.from({ length: 40 }, (_, index) => ({
          ...numbered(index, 1)[0]!,
          key: new Uint8Array(500),
        }))
        await log.append(topic, 0, large.slice(0, 30))
        for (const record of large.slice(30)) await log.append(topic, 0, [record])
        const check = async (holder: Log): Promise<void> => {
          for (let offset = 0; offset < 40; offset++) {
            const { records, next } = await holder.read(topic, 0, offset, 2_000)
            assert.ok(records.length >= 1 && records.length <= 5, `${records.length} records`)
            assert.deepEqual(values(records), values(numbered(offset, records.length)))
            assert.equal(next, offset + records.length)
            assert.equal((await holder.read(topic, 0, offset, 1)).records.length, 1)
          }
          assert.deepEqual(await holder.read(topic, 0, 40, 1), { records: [], next: 40 })
        }
        await check(log)
        const again = await reopen(log)
        await check(again)
        return again
      }))

    test('refuses offsets outside what it holds', () =>
      withTopic(async (log, topic) => {
        await log.append(topic, 0, numbered(0, 2))
        await assert.rejects(log.read(topic, 0, 3, 1000), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
        await assert.rejects(log.read(topic, 0, -1, 1000), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
        return log
      }))

    test('finds the first offset at or after a time, though times go back and forth', () =>
      withTopic(async (log, topic) => {
        const times = [10, 30, 20, 20, 50, 40, 60]
        for (const timestampMs of times) await log.append(topic, 0, [{ key: null, value: bytes('x'), timestampMs }])
        for (let timeMs = 0; timeMs <= 61; timeMs++) {
          const expected = times.findIndex((value) => value >= timeMs)
          assert.equal(await log.offsetAt(topic, 0, timeMs), expected === -1 ? times.length : expected, `${timeMs}`)
        }
        return log
      }))

    test('wakes who waits for a record, as soon as it is readable', () =>
      withTopic(async (log, topic) => {
        const never = new AbortController().signal
        let woken = false
        const waiting = log.waitFor(topic, 0, 1, never).then(() => {
          woken = true
        })
        await log.append(topic, 0, numbered(0, 1))
        await log.waitFor(topic, 0, 0, never)
        assert.equal(woken, false)
        await log.append(topic, 0, numbered(1, 1))
        await waiting
        assert.equal(log.end(topic, 0), 2)
        return log
      }))

    test('lets go of who waits when the signal aborts', () =>
      withTopic(async (log, topic) => {
        const abort = new AbortController()
        const waiting = log.waitFor(topic, 0, 0, abort.signal)
        abort.abort()
        await waiting
        await log.waitFor(topic, 0, 0, abort.signal)
        return log
      }))

    test('keeps its id, topics and records when it is opened again', () =>
      withTopic(async (log, topic) => {
        const { id } = log
        await log.append(topic, 1, numbered(0, 3))
        const again = await reopen(log)
        assert.equal(again.id, id)
        const described = again.topics().find((one) => one.topic === topic)
        assert.deepEqual(described, { topic, partitions: 2, retentionMs: null })
        assert.equal(again.end(topic, 0), 0)
        assert.deepEqual(values((await again.read(topic, 1, 0, 1000)).records), ['0', '1', '2'])
        assert.equal(await again.append(topic, 1, numbered(3, 1)), 3)
        return again
      }, 2))

    test('takes a second creation of a topic for a check of its partitions', () =>
      withTopic(async (log, topic) => {
        await log.append(topic, 0, numbered(0, 1))
        await log.createTopic(topic, { partitions: 2 })
        assert.equal(log.end(topic, 0), 1)
        await assert.rejects(log.createTopic(topic, { partitions: 3 }), { code: 'LOG_TOPIC_MISMATCH' })
        return log
      }, 2))

    test('checks the retention of a topic that is there where one is asked for', () =>
      withTopic(async (log, topic) => {
        const kept = `${topic}.kept`
        await log.createTopic(kept, { partitions: 1, retentionMs: 60_000 })
        await log.createTopic(kept, { partitions: 1, retentionMs: 60_000 })
        await log.createTopic(kept, { partitions: 1 })
        const other = log.createTopic(kept, { partitions: 1, retentionMs: 60_001 })
        await assert.rejects(other, { code: 'LOG_RETENTION_MISMATCH', message: /for 1m, and 60001ms was asked for/ })
        const some = log.createTopic(topic, { partitions: 2, retentionMs: 60_000 })
        await assert.rejects(some, { code: 'LOG_RETENTION_MISMATCH', message: /for ever, and 1m was asked for/ })
        return log
      }, 2))

    test('says which topic or partition does not exist', () =>
      withTopic(async (log, topic) => {
        await assert.rejects(log.append('missing', 0, numbered(0, 1)), { code: 'LOG_TOPIC_UNKNOWN' })
        await assert.rejects(log.read('missing', 0, 0, 1), { code: 'LOG_TOPIC_UNKNOWN' })
        await assert.rejects(log.append(topic, 1, numbered(0, 1)), { code: 'LOG_PARTITION_UNKNOWN' })
        assert.throws(() => log.end(topic, -1), { code: 'LOG_PARTITION_UNKNOWN' })
        return log
      }))

    test('refuses names that are no topic', () =>
      withTopic(async (log) => {
        for (const refused of ['', '.', '..', 'a/b', 'a b', 'é', 'x'.repeat(250)]) {
          const created = log.createTopic(refused, { partitions: 1 })
          await assert.rejects(created, { code: 'LOG_TOPIC_NAME_REFUSED' }, JSON.stringify(refused))
        }
        return log
      }))

    test('finishes the appends under way when it is closed, and refuses those that come later', async () => {
      const log = await openFresh()
      const topic = `conformance-${randomUUID()}`
      await log.createTopic(topic, { partitions: 1 })
      const appended = log.append(topic, 0, numbered(0, 1))
      await log.close()
      assert.equal(await appended, 0)
      await assert.rejects(log.append(topic, 0, numbered(0, 1)), { code: 'LOG_CLOSED' })
      await assert.rejects(log.read(topic, 0, 0, 1), { code: 'LOG_CLOSED' })
      await log.close()
    })
  })
}

/** Records whose values are the numbers from `first` on, in digits. */
export function numbered(first: number, count: number): RecordInput[] {
  return Array.from({ length: count }, (_, index) => ({
    key: null,
    value: bytes(`${first + index}`),
    timestampMs: 1_700_000_000_000 + first + index,
  }))
}

/** All that a partition holds, in small reads. */
export async function readAll(log: Log, topic: string, partition = 0): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  let offset = log.start(topic, partition)
  while (offset < log.end(topic, partition)) {
    const read = await log.read(topic, partition, offset, 300)
    assert.ok(read.next > offset)
    records.push(...read.records)
    offset = read.next
  }
  return records
}

export function values(records: readonly { readonly value: Uint8Array | null }[]): (string | null)[] {
  return records.map(({ value }) => (value === null ? null : Buffer.from(value).toString()))
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** An adapter may give views of any kind of byte array; only the bytes are promised. */
function plain(records: readonly LogRecord[]): LogRecord[] {
  const copy = (view: Uint8Array | null): Uint8Array | null => (view === null ? null : new Uint8Array(view))
  return records.map((record) => ({
    ...record,
    key: copy(record.key),
    value: copy(record.value),
    headers: record.headers.map(([name, value]) => [name, new Uint8Array(value)]),
  }))
}
