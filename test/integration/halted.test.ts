// Goal: when dead letters cannot be written, the partitions that have some stop, and only those; whoever asks by HTTP
// is told which and why; what was sent meanwhile is not lost, and a restart after the repair goes on.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { newestLetters } from '../../src/app/dead-letters.ts'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { startServer } from '../../src/app/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { partitionFor } from '../../src/base/murmur2.ts'
import { entity, featureView, int, stream, timestamp } from '../../src/index.ts'
import { deadLetterTopic } from '../../src/plan/topics.ts'

const visits = stream('visits', {
  fields: { user: int(), at: timestamp('ms') },
  time: 'at',
  key: 'user',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const counts = featureView('counts', {
  from: visits,
  by: user,
  features: (on) => ({ visits: on.count({ over: 'lifetime' }) }),
})

async function withMill(folder: string, use: (mill: Mill, address: string) => Promise<void>): Promise<void> {
  const mill = await millrace({ definitions: [counts], folder, partitions: 2, checkpointMs: 20 })
  const server = await startServer({ mill, host: '127.0.0.1', port: 0, clock: systemClock })
  try {
    await use(mill, server.address)
  } finally {
    await server.close()
    await mill.close()
  }
}

const inPartition = (partition: number): number =>
  [1, 2, 3, 4, 5, 6, 7, 8].find((one) => partitionFor(Buffer.from(String(one)), 2) === partition)!
const visit = (one: number): string => JSON.stringify({ user: one, at: Date.now() })

/** Broken events are placed by their bytes. */
function poisonFor(partition: number): Buffer {
  for (let nth = 0; ; nth++) {
    const body = Buffer.from(`{"broken":${nth}}`)
    if (partitionFor(body, 2) === partition) return body
  }
}

async function ask(address: string, path: string, body?: string): Promise<{ status: number; body: unknown }> {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: body ?? '' }
  const answer = await fetch(new URL(path, address), body === undefined ? {} : post)
  return { status: answer.status, body: await answer.json() }
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, 'in time')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('a dead-letter-queue that cannot be written stops the partition, by name and with the reason', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-halted-'))
  try {
    await withMill(folder, async (mill, address) => {
      await mill.ingest('visits', [poisonFor(0)])
      await until(async () => (await lettersOf(mill)).length === 1)
      const append = mill.log.append.bind(mill.log)
      mill.log.append = async (topic, partition, records) => {
        if (topic === deadLetterTopic) throw new Error('no space left on device')
        return await append(topic, partition, records)
      }
      await mill.ingest('visits', [poisonFor(0)])
      await until(() => mill.engine.halted.length > 0)
      const health = await ask(address, '/health')
      assert.equal(health.status, 503)
      assert.deepEqual(health.body, {
        healthy: false,
        reasons: [
          'partition 0 of visits has stopped: could not write what goes to dead-letter-queue: no space left on device',
        ],
      })
      assert.equal((await ask(address, '/ready')).status, 200, 'the others go on')
      for (const partition of [0, 1]) {
        const sent = await ask(address, '/v1/events/visits', visit(inPartition(partition)))
        assert.equal(sent.status, 202, 'durable in both')
      }
      await until(() => mill.read('counts', { user: inPartition(1) }, { asOf: 'latest' }).values[0] === 1)
      const replay = await ask(address, '/v1/dead-letters/replay', '{"all":true}')
      assert.deepEqual(
        (replay.body as { results: { outcome: string }[] }).results.map(({ outcome }) => outcome),
        ['halted'],
      )
    })
    await withMill(folder, async (mill, address) => {
      await mill.caughtUp()
      await mill.engine.checkpoint()
      assert.equal((await ask(address, '/health')).status, 200)
      const values = [0, 1].map((at) => mill.read('counts', { user: inPartition(at) }, { asOf: 'latest' }).values[0])
      assert.deepEqual(values, [1, 1])
      assert.equal((await lettersOf(mill)).length, 2, 'each once')
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

async function lettersOf({ log }: Mill) {
  return (await newestLetters(log, { kind: 'refused' }, { countMax: 100, clock: systemClock })).newest
}
