// Goal: the work is shared by several processes on a real broker, any of which may be killed, or be stopped and go on as
// a zombie, and the result is what the naive model says of the raw topic: no event lost, none counted twice.
// Method: real processes; a follower in the test reads the states of all of them.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/base/clock.ts'
import { type ClusterOptions, kafka, type Mill, millrace } from '../../src/index.ts'
import { openKafkaLog } from '../../src/log/kafka/kafka-log.ts'
import type { EngineCounts } from '../../src/stream/engine-types.ts'
import { makeEvent, payments, views } from '../integration/kill-stream.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { reasonToSkip, useCluster } from './broker.ts'
import { Worker } from './workers.ts'

const skip = await reasonToSkip()
const replication = 1

describe('several processes on a log in Kafka', { skip }, async () => {
  if (skip !== false) return
  const { brokers } = await useCluster()
  const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-cluster-'))
  const workers: Worker[] = []
  const raw = await openKafkaLog({ brokers, replication, clock: systemClock })
  await raw.createTopic(payments.topic, { partitions: 2 })
  let follower: Mill | null = null
  after(async () => {
    for (const worker of workers) worker.signal('SIGKILL')
    await follower?.close()
    await raw.close()
    await rm(folder, { recursive: true })
  })

  let folders = 0
  const start = async (share: ClusterOptions, own = `worker-${folders++}`): Promise<Worker> => {
    const worker = await Worker.start({ brokers, folder: join(folder, own), cluster: { partitions: 3, ...share } })
    workers.push(worker)
    return worker
  }
  let sent = 0
  const send = async (count: number): Promise<void> => {
    for (let partition = 0; partition < 2; partition++) {
      const records = Array.from({ length: count }, (_, nth) => {
        // Some of what was sent before comes again.
        const number = Math.max(0, sent + nth - 5) * 2 + partition
        return { key: null, value: makeEvent(11, number), timestampMs: Date.now() }
      })
      await raw.append(payments.topic, partition, records)
    }
    sent += count
  }
  const check = async (running: readonly Worker[]): Promise<void> => {
    const answers = await Promise.all(running.map((worker) => worker.ask('caught up')))
    for (const { halted } of answers) assert.deepEqual(halted, [])
    const log = kafka(brokers, { replication })
    follower ??= await millrace({
      folder: join(folder, 'follower'),
      definitions: views,
      log,
      cluster: { serve: 'all' },
    })
    await follower.caughtUp()
    const { plan, engine } = follower
    for (const { topic } of follower.log.topics()) await follower.log.refresh(topic)
    const counts = sumOf(answers.map((answer) => answer.counts))
    const subject = { plan, views, log: follower.log, engine: { counts, state: engine.state.bind(engine) } }
    const { values } = await assertMatchesLog(subject, [0, 1, 45_000])
    assert.ok(values > 100)
  }

  test('processes that are killed, and zombies, lose nothing and double nothing', async () => {
    let one = await start({ ingest: [0], compute: [0, 1] }, 'one')
    const other = await start({ ingest: [1], compute: [2] })
    await send(200)
    await check([one, other])

    // Killed while at work; its next life has the snapshot in its folder.
    await send(300)
    one.signal('SIGKILL')
    await send(50)
    one = await start({ ingest: [0], compute: [0, 1] }, 'one')
    await check([one, other])

    // Stopped while at work; another one, with nothing but the log, takes its part; then it goes on as a zombie.
    await send(300)
    await sleep(30)
    one.signal('SIGSTOP')
    await send(100)
    const third = await start({ ingest: [0], compute: [0, 1] })
    await third.ask('caught up')
    const busy = send(200)
    one.signal('SIGCONT')
    await busy
    await check([third, other])
    one.signal('SIGKILL')

    // All at once; one that has nothing takes everything.
    await send(200)
    third.signal('SIGKILL')
    other.signal('SIGKILL')
    const last = await start({})
    await check([last])
    last.signal('SIGKILL')
  })
})

function sumOf(all: readonly EngineCounts[]): EngineCounts {
  const views: Record<string, EngineCounts['views'][string]> = {}
  for (const { views: own } of all) {
    for (const [name, counts] of Object.entries(own)) {
      const sum = views[name] ?? { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 }
      const { applied, filtered, unkeyed, forgotten, before } = counts
      views[name] = {
        applied: sum.applied + applied,
        filtered: sum.filtered + filtered,
        unkeyed: sum.unkeyed + unkeyed,
        forgotten: sum.forgotten + forgotten,
        before: sum.before + before,
      }
    }
  }
  return { sources: all.flatMap(({ sources }) => sources), views }
}
