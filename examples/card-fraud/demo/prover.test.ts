// Goal: the proof of the demo can fail. Method: a small mill of its own; samples that were tampered with.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Mill, millrace } from 'millrace'
import { fraudV1 } from '../features.ts'
import { disturb, simulatePayments } from '../simulator.ts'
import { Feed } from './feed.ts'
import { Prover } from './prover.ts'
import { type SampleSet, takeSamples } from './samples.ts'
import { wireNames } from './session.ts'
import { makeSimulatedClock } from './simulated-clock.ts'

const startMs = Date.UTC(2025, 0, 1)

describe('the proof that goes along with the demo', () => {
  let folder: string
  let mill: Mill
  let set: SampleSet

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-prover-'))
    const clock = makeSimulatedClock(startMs)
    mill = await millrace({ definitions: [fraudV1], folder, clock })
    const payments = simulatePayments({ seed: 1, startMs, customers: 200, terminals: 400 })
    const calm = { seed: 1, duplicateShare: 0, lateShare: 0, malformedShare: 0, disorderMs: 0, names: wireNames }
    const feed = new Feed(mill, clock, disturb(payments, calm))
    await feed.send(feed.take(startMs + 86_400_000))
    set = (await takeSamples(mill, feed, startMs + 2 * 86_400_000)).set
    // What comes afterwards is beyond the prefix, and must not be read for the rows.
    await feed.send(feed.take(startMs + 2 * 86_400_000))
  })

  after(async () => {
    await mill.close()
    await rm(folder, { recursive: true })
  })

  async function prove(wanted: SampleSet): Promise<Prover> {
    const prover = new Prover(folder)
    try {
      prover.start(wanted)
      await prover.settle()
    } finally {
      await prover.close()
    }
    return prover
  }

  test('has every kind of sample, and finds each equal to its row', async () => {
    assert.deepEqual(new Set(set.samples.map(({ kind }) => kind)), new Set(['with event', 'as of', 'now']))
    const { proof } = await prove(set)
    assert.equal(proof.compared, set.samples.length)
    assert.equal(proof.different, 0)
    assert.equal(
      proof.records,
      set.prefix['payments']!.reduce((sum, end) => sum + end, 0),
    )
  })

  test('counts and shows a vector that is off by one bit', async () => {
    const [first, ...others] = set.samples
    const off = first!.values.map((value) => (typeof value === 'number' && value > 1 ? value * (1 + 2 ** -52) : value))
    const { proof } = await prove({ ...set, samples: [...others, { ...first!, values: off }] })
    assert.equal(proof.compared, set.samples.length)
    assert.equal(proof.different, 1)
    assert.deepEqual(proof.latest?.sample.values, off)
    assert.deepEqual(proof.differing, [proof.latest])
  })

  test('finds vectors different whose payments lie beyond the prefix it is given', async () => {
    const none = set.prefix['payments']!.map(() => 0)
    const { proof } = await prove({ ...set, prefix: { payments: none } })
    assert.equal(proof.different, set.samples.length)
  })

  test('fails with what kept the rows from being built', async () => {
    await assert.rejects(prove({ ...set, prefix: { payments: [1] } }), (error: Error) => {
      assert.match(String(error.cause), /the prefix of topic "payments" has 1 offsets/)
      return true
    })
  })
})
