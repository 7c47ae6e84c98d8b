// Goal: the parts of a cluster come together to what the naive model says of the log, however they share the work, and
// from whatever they are restored. Method: the embedded log in memory stands for Kafka; each part has its own store.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Log, LogRecord, RecordInput } from '../../../src/log/log.ts'
import { compile } from '../../../src/plan/compile.ts'
import { openMemoryOnlineStore } from '../../../src/store/online/memory/memory-online-store.ts'
import type { ClusterEngine } from '../../../src/stream/cluster/cluster-engine.ts'
import { makeEvent, payments, views } from '../../integration/kill-stream.ts'
import { assertMatchesLog, type Tally } from '../../oracle/matches-log.ts'
import { nowMs } from '../harness.ts'
import { openMemoryLog, openPart, partitionsOf, together } from './engines.ts'

const plan = compile(views)
const instants = [0, 1, 45_000, 330_000]

async function openLog(): Promise<Log> {
  const log = await openMemoryLog()
  await log.createTopic(payments.topic, { partitions: 2 })
  return log
}

async function send(log: Log, from: number, count: number): Promise<void> {
  for (let partition = 0; partition < 2; partition++) {
    const records: RecordInput[] = Array.from({ length: count }, (_, nth) => {
      const event = makeEvent(7, (from + nth) * 2 + partition)
      return { key: null, value: event, timestampMs: nowMs }
    })
    records.push({ key: null, value: Buffer.from('no event'), timestampMs: nowMs })
    await log.append(payments.topic, partition, records)
  }
}

async function checkAll(log: Log, engines: readonly ClusterEngine[]): Promise<Tally> {
  await Promise.all(engines.map((engine) => engine.caughtUp()))
  await Promise.all(engines.map((engine) => engine.checkpoint()))
  for (const engine of engines) assert.deepEqual(engine.halted, [])
  return await assertMatchesLog({ plan, log, views, engine: together(plan, engines) }, instants)
}

type Part = {
  readonly ingest?: readonly number[]
  readonly compute?: readonly number[]
  readonly follow?: readonly number[]
}

async function start(log: Log, part: Part, store = openMemoryOnlineStore()): Promise<ClusterEngine> {
  const engine = await openPart({ views, log, store })
  engine.assign([
    ...partitionsOf(engine, 'ingest', part.ingest ?? []),
    ...partitionsOf(engine, 'compute', part.compute ?? []),
  ])
  engine.follow(partitionsOf(engine, 'compute', part.follow ?? []))
  return engine
}

const everything = { ingest: [0, 1], compute: [0, 1, 2] }

test('one process has every partition, and goes on where it was', async () => {
  const log = await openLog()
  const store = openMemoryOnlineStore()
  await send(log, 0, 100)
  const first = await start(log, everything, store)
  await send(log, 90, 100)
  const { records, keys } = await checkAll(log, [first])
  assert.ok(records === 404 && keys > 10, `${records} records, ${keys} keys`)
  await first.close()
  const second = await start(log, everything, store)
  await send(log, 180, 50)
  await checkAll(log, [second])
  await second.close()
  await log.close()
})

test('processes share source partitions and accepted events in any way, and hand them over', async () => {
  const log = await openLog()
  await send(log, 0, 100)
  const one = await start(log, { ingest: [0], compute: [2] })
  const other = await start(log, { ingest: [1], compute: [0, 1] })
  await checkAll(log, [one, other])
  const third = await start(log, {})
  const moving = partitionsOf(one, 'compute', [2])
  await send(log, 90, 100)
  await one.revoke(moving)
  third.assign(moving)
  const source = partitionsOf(one, 'ingest', [0])
  await one.revoke(source)
  await send(log, 180, 30)
  third.assign(source)
  await checkAll(log, [one, other, third])
  for (const engine of [one, other, third]) await engine.close()
  await log.close()
})

/** The log as others see it, where `change` may take something from what is read. */
function withReads(log: Log, read: Log['read']): Log {
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'read') return read
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

test('states are restored from the state topics alone', async () => {
  const log = await openLog()
  await send(log, 0, 150)
  const first = await start(log, everything)
  await checkAll(log, [first])
  await first.close()
  const begun = new Set<string>()
  const watched = withReads(log, async (topic, partition, offset, bytesMax) => {
    if (offset === 0) begun.add(topic.replace(/\..*/, ''))
    return await log.read(topic, partition, offset, bytesMax)
  })
  const second = await start(watched, everything)
  await Promise.all([second.caughtUp(), second.checkpoint()])
  assert.deepEqual([...begun].sort(), ['feature-state', 'ingest-state'])
  await checkAll(log, [second])
  await second.close()
  await log.close()
})

test('a state topic that has lost a record is noticed, and states are built from the accepted events', async () => {
  const log = await openLog()
  await send(log, 0, 150)
  const first = await start(log, everything)
  await checkAll(log, [first])
  await first.close()
  let lost = 0
  const damaged = withReads(log, async (topic, partition, offset, bytesMax) => {
    const read = await log.read(topic, partition, offset, bytesMax)
    const isLost = ({ key, value }: LogRecord): boolean => key![0] === 1 && value !== null && value.length % 5 === 0
    if (!topic.startsWith('feature-state')) return read
    const records = read.records.filter((record) => !isLost(record))
    lost += read.records.length - records.length
    return { ...read, records }
  })
  const second = await start(damaged, everything)
  await checkAll(log, [second])
  assert.ok(lost > 0)
  await second.close()
  // What was missing is there again.
  const third = await start(log, everything)
  await checkAll(log, [third])
  await third.close()
  await log.close()
})

test('a follower reads what the owners fold, and owns nothing', async () => {
  const log = await openLog()
  await send(log, 0, 100)
  const owner = await start(log, everything)
  await checkAll(log, [owner])
  const store = openMemoryOnlineStore()
  const follower = await start(log, { follow: [0, 1, 2] }, store)
  await send(log, 90, 100)
  await checkFollower(log, owner, follower)
  await follower.close()
  await send(log, 180, 40)
  const again = await start(log, { follow: [0, 1, 2] }, store)
  await checkFollower(log, owner, again)
  await again.close()
  await owner.close()
  await log.close()
})

async function checkFollower(log: Log, owner: ClusterEngine, follower: ClusterEngine): Promise<void> {
  await checkAll(log, [owner])
  await follower.caughtUp()
  const engine = { counts: owner.counts, state: follower.state.bind(follower) }
  await assertMatchesLog({ plan, log, views, engine }, instants)
}

test('two owners of everything at once do no harm', async () => {
  const log = await openLog()
  await send(log, 0, 100)
  const zombie = await start(log, everything)
  await zombie.caughtUp()
  await send(log, 90, 30)
  const owner = await start(log, everything)
  await owner.caughtUp()
  await send(log, 130, 30)
  await checkAll(log, [owner])
  await zombie.close()
  await send(log, 150, 30)
  await checkAll(log, [owner])
  await owner.close()
  await log.close()
})
