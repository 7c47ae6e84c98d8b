import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { makeManualClock } from '../../../src/base/clock.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import type { Replacement } from '../../../src/log/embedded/rewrite.ts'
import type { LogRecord, RecordInput } from '../../../src/log/log.ts'
import { readBatchHeader } from '../../../src/log/record-batch.ts'
import { readAll } from '../../conformance/log.ts'
import { makeMemoryFileSystem, type MemoryFileSystem } from './memory-file-system.ts'

const erased: Replacement = { key: null, value: null }
const text = (content: string): Uint8Array => new TextEncoder().encode(content)
const open = (fileSystem: MemoryFileSystem, options: object = {}): Promise<EmbeddedLog> =>
  openEmbeddedLog({ folder: '/log', clock: makeManualClock(0), fileSystem, ...options })
const secret = (index: number): RecordInput => ({
  key: text(`key-${index};`),
  value: text(`secret-${index};${'x'.repeat(index % 40)}`),
  timestampMs: (index * 7919) % 1000,
  headers: [['of', text(`header-${index};`)]],
})

function holds(disk: MemoryFileSystem, content: string): boolean {
  return disk.paths().some((path) => Buffer.from(disk.content(path)).includes(content))
}

describe('replacing records', () => {
  test('keeps offsets, timestamps and all other records, and leaves nothing of the old ones on disk', async () => {
    for (const segmentBytes of [250, 1_000_000]) {
      const disk = makeMemoryFileSystem()
      const log = await open(disk, { segmentBytes })
      await log.createTopic('t', { partitions: 1 })
      for (let index = 0; index < 30; index += 3)
        await log.append(
          't',
          0,
          [0, 1, 2].map((more) => secret(index + more)),
        )
      const before = await readAll(log, 't')
      const other: Replacement = { key: text('k'), value: text('instead'), headers: [['erased', text('1')]] }
      await log.replace(
        't',
        0,
        new Map([
          [0, erased],
          [13, other],
          [29, erased],
        ]),
      )
      const expected = before.map((record): LogRecord => {
        if (record.offset === 13) return { ...record, ...other, headers: other.headers! }
        return [0, 29].includes(record.offset) ? { ...record, ...erased, headers: [] } : record
      })
      assert.deepEqual(await readAll(log, 't'), expected)
      for (const index of [0, 13, 29]) {
        for (const part of ['key', 'secret', 'header']) assert.equal(holds(disk, `${part}-${index};`), false)
      }
      assert.ok(holds(disk, 'secret-12;'))
      assert.equal(await log.append('t', 0, [secret(30)]), 30)
      await log.close()
      const again = await open(disk.crash(() => false))
      assert.deepEqual((await readAll(again, 't')).slice(0, 30), expected)
      for (const time of [0, 250, 700]) {
        const first = before.findIndex((record) => record.timestampMs >= time)
        assert.equal(await again.offsetAt('t', 0, time), first)
      }
    }
  })

  test('is seen by a reader that is in the middle of a batch', async () => {
    const log = await open(makeMemoryFileSystem(), { tailBytesMax: 0 })
    await log.createTopic('t', { partitions: 1 })
    await log.append('t', 0, [secret(0), secret(1), secret(2)])
    assert.equal((await log.read('t', 0, 0, 1)).records.length, 1)
    await log.replace('t', 0, new Map([[1, erased]]))
    assert.equal((await log.read('t', 0, 1, 1)).records[0]!.value, null)
  })

  test('keeps which batches were written together', async () => {
    const disk = makeMemoryFileSystem()
    const log = await open(disk, { segmentBytes: 900 })
    await log.createTopic('t', { partitions: 1 })
    await Promise.all([log.append('t', 0, [secret(0)]), log.append('t', 0, [secret(1)])])
    await Promise.all([log.append('t', 0, [secret(2)]), log.append('t', 0, [secret(3)])])
    const groups = (): number[] => {
      const bytes = disk.content('/log/topics/t/0/00000000000000000000.log')
      const starts: number[] = []
      for (let at = 0; at < bytes.length; at += readBatchHeader(bytes, at).sizeBytes) {
        const { partitionLeaderEpoch, baseOffset } = readBatchHeader(bytes, at)
        if (partitionLeaderEpoch === 0) starts.push(baseOffset)
      }
      return starts
    }
    assert.deepEqual(groups(), [0, 2])
    await log.replace('t', 0, new Map([[1, erased]]))
    assert.deepEqual(groups(), [0, 2])
  })

  test('never leaves an index of the old content beside the new one, though both are of one size', async () => {
    const record = (size: number): RecordInput => ({ key: null, value: new Uint8Array(size).fill(7), timestampMs: 5 })
    for (let operations = 0; ; operations++) {
      const disk = makeMemoryFileSystem()
      const first = await open(disk)
      await first.createTopic('t', { partitions: 1 })
      for (let index = 0; index < 6; index++) await first.append('t', 0, [record(12_000)])
      await first.replace('t', 0, new Map([[5, record(12_000)]]))
      await first.close()
      // Opening makes the names of the index files durable.
      const log = await open(disk)
      let left = operations
      disk.onOperation = () => {
        if (left-- <= 0) throw new Error('power cut')
      }
      const sizes = new Map([
        [0, record(11_000)],
        [5, record(13_000)],
      ])
      const done = await log.replace('t', 0, sizes).then(
        () => true,
        () => false,
      )
      for (const kept of [0, 1, 2, 4, 7]) {
        // Of the names that are not durable yet, any may be.
        let names = 0
        const again = await open(disk.crash(() => ((kept >> (names++ % 3)) & 1) === 1))
        // Backwards, so that each read goes by the index and not by where the one before it ended.
        for (let offset = 5; offset >= 0; offset--) {
          const [found] = (await again.read('t', 0, offset, 1)).records
          assert.equal(found!.offset, offset)
        }
        assert.equal(await again.offsetAt('t', 0, 0), 0)
      }
      if (done) break
    }
  })

  test('is refused beyond the end, passes over what retention removed, and after close', async () => {
    const clock = makeManualClock(0)
    const log = await open(makeMemoryFileSystem(), { segmentBytes: 100, clock })
    await log.createTopic('t', { partitions: 1, retentionMs: 1 })
    for (let index = 0; index < 4; index++) await log.append('t', 0, [{ key: null, value: text('v'), timestampMs: 0 }])
    await assert.rejects(log.replace('t', 0, new Map([[4, erased]])), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
    clock.set(10)
    await log.enforceRetention()
    assert.ok(log.start('t', 0) > 0)
    await log.replace('t', 0, new Map([[0, erased]]))
    const large = { key: null, value: new Uint8Array(2_000_000) }
    await assert.rejects(log.replace('t', 0, new Map([[3, large]])), { code: 'LOG_RECORD_TOO_LARGE' })
    await log.close()
    await assert.rejects(log.replace('t', 0, new Map([[3, erased]])), { code: 'LOG_CLOSED' })
  })

  test('refuses to copy a damaged segment, and goes on with the others', async () => {
    const disk = makeMemoryFileSystem()
    const log = await open(disk, { segmentBytes: 200 })
    await log.createTopic('t', { partitions: 1 })
    for (let index = 0; index < 6; index++) await log.append('t', 0, [secret(index)])
    const first = disk.paths().find((path) => path.endsWith('.log'))!
    const content = disk.content(first)
    content[90]! ^= 1
    disk.setContent(first, content)
    await assert.rejects(log.replace('t', 0, new Map([[0, erased]])), { code: 'LOG_CORRUPT' })
    assert.deepEqual(disk.content(first), content)
    await log.replace('t', 0, new Map([[5, erased]]))
    assert.equal(await log.append('t', 0, [secret(6)]), 6)
    assert.equal(holds(disk, 'secret-5;'), false)
  })
})

// Goal: a record that is replaced is old or new after any crash, new once that was acknowledged, and no other record
// ever changes.
// Method: random appends and replacements beside readers, power cuts that keep any sectors of what was not synced,
// killed processes and failing operations, against a model that lists what each record may be.

type Step =
  | { readonly kind: 'append'; readonly count: number }
  | { readonly kind: 'replace'; readonly every: number; readonly from: number }
  | { readonly kind: 'read'; readonly from: number }
  | { readonly kind: 'settle' | 'reopen' | 'kill' }
  | { readonly kind: 'powerCut'; readonly seed: number; readonly afterOperations: number }
  | { readonly kind: 'fail'; readonly afterOperations: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 4 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('replace' as const),
        every: fc.integer({ min: 1, max: 9 }),
        from: fc.nat(8),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), from: fc.nat(30) }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom('settle' as const, 'reopen' as const, 'kill' as const) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('powerCut' as const),
        seed: fc.integer(),
        afterOperations: fc.nat(300),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), afterOperations: fc.nat(30) }) },
  ),
  { minLength: 5, maxLength: 40 },
)

