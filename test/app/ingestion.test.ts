import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeManualClock } from '../../src/base/clock.ts'
import { entity, featureView, int, stream, string, timestamp } from '../../src/index.ts'
import { Ingestion } from '../../src/app/ingestion.ts'
import type { Log, RecordInput } from '../../src/log/log.ts'
import { compile } from '../../src/plan/compile.ts'

// Goal: calls that wait together share their appends, and each gets what is its own: places, refusals, faults.
// Method: a log that says when an append is durable, and whether.

const orders = stream('orders', {
  fields: { id: string(), user: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const view = featureView('v', { from: orders, by: user, features: (on) => ({ n: on.count({ over: '1d' }) }) })
const plan = compile([view]).streams[0]!
const atMs = Date.UTC(2026, 0, 1)

type Append = {
  readonly partition: number
  readonly values: readonly string[]
  readonly base: number
  readonly settle: PromiseWithResolvers<number>
}

class SlowLog {
  readonly appends: Append[] = []
  readonly partitions: number
  readonly #ends: number[] = [100, 200, 300, 400]

  constructor(partitions: number) {
    this.partitions = partitions
  }

  topics() {
    return [{ topic: plan.topic, partitions: this.partitions, retentionMs: null }]
  }

  async append(topic: string, partition: number, records: readonly RecordInput[]): Promise<number> {
    assert.equal(topic, plan.topic)
    const base = this.#ends[partition]!
    this.#ends[partition] = base + records.length
    const values = records.map(({ value }) => Buffer.from(value!).toString())
    const settle = Promise.withResolvers<number>()
    this.appends.push({ partition, values, base, settle })
    return await settle.promise
  }

  settleAll(): void {
    for (const { settle, base } of this.appends) settle.resolve(base)
  }
}

function open(partitions = 1): { log: SlowLog; ingest: (...bodies: string[]) => ReturnType<Ingestion['ingest']> } {
  const log = new SlowLog(partitions)
  const ingestion = new Ingestion({
    log: log as unknown as Log,
    clock: makeManualClock(atMs),
    writerOf: () => Promise.resolve(undefined),
  })
  return {
    log,
    ingest: (...bodies) =>
      ingestion.ingest(
        plan,
        bodies.map((body) => Buffer.from(body)),
      ),
  }
}

const event = (id: string, userId = 1): string => JSON.stringify({ id, user: userId, at: atMs })
const turn = async (): Promise<void> => await new Promise((resolve) => void setImmediate(resolve))

test('calls of one turn go into one append, and those that come meanwhile into the next', async () => {
  const { log, ingest } = open()
  const first = [ingest(event('a')), ingest(event('b'), event('c'))]
  await turn()
  assert.deepEqual(
    log.appends.map(({ values }) => values),
    [[event('a'), event('b'), event('c')]],
  )
  const second = [ingest(event('d')), ingest(event('e'))]
  await turn()
  assert.equal(log.appends.length, 1)
  log.appends[0]!.settle.resolve(log.appends[0]!.base)
  assert.deepEqual(await Promise.all(first), [
    [{ partition: 0, offset: 100, refusals: [] }],
    [
      { partition: 0, offset: 101, refusals: [] },
      { partition: 0, offset: 102, refusals: [] },
    ],
  ])
  await turn()
  assert.deepEqual(log.appends[1]!.values, [event('d'), event('e')])
  log.settleAll()
  assert.deepEqual(
    (await Promise.all(second)).flat().map(({ offset }) => offset),
    [103, 104],
  )
  // And again, after everything was quiet.
  const third = ingest(event('f'))
  await turn()
  log.settleAll()
  assert.equal((await third)[0]!.offset, 105)
})

test('each event of a call has its own place, whatever order the partitions answer in', async () => {
  const { log, ingest } = open(4)
  const users = Array.from({ length: 40 }, (_, index) => index)
  const bodies = users.map((id) => event(`x${id}`, id))
  const calls = [ingest(...bodies.slice(0, 25)), ingest(...bodies.slice(25))]
  await turn()
  assert.ok(log.appends.length > 1 && log.appends.length <= 4)
  for (const { settle, base } of log.appends.toReversed()) settle.resolve(base)
  const results = (await Promise.all(calls)).flat()
  results.forEach(({ partition, offset }, index) => {
    const append = log.appends.find((one) => one.partition === partition)!
    assert.equal(append.values[offset - append.base], bodies[index])
  })
})

test('a refused event lies in the log too, and its call says why', async () => {
  const { log, ingest } = open()
  const call = ingest(event('a'), '{"id":"b"', event('c'))
  await turn()
  log.settleAll()
  assert.deepEqual(
    (await call).map(({ offset, refusals }) => [offset, refusals.map(({ code }) => code)]),
    [
      [100, []],
      [101, ['JSON']],
      [102, []],
    ],
  )
})

test('a partition that fails fails the calls with events in it, and no others', async () => {
  const { log, ingest } = open(4)
  const calls = Array.from({ length: 20 }, (_, index) => ingest(event(`x${index}`, index)))
  await turn()
  const [broken, ...whole] = log.appends
  broken!.settle.reject(new Error('disk'))
  for (const { settle, base } of whole) settle.resolve(base)
  const outcomes = await Promise.allSettled(calls)
  const failed = outcomes.filter(({ status }) => status === 'rejected').length
  assert.equal(failed, broken!.values.length)
  assert.ok(failed < 20)
  const after = ingest(event('later', 3))
  await turn()
  log.settleAll()
  assert.equal((await after).length, 1)
})

test('an event that no record holds leaves nothing of its call, and disturbs no other', async () => {
  const { log, ingest } = open()
  const other = ingest(event('a'))
  await assert.rejects(ingest(event('b'), `"${'x'.repeat(1024 * 1024)}"`), { code: 'LOG_RECORD_TOO_LARGE' })
  await turn()
  assert.deepEqual(log.appends.map(({ values }) => values).flat(), [event('a')])
  log.settleAll()
  assert.equal((await other).length, 1)
})

test('an append holds about a megabyte, and a call is never divided', async () => {
  const { log, ingest } = open()
  const large = (id: string): string => JSON.stringify({ id, user: 1, at: atMs, note: 'x'.repeat(400_000) })
  const calls = [ingest(large('a')), ingest(large('b')), ingest(large('c'), large('d'), large('e')), ingest(event('f'))]
  await turn()
  assert.deepEqual(
    log.appends.map(({ values }) => values.map((value) => (JSON.parse(value) as { id: string }).id)),
    [['a', 'b'], ['c', 'd', 'e'], ['f']],
  )
  log.settleAll()
  assert.deepEqual(
    (await Promise.all(calls)).flat().map(({ offset }) => offset),
    [100, 101, 102, 103, 104, 105],
  )
})
