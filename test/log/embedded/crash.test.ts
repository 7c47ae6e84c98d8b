import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { makeManualClock } from '../../../src/base/clock.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import type { LogRecord, RecordInput } from '../../../src/log/log.ts'
import { readAll } from '../../conformance/log.ts'
import { makeMemoryFileSystem, type MemoryFileSystem } from './memory-file-system.ts'

// Goal: what was acknowledged survives any crash, whole calls appear or none, and nothing else ever appears.
// Method: random appends, power cuts that keep any sectors of what was not synced, killed processes, failing syncs and
// reopens, against a model that is a list of calls per partition. Segments are tiny and the cache is off or on, so that
// every path of reading is taken.

type Step =
  | { readonly kind: 'append'; readonly partition: number; readonly sizes: readonly number[] }
  | { readonly kind: 'settle' | 'reopen' | 'kill' | 'fail' }
  | { readonly kind: 'powerCut'; readonly seed: number; readonly afterOperations: number }

const partitions = [0, 1]

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        partition: fc.constantFrom(...partitions),
        sizes: fc.array(fc.nat(60), { minLength: 1, maxLength: 4 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('reopen' as const, 'kill' as const, 'fail' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('powerCut' as const),
        seed: fc.integer(),
        afterOperations: fc.nat(6),
      }),
    },
  ),
  { minLength: 5, maxLength: 40 },
)

const counts = { powerCuts: 0, keptWhatWasNotAcknowledged: 0, lostWhatWasNotAcknowledged: 0 }

test('keeps every acknowledged call through power cuts, kills and failing syncs', async () => {
  const property = fc.asyncProperty(steps, fc.constantFrom(0, 400), fc.constantFrom(200, 1_000_000), run)
  const seed = process.env['SEED']
  await fc.assert(property, { numRuns: 400, ...(seed === undefined ? {} : { seed: Number(seed) }) })
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 10, `${what} happened ${count} times`)
})

/** A call as the model sees it. Its offset is fixed by the calls before it. */
type Call = { readonly records: readonly RecordInput[]; acknowledged: boolean }

async function run(plan: readonly Step[], tailBytesMax: number, segmentBytes: number): Promise<void> {
  const clock = makeManualClock(0)
  const open = (disk: MemoryFileSystem): Promise<EmbeddedLog> =>
    openEmbeddedLog({ folder: '/log', clock, fileSystem: disk, tailBytesMax, segmentBytes })
  let disk = makeMemoryFileSystem()
  let log = await open(disk)
  await log.createTopic('t', { partitions: partitions.length })
  const model: Call[][] = partitions.map(() => [])
  let settled: Promise<unknown>[] = []
  let named = 0

  for (const step of plan) {
    if (step.kind === 'append') {
      const records = step.sizes.map((size) => ({
        key: new TextEncoder().encode(String(named++)),
        value: new Uint8Array(size).fill(named),
        timestampMs: (named * 7919) % 1000,
      }))
      const call: Call = { records, acknowledged: false }
      const before = countOf(model[step.partition]!)
      model[step.partition]!.push(call)
      const appended = log.append('t', step.partition, records).then(
        (offset) => {
          assert.equal(offset, before)
          call.acknowledged = true
        },
        (error: { code?: string }) => assert.equal(error.code, 'LOG_WRITE_FAILED'),
      )
      settled.push(appended)
      continue
    }
    if (step.kind === 'powerCut') {
      for (let turn = 0; turn < step.afterOperations; turn++) await Promise.resolve()
      const random = makeRandom(step.seed)
      const bias = random()
      const crashed = disk.crash(() => random() < bias)
      // From now on the old process writes to a disk that no one will read.
      const acknowledged = model.map((calls) => calls.map((call) => call.acknowledged))
      await Promise.all(settled)
      for (const [place, calls] of model.entries()) {
        for (const [index, call] of calls.entries()) call.acknowledged = acknowledged[place]![index]!
      }
      disk = crashed
      counts.powerCuts++
    } else {
      if (step.kind === 'fail') {
        disk.onOperation = (operation) => {
          if (operation === 'sync') throw Object.assign(new Error('EIO'), { code: 'EIO' })
        }
      }
      await Promise.all(settled)
      disk.onOperation = () => {}
      if (step.kind === 'settle') continue
      if (step.kind === 'kill') disk.killProcess()
      else await log.close()
    }
    settled = []
    log = await open(disk)
    for (const partition of partitions) model[partition] = await checkAgainst(model[partition]!, log, partition)
  }
  await Promise.all(settled)
  await log.close()
  log = await open(disk)
  for (const partition of partitions) await checkAgainst(model[partition]!, log, partition)
}

/** What is there must be a number of whole calls from the first on, among them all acknowledged ones. */
async function checkAgainst(calls: readonly Call[], log: EmbeddedLog, partition: number): Promise<Call[]> {
  const found = await readAll(log, 't', partition)
  const expected: LogRecord[] = []
  const kept: Call[] = []
  for (const call of calls) {
    if (expected.length >= found.length) break
    for (const record of call.records) expected.push({ ...record, headers: [], offset: expected.length })
    if (!call.acknowledged) counts.keptWhatWasNotAcknowledged++
    kept.push({ records: call.records, acknowledged: true })
  }
  assert.deepEqual(found, expected)
  for (const call of calls.slice(kept.length)) {
    assert.equal(call.acknowledged, false, 'an acknowledged call is lost')
    counts.lostWhatWasNotAcknowledged++
  }
  assert.equal(log.end('t', partition), found.length)
  for (const timeMs of [0, 250, 999, 1000]) {
    const first = found.findIndex((record) => record.timestampMs >= timeMs)
    assert.equal(await log.offsetAt('t', partition, timeMs), first === -1 ? found.length : first)
  }
  return kept
}

function countOf(calls: readonly Call[]): number {
  return calls.reduce((count, call) => count + call.records.length, 0)
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