const counts = { replacedByCrash: 0, keptByCrash: 0, replaced: 0 }

/** What a record may be: its own content, its replacement, or either. */
type Slot = { readonly original: RecordInput; may: Set<'old' | 'new'>; acknowledged: boolean }

test('each record is old or new after any crash, and new once that was acknowledged', async () => {
  const property = fc.asyncProperty(steps, fc.constantFrom(0, 300), fc.constantFrom(200, 1_000_000), run)
  const seed = process.env['SEED']
  const numRuns = Number(process.env['RUNS'] ?? 200)
  await fc.assert(property, { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) })
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 0, `${what} never happened`)
})

async function run(plan: readonly Step[], tailBytesMax: number, segmentBytes: number): Promise<void> {
  let disk = makeMemoryFileSystem()
  const reopen = (): Promise<EmbeddedLog> => open(disk, { tailBytesMax, segmentBytes })
  let log = await reopen()
  await log.createTopic('t', { partitions: 1 })
  let slots: Slot[] = []
  let made = 0
  let work: Promise<unknown>[] = []
  for (const step of plan) {
    switch (step.kind) {
      case 'append':
        work.push(
          append(
            log,
            slots,
            Array.from({ length: step.count }, () => secret(made++)),
          ),
        )
        continue
      case 'replace':
        // Half of them beside the appends that are still under way.
        if (step.from % 2 === 0) await Promise.all(work)
        work.push(replace(log, slots, (offset) => offset >= step.from && offset % step.every === 0))
        continue
      case 'read': {
        const from = Math.min(step.from, log.end('t', 0))
        work.push(log.read('t', 0, from, 500).then(({ records }) => checkRecords(records, slots)))
        continue
      }
      case 'powerCut': {
        for (let turn = 0; turn < step.afterOperations; turn++) await Promise.resolve()
        const random = makeRandom(step.seed)
        const bias = random()
        const crashed = disk.crash(() => random() < bias)
        const [may, acknowledged] = [slots.map((slot) => new Set(slot.may)), slots.map((slot) => slot.acknowledged)]
        await Promise.all(work)
        slots.forEach((slot, index) => Object.assign(slot, { may: may[index], acknowledged: acknowledged[index] }))
        disk = crashed
        break
      }
      case 'fail': {
        let left = step.afterOperations
        disk.onOperation = (operation) => {
          if (operation !== 'read' && operation !== 'open' && left-- === 0)
            throw Object.assign(new Error('EIO'), { code: 'EIO' })
        }
        await Promise.all(work)
        disk.onOperation = () => {}
        await log.close()
        break
      }
      default:
        await Promise.all(work)
        if (step.kind === 'settle') {
          work = []
          continue
        }
        if (step.kind === 'kill') disk.killProcess()
        else await log.close()
    }
    work = []
    log = await reopen()
    slots = await checkAll(log, slots)
  }
  await Promise.all(work)
  await checkAll(log, slots)
  await log.close()
  await checkAll(await reopen(), slots)
  for (const { original, may } of slots) {
    if (!may.has('old')) assert.equal(holds(disk, Buffer.from(original.key!).toString()), false, 'the old one is left')
  }
}

