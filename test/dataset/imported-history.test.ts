// Goal: the history of a stream is what was imported before the hand-over point and what came by the topic after it, and
// says from when on it knows everything.
// Method: an embedded log in memory with both topics written by hand; a log whose first segments retention removed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { explainValue } from '../../src/dataset/explain-value.ts'
import { type HistorySummary, logHistory } from '../../src/dataset/history.ts'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import { Forgotten } from '../../src/plan/forgotten.ts'
import { compile } from '../../src/plan/compile.ts'
import { historyMark } from '../../src/plan/intake.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { makeMemoryFileSystem } from '../log/embedded/memory-file-system.ts'

const until = Date.UTC(2026, 5)
const hourMs = 3_600_000

function planOf(history: object): Plan {
  const clicks = stream('clicks', {
    fields: { id: string(), user: int(), at: timestamp('ms') },
    time: 'at',
    id: 'id',
    lateness: '1m',
    ...history,
  })
  const by = entity('user', { user: int() })
  return compile([featureView('v', { from: clicks, by, features: (on) => ({ n: on.count({ over: '1h' }) }) })])
}

const plan = planOf({ history: { until: new Date(until).toISOString() } })
const clicks = plan.streams[0]!

type Written = { readonly live?: readonly object[]; readonly past?: readonly (object | 'mark')[][] }

async function logWith({ live = [], past }: Written): Promise<EmbeddedLog> {
  const log = await openEmbeddedLog({ folder: '/data', clock: systemClock, fileSystem: makeMemoryFileSystem() })
  const append = async (topic: string, partition: number, records: readonly (object | 'mark')[]): Promise<void> => {
    if (records.length === 0) return
    await log.append(
      topic,
      partition,
      records.map((one) => ({
        key: null,
        value: one === 'mark' ? null : Buffer.from(JSON.stringify(one)),
        timestampMs: until + hourMs,
        headers: one === 'mark' ? [[historyMark, Buffer.alloc(0)]] : [],
      })),
    )
  }
  await log.createTopic('clicks', { partitions: 1 })
  await append('clicks', 0, live)
  if (past !== undefined) {
    await log.createTopic('history.clicks', { partitions: past.length })
    for (const [partition, records] of past.entries()) await append('history.clicks', partition, records)
  }
  return log
}

type Read = { readonly places: string[]; readonly summary: HistorySummary }

async function readAll(log: EmbeddedLog, options: { prefix?: number[]; historyPrefix?: number[] } = {}): Promise<Read> {
  const places: string[] = []
  const history = logHistory(clicks, log, { clock: systemClock, ...options })
  let read = 0
  const summary = await history.read(
    ({ row }, { place, partition, offset }) => void places.push(`${row[0]} ${place}/${partition}@${offset}`),
    (count) => {
      read = count
    },
  )
  assert.equal(read, history.size)
  return { places, summary }
}

const click = (id: string, at: number): object => ({ id, user: 1, at })

test('what was imported comes first, then what came by the topic; each has its own time', async () => {
  const log = await logWith({
    live: [click('early', until - 1), click('b', until), click('b', until)],
    past: [[click('old', 0), click('a', until - 1), click('a', 5), click('next', until), 'mark'], ['mark']],
  })
  const { places, summary } = await readAll(log)
  assert.deepEqual(places, ['old history.clicks/0@0', 'a history.clicks/0@1', 'b clicks/0@1'])
  const { records, accepted, duplicate, late, imported, prefix, coveredFromMs } = summary
  assert.deepEqual({ records, accepted, duplicate, late }, { records: 7, accepted: 3, duplicate: 2, late: 2 })
  assert.deepEqual(prefix, [{ partition: 0, start: 0, end: 3 }])
  assert.deepEqual(imported, {
    topic: 'history.clicks',
    complete: true,
    records: 4,
    accepted: 2,
    duplicate: 1,
    conflicts: 1,
    late: 1,
    refused: 0,
    prefix: [
      { partition: 0, start: 0, end: 5 },
      { partition: 1, start: 0, end: 1 },
    ],
  })
  assert.equal(coveredFromMs, null)
})

test('a history is complete when every partition is, and covers nothing before', async () => {
  const log = await logWith({ past: [[click('a', 5), 'mark'], [click('b', 6)]] })
  const { summary } = await readAll(log)
  assert.equal(summary.imported?.complete, false)
  assert.equal(summary.coveredFromMs, until)
  const { summary: none } = await readAll(await logWith({ live: [click('a', until)] }))
  assert.equal(none.imported, null)
  assert.equal(none.coveredFromMs, until)
})

test('a prefix cuts both topics', async () => {
  const log = await logWith({ live: [click('a', until)], past: [[click('b', 5), click('c', 6), 'mark']] })
  const { places, summary } = await readAll(log, { prefix: [0], historyPrefix: [1] })
  assert.deepEqual(places, ['b history.clicks/0@0'])
  assert.equal(summary.coveredFromMs, until)
  assert.equal((await readAll(log, { prefix: [1], historyPrefix: [3] })).summary.coveredFromMs, null)
  assert.throws(() => logHistory(clicks, log, { clock: systemClock, historyPrefix: [4] }), {
    code: 'LOG_OFFSET_OUT_OF_RANGE',
  })
})

test('an explanation lists imported events by their place, and warms until the history is complete', async () => {
  const written = [click('b', until - 2), click('c', until - 1)]
  const explain = async (past: Written['past'] & {}) => {
    const log = await logWith({ live: [click('a', until)], past })
    const request = {
      view: plan.views[0]!,
      feature: 'n',
      key: encodeKey(['int'], [1]),
      asOf: until + 1,
      forgotten: new Forgotten(),
    }
    return await explainValue(request, logHistory(clicks, log, { clock: systemClock }), () => undefined)
  }
  const whole = await explain([[...written, 'mark']])
  assert.deepEqual({ value: whole.value, status: whole.status }, { value: 3, status: 'PRESENT' })
  assert.deepEqual(
    whole.aggregates[0]!.events.map(({ source }) => `${source.place}@${source.offset}`),
    ['history.clicks@0', 'history.clicks@1', 'clicks@0'],
  )
  const begun = await explain([written])
  assert.deepEqual({ value: begun.value, status: begun.status }, { value: 3, status: 'WARMING' })
})

test('a log without its beginning says from when on it knows everything', async () => {
  const minuteMs = 60_000
  let nowMs = until
  const clock = { ...systemClock, now: () => nowMs }
  const fileSystem = makeMemoryFileSystem()
  const log = await openEmbeddedLog({ folder: '/data', clock, fileSystem, segmentBytes: 1 })
  await log.createTopic('clicks', { partitions: 2, retentionMs: 10 * minuteMs })
  for (let minute = 0; minute < 30; minute++) {
    const value = Buffer.from(JSON.stringify(click(`${minute}`, until + minute * minuteMs)))
    // The second partition begins late, and so loses nothing.
    for (const partition of minute < 25 ? [0] : [0, 1]) {
      await log.append('clicks', partition, [{ key: null, value, timestampMs: until + minute * minuteMs }])
    }
  }
  nowMs = until + 30 * minuteMs
  await log.enforceRetention()
  assert.equal(log.start('clicks', 0), 20)
  assert.equal(log.start('clicks', 1), 0)
  const { streams } = planOf({ future: '5m' })
  const summary = await logHistory(streams[0]!, log, { clock }).read(
    () => undefined,
    () => undefined,
  )
  assert.equal(summary.coveredFromMs, until + 25 * minuteMs + 1)
})
