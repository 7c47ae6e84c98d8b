// Goal: each request gets exactly one answer, on the partition beside its own, in order, wherever a process is cut off.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../src/base/clock.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import { Answerer, type Request } from '../../src/stream/answerer.ts'
import { coordinatesIn } from '../../src/stream/output-headers.ts'
import { type Cut, type Disk, makeDisk, Steps } from './harness.ts'

const [partitions, perPartition] = [2, 4]
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const clock: Clock = { now: () => 1, elapsed: () => 0, sleep: turn, turn }

async function openLog(disk: Disk): Promise<Log> {
  disk.fileSystem.killProcess()
  return await openEmbeddedLog({ folder: '/data', clock, fileSystem: disk.fileSystem, segmentBytes: 20_000 })
}

/** Answers with a number that is another in each process: an answer that is given twice would show. */
function open(log: Log, store: OnlineStore, process: number): Answerer {
  const answer = (requests: readonly Request[]) =>
    Promise.resolve(
      requests.map(({ record, found }) => {
        const earlier = found.get('model-input')
        const input = earlier?.value ?? Buffer.from(`${process}: ${Buffer.from(record.value!).toString()}`)
        const made = { key: null, value: input, timestampMs: 1 }
        return { answer: made, besides: earlier === undefined ? [{ topic: 'model-input', record: made }] : [] }
      }),
    )
  const topics = { requests: 'questions', answers: 'answers', besides: ['model-input'] }
  return new Answerer({ name: 'asked', ...topics, log, store, clock, answer })
}

/** A process that is number 1 notes nothing: what it did is found by the next one alone. */
function cutting(
  log: Log,
  { disk, steps, process }: { disk: Disk; steps: Steps; process: number },
): { log: Log; store: OnlineStore } {
  const store: OnlineStore = {
    get: (key) => disk.store.get(key),
    range: (from, to) => disk.store.range(from, to),
    write: (changes) => (process === 1 ? Promise.resolve() : steps.take(() => disk.store.write(changes))),
    close: () => disk.store.close(),
  }
  const append: Log['append'] = (topic, partition, records) => steps.take(() => log.append(topic, partition, records))
  const read: Log['read'] = async (topic, partition, offset, bytesMax) => {
    // One request at a time, so that there are many places to be cut off at.
    if (topic !== 'questions') return await log.read(topic, partition, offset, bytesMax)
    for (let turns = 0; turns < 3; turns++) await turn()
    const { records, next } = await log.read(topic, partition, offset, bytesMax)
    return { records: records.slice(0, 1), next: records[1]?.offset ?? next }
  }
  return { store, log: { ...methodsOf(log), append, read } }
}

function methodsOf(log: Log): Log {
  return {
    id: log.id,
    createTopic: (topic, options) => log.createTopic(topic, options),
    topics: () => log.topics(),
    append: (topic, partition, records) => log.append(topic, partition, records),
    read: (topic, partition, offset, bytesMax) => log.read(topic, partition, offset, bytesMax),
    start: (topic, partition) => log.start(topic, partition),
    end: (topic, partition) => log.end(topic, partition),
    refresh: (topic) => log.refresh(topic),
    offsetAt: (topic, partition, timestampMs) => log.offsetAt(topic, partition, timestampMs),
    waitFor: (topic, partition, offset, signal) => log.waitFor(topic, partition, offset, signal),
    close: () => log.close(),
  }
}

/** One process, until it is cut off or has nothing left to do. */
async function run(disk: Disk, cut: Cut | null, process: number): Promise<Steps> {
  const log = await openLog(disk)
  const steps = new Steps(cut, () => 0)
  const seen = cutting(log, { disk, steps, process })
  const answerer = open(seen.log, seen.store, process)
  answerer.start()
  await Promise.race([steps.reached, answerer.caughtUp().catch(() => undefined)])
  const closed = answerer.close()
  if (cut === null) await closed
  steps.die()
  return steps
}

async function all(log: Log, topic: string, partition: number): Promise<readonly LogRecord[]> {
  const { records } = await log.read(topic, partition, 0, 16 * 1024 * 1024)
  return records
}

async function check(disk: Disk): Promise<void> {
  const log = await openLog(disk)
  for (let partition = 0; partition < partitions; partition++) {
    const expected = Array.from({ length: perPartition }, (_, offset) => offset)
    const [answers, inputs] = [await all(log, 'answers', partition), await all(log, 'model-input', partition)]
    assert.deepEqual(
      answers.map((one) => coordinatesIn(one).offset),
      expected,
    )
    assert.deepEqual(
      inputs.map((one) => coordinatesIn(one).offset),
      expected,
    )
    // What was written beside an answer is what the answer was made of, also when another process made it.
    assert.deepEqual(
      answers.map(({ value }) => value),
      inputs.map(({ value }) => value),
    )
  }
  await log.close()
}

async function makeAsked(): Promise<Disk> {
  const disk = makeDisk()
  const log = await openLog(disk)
  for (const topic of ['questions', 'answers', 'model-input']) await log.createTopic(topic, { partitions })
  for (let partition = 0; partition < partitions; partition++) {
    for (let index = 0; index < perPartition; index++) {
      const value = Buffer.from(`${partition}-${index}`)
      await log.append('questions', partition, [{ key: null, value, timestampMs: 1 }])
    }
  }
  await log.close()
  return disk
}

test('requests are answered once each over processes that die at any two steps, or cannot tell what they did', async () => {
  const { count } = await run(await makeAsked(), null, 0)
  assert.ok(count >= 4 * perPartition, 'each request takes two steps')
  let cuts = 0
  for (const mode of ['before', 'after', 'fails', 'done and fails'] as const) {
    for (let at = 0; at < count; at++) {
      const disk = await makeAsked()
      await run(disk, { at, mode }, 1)
      await run(disk, { at: (at * 7) % 4, mode: 'after' }, 2)
      await run(disk, null, 3)
      await check(disk)
      cuts += 2
    }
  }
  assert.ok(cuts > 100, `${cuts} cuts`)
})

test('what is answered is found without a store, and among the answers of others', async () => {
  const disk = await makeAsked()
  await run(disk, { at: 5, mode: 'after' }, 1)
  const log = await openLog(disk)
  for (let index = 0; index < 50; index++) {
    await log.append('answers', 0, [{ key: null, value: Buffer.from('of another'), timestampMs: 1 }])
  }
  await log.close()
  disk.store = makeDisk().store
  await run(disk, null, 2)
  const again = await openLog(disk)
  const own = (await all(again, 'answers', 0)).filter((one) => coordinatesIn(one).stream === 'asked')
  assert.deepEqual(
    own.map((one) => coordinatesIn(one).offset),
    [0, 1, 2, 3],
  )
  await again.close()
})

test('a recovery looks no further back than the place that was noted', async () => {
  const disk = await makeAsked()
  await run(disk, null, 2)
  const log = await openLog(disk)
  let looked = 0
  const counted: Log = {
    ...methodsOf(log),
    read: async (topic, partition, offset, bytesMax) => {
      const read = await log.read(topic, partition, offset, bytesMax)
      if (topic !== 'questions') looked += read.records.length
      return read
    },
  }
  const answerer = open(counted, disk.store, 2)
  answerer.start()
  await answerer.caughtUp()
  await answerer.close()
  assert.equal(looked, 0)
  await log.close()
})