function append(log: EmbeddedLog, slots: Slot[], records: readonly RecordInput[]): Promise<void> {
  const added = records.map((original): Slot => ({ original, may: new Set(['old']), acknowledged: false }))
  slots.push(...added)
  return log.append('t', 0, records).then(
    () => added.forEach((slot) => (slot.acknowledged = true)),
    (error: { code?: string }) => assert.equal(error.code, 'LOG_WRITE_FAILED'),
  )
}

function replace(log: EmbeddedLog, slots: readonly Slot[], picks: (offset: number) => boolean): Promise<void> {
  const end = log.end('t', 0)
  const picked = slots.slice(0, end).flatMap((slot, offset) => (picks(offset) ? [{ slot, offset }] : []))
  for (const { slot } of picked) slot.may.add('new')
  return log.replace('t', 0, new Map(picked.map(({ offset }) => [offset, erased]))).then(
    () => picked.forEach(({ slot }) => slot.may.delete('old')),
    (error: { code?: string }) => assert.equal(error.code, 'LOG_WRITE_FAILED'),
  )
}

function checkRecords(records: readonly LogRecord[], slots: readonly Slot[]): ('old' | 'new')[] {
  return records.map((record) => {
    const { original, may } = slots[record.offset]!
    const is = record.value === null ? 'new' : 'old'
    // A reader that began before the replacement was acknowledged may still bring the old one, which `may` has lost.
    const expected = is === 'new' ? { ...erased, timestampMs: original.timestampMs, headers: [] } : original
    assert.deepEqual({ ...record }, { ...expected, offset: record.offset })
    if (is === 'new') assert.ok(may.has('new'), `record ${record.offset} was never replaced`)
    return is
  })
}

/** The slots that are there now, each of them as it is. */
async function checkAll(log: EmbeddedLog, slots: readonly Slot[]): Promise<Slot[]> {
  const records = await readAll(log, 't')
  assert.ok(
    slots.slice(records.length).every(({ acknowledged }) => !acknowledged),
    'an acknowledged call is lost',
  )
  const are = checkRecords(records, slots)
  return slots.slice(0, records.length).map((slot, offset) => {
    const is = are[offset]!
    assert.ok(slot.may.has(is), `record ${offset} is ${is} again`)
    if (slot.may.size === 2) counts[is === 'new' ? 'replacedByCrash' : 'keptByCrash'] += 1
    else if (is === 'new') counts.replaced += 1
    return { ...slot, may: new Set([is]), acknowledged: true }
  })
}

/** Mulberry32: numbers in [0, 1) from a seed. */
function makeRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
