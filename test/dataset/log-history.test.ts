import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { compile, entity, featureView, int, stream, string, timestamp } from 'millrace'
import { systemClock } from '../../src/base/clock.ts'
import { type HistorySummary, logHistory } from '../../src/dataset/history.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'

const clicks = stream('clicks', {
  fields: { id: string(), user: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1m',
})
const user = entity('user', { user: int() })
const views = [featureView('clicking', { from: clicks, by: user, features: (on) => ({ n: on.count({ over: '1h' }) }) })]
const plan = compile(views).streams[0]!

const minuteMs = 60_000
const click = (id: string, minute: number): string => JSON.stringify({ id, user: 1, at: minute * minuteMs })
/** Partition → its records and the verdict on each. */
const written: readonly (readonly (readonly [raw: string, verdict: keyof HistorySummary])[])[] = [
  [
    [click('a', 10), 'accepted'],
    [click('a', 10), 'duplicate'],
    [click('b', 5), 'late'],
    ['{', 'refused'],
    [click('c', 11), 'accepted'],
  ],
  [
    [click('d', 1), 'accepted'],
    [click('e', 0), 'accepted'],
  ],
]

describe('the history of a log', () => {
  let folder: string
  let log: EmbeddedLog

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-history-'))
    log = await openEmbeddedLog({ folder, clock: systemClock })
    await log.createTopic(plan.topic, { partitions: written.length })
    for (const [partition, records] of written.entries()) {
      const inputs = records.map(([raw]) => ({ key: null, value: Buffer.from(raw), timestampMs: 12 * minuteMs }))
      await log.append(plan.topic, partition, inputs)
    }
  })

  after(async () => {
    await log.close()
    await rm(folder, { recursive: true })
  })

  async function read(prefix?: readonly number[]): Promise<{ places: string[]; summary: HistorySummary }> {
    const places: string[] = []
    const history = logHistory(plan, log, { clock: systemClock, ...(prefix === undefined ? {} : { prefix }) })
    const summary = await history.read(
      (_, { partition, offset }) => {
        places.push(`${partition}@${offset}`)
      },
      () => undefined,
    )
    assert.equal(history.size, summary.records)
    return { places, summary }
  }

  test('ends at the prefix asked for, whichever that is, and gives the same verdicts up to it', async () => {
    for (let first = 0; first <= written[0]!.length; first++) {
      for (let second = 0; second <= written[1]!.length; second++) {
        const { places, summary } = await read([first, second])
        const known = [written[0]!.slice(0, first), written[1]!.slice(0, second)]
        for (const verdict of ['accepted', 'duplicate', 'late', 'refused'] as const) {
          assert.equal(summary[verdict], known.flat().filter(([, expected]) => expected === verdict).length)
        }
        const expected = known.flatMap((records, partition) =>
          records.flatMap(([, verdict], offset) => (verdict === 'accepted' ? [`${partition}@${offset}`] : [])),
        )
        assert.deepEqual(places, expected)
        assert.deepEqual(
          summary.prefix?.map(({ end }) => end),
          [first, second],
        )
      }
    }
  })

  test('ends where the log ends when no prefix is given', async () => {
    assert.deepEqual(await read(), await read([5, 2]))
  })

  test('refuses a prefix of another log', () => {
    const open = (prefix: readonly number[]) => () => logHistory(plan, log, { clock: systemClock, prefix })
    assert.throws(open([5]), { code: 'REQUEST_MALFORMED' })
    assert.throws(open([6, 2]), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
    assert.throws(open([-1, 2]), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
    assert.throws(open([0.5, 2]), { code: 'LOG_OFFSET_OUT_OF_RANGE' })
  })
})
