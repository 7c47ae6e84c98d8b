// Goal: each prediction that meets a rule is one record on the action's topic, by the rule that is applied.
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { action, explainPlan, type Mill, millrace, topic } from '../../../src/index.ts'
import { coordinatesIn } from '../../../src/stream/output-headers.ts'
import {
  idsIn,
  makeFolder,
  open,
  payment,
  payments,
  recordsOf,
  risk,
  settled,
  spending,
  toTopic,
  valuesOf,
} from './acting.ts'

/** What waits for ever has failed. */
const limit = { timeout: 120_000 }

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await makeFolder()
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function using(mill: Promise<Mill>, use: (mill: Mill) => Promise<void>): Promise<void> {
  const open = await mill
  try {
    await use(open)
  } finally {
    await open.close()
  }
}

const amounts = [0.9, 0.8, 0.81, -1, 0, 1, 0.5, 2]

test(
  'a prediction that meets the rule is on the topic once, with its coordinates, also after a start anew',
  limit,
  async () => {
    await withFolder(async (folder) => {
      await using(open(folder, [toTopic]), async (mill) => {
        await mill.send(
          payments,
          amounts.map((amount, index) => payment(index, amount)),
        )
        await settled(mill)
        const blocked = await valuesOf(mill, 'blocked')
        assert.deepEqual(idsIn(blocked), ['p0', 'p2', 'p5', 'p7'])
        const predictions = new Map(
          (await recordsOf(mill, 'predictions')).map(({ value }) => {
            const text = Buffer.from(value!).toString()
            return [(JSON.parse(text) as { request_id: string }).request_id, text]
          }),
        )
        const records = await recordsOf(mill, 'blocked')
        for (const record of records) {
          const text = Buffer.from(record.value!).toString()
          const id = (JSON.parse(text) as { prediction: { request_id: string } }).prediction.request_id
          assert.ok(text.includes(`"action":"block","prediction":${predictions.get(id)!}}`))
          const source = coordinatesIn(record)
          assert.deepEqual([source.stream, source.topic], ['action:block', 'predictions'])
          const at = await mill.log.read('predictions', source.partition, source.offset, 1)
          assert.equal(Buffer.from(at.records[0]!.value!).toString(), predictions.get(id))
        }
        assert.equal(new Set(blocked.map(({ id }) => id)).size, 4)
        const [state] = mill.actions!.states
        assert.deepEqual(state!.counts, { met: 4, delivered: 4, retried: 0, dead: 0 })
        assert.deepEqual([state!.waiting, state!.oldestSeconds, state!.stopped, state!.fault], [0, 0, null, null])
      })
      await using(open(folder, [toTopic]), async (mill) => {
        await mill.send(payments, payment(100, 3))
        await settled(mill)
        assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['p0', 'p100', 'p2', 'p5', 'p7'])
      })
    })
  },
)

test(
  'an action begins with what is predicted after it was applied, and begins anew after it was gone',
  limit,
  async () => {
    await withFolder(async (folder) => {
      await using(open(folder, []), async (mill) => {
        await mill.send(payments, payment(0, 1))
        await settled(mill)
      })
      await using(open(folder, [toTopic]), async (mill) => {
        await mill.send(payments, payment(1, 1))
        await settled(mill)
        await mill.versions.apply([spending])
        await mill.send(payments, payment(2, 1))
        await settled(mill)
        await mill.versions.apply([spending, toTopic])
        await mill.actions!.planChanged()
        await mill.send(payments, payment(3, 1))
        await settled(mill)
        assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['p1', 'p3'])
      })
    })
  },
)

test('a rule that is changed while it runs judges what the one before it has not', limit, async () => {
  await withFolder(async (folder) => {
    const stricter = action('block', { on: risk, when: (p) => p.score.gt(0.1), to: topic('blocked') })
    await using(open(folder, [toTopic]), async (mill) => {
      await mill.send(payments, [payment(0, 0.5), payment(1, 0.9)])
      await settled(mill)
      const { changed, difference } = await mill.versions.apply([spending, stricter])
      assert.ok(changed)
      assert.deepEqual(
        difference.changes.map(({ kind, what, name, words }) => [kind, what, name, words]),
        [['changed', 'action', 'block', 'score > 0.8 → score > 0.1']],
      )
      await mill.actions!.planChanged()
      await mill.send(payments, [payment(2, 0.5), payment(3, 0.05)])
      await settled(mill)
      assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['p1', 'p2'])
    })
    // The store is gone, and with it how far each partition was: what the rule before let pass is not judged again.
    await rm(`${folder}/store`, { recursive: true })
    await using(open(folder, [stricter]), async (mill) => {
      await settled(mill)
      assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['p1', 'p2'])
    })
  })
})

test(
  'a prediction without output, of a shadow or of another model, meets no rule; what is no output is a dead letter',
  limit,
  async () => {
    await withFolder(async (folder) => {
      const failed = action('report', { on: risk, when: (p) => p.outcome.eq('failed'), to: topic('failures') })
      await using(open(folder, [toTopic, failed]), async (mill) => {
        const given = { request_id: 'r', outcome: 'served', model_version: 1, timestamp: '2026-01-01T00:00:00.000Z' }
        const records = [
          { ...given, model: 'risk', stage: 'shadow', output: { score: 1 } },
          { ...given, model: 'other', output: { score: 1 } },
          { ...given, model: 'risk', output: { score: 'high' } },
          { ...given, model: 'risk', output: { score: 1 }, request_id: 'good' },
          'no object',
        ].map((value) => ({ key: null, value: Buffer.from(JSON.stringify(value)), timestampMs: 1 }))
        await mill.log.append('predictions', 0, records)
        await mill.send(payments, payment(0, -1))
        await settled(mill)
        assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['good'])
        assert.deepEqual(idsIn(await valuesOf(mill, 'failures')), ['p0'])
        const letters = await recordsOf(mill, 'dead-letter-queue')
        assert.deepEqual(
          letters.map((one) => coordinatesIn(one)).toSorted((a, b) => (a.stream < b.stream ? -1 : 1)),
          [
            { stream: 'action:block', topic: 'predictions', partition: 0, offset: 2 },
            { stream: 'action:report', topic: 'predictions', partition: 0, offset: 2 },
          ],
        )
      })
    })
  },
)

test(
  'the plan shows an action, and a process that is given no definitions acts by those in the log',
  limit,
  async () => {
    await withFolder(async (folder) => {
      await using(open(folder, [toTopic]), async (mill) => {
        assert.match(
          explainPlan(mill.plan),
          /action block\n {2}on {9}predictions of risk where score > 0.8\n {2}to {9}topic blocked/,
        )
      })
      await using(millrace({ folder, models: [risk], partitions: 2 }), async (mill) => {
        await mill.send(payments, payment(0, 1))
        await settled(mill)
        assert.deepEqual(idsIn(await valuesOf(mill, 'blocked')), ['p0'])
      })
    })
  },
)
