// Goal: the demo's check of the versions that answer can fail.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Mill, millrace } from 'millrace'
import { payments, scoring } from '../features.ts'
import { boosted, logistic } from '../models.ts'
import type { Payment } from '../payment.ts'
import { fraud } from '../registered.ts'
import { championCount, Scorer } from './scorer.ts'

const at = Date.UTC(2026, 0, 1)
const payment = {
  paymentId: 'a',
  customerId: 1,
  terminalId: 2,
  amount: 80,
  at,
  fraud: true,
  scenario: 1,
} as Payment

async function withMill(use: (mill: Mill) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-scorer-'))
  const mill = await millrace({
    definitions: [scoring],
    models: [logistic, boosted, fraud],
    partitions: 1,
    folder,
  })
  try {
    const event = {
      transaction_id: 'a',
      ts: at,
      customer_id: 1,
      terminal_id: 2,
      amount: 80,
      fraud: true,
    }
    await mill.send(payments, event)
    await mill.caughtUp()
    await use(mill)
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
}

test('the challenger takes over while requests run, and every score is of the version that it names', async () => {
  await withMill(async (mill) => {
    const scorer = await Scorer.open(mill)
    for (let n = 0; n < championCount + 10; n++) assert.notEqual(await scorer.score(payment), null)
    const { served, whileSwapping, failed, mixed, swappedAt } = scorer.scores
    assert.deepEqual([failed, mixed, swappedAt], [0, 0, at])
    assert.ok(whileSwapping >= 12 && served >= championCount + 10 + whileSwapping, `${whileSwapping} of ${served}`)
    assert.equal(
      (
        await mill.predictMany({
          model: 'fraud',
          entities: [{ customer_id: 1, terminal_id: 2 }],
        })
      ).model.version,
      2,
    )
  })
})

type Given = Awaited<ReturnType<Mill['predictMany']>>

/** How many answers are found to be mixed, of one of version 1 that was changed on its way. */
async function mixedBy(change: (given: Given) => Given): Promise<number> {
  let mixed = 0
  await withMill(async (mill) => {
    const predictMany: Mill['predictMany'] = async (request) => {
      const given = await mill.predictMany(request)
      return request.model === 'fraud' ? change(given) : given
    }
    const scorer = await Scorer.open({
      modelVersions: mill.modelVersions,
      predictMany,
    })
    await scorer.score(payment)
    mixed = scorer.scores.mixed
  })
  return mixed
}

const withScore = (score: (own: number) => number) => (given: Given) => ({
  ...given,
  predictions: given.predictions.map((one) =>
    one.outcome === 'served' ? { ...one, output: { score: score(one.output['score'] as number) } } : one,
  ),
})

test("another version's score, another version than the live one, and another vector are found", async () => {
  assert.equal(await mixedBy(withScore((own) => own)), 0)
  assert.equal(await mixedBy(withScore((own) => own + 1e-9)), 1)
  assert.equal(
    await mixedBy((given) => ({
      ...given,
      model: { ...given.model, version: 2 },
    })),
    1,
  )
  assert.equal(await mixedBy((given) => ({ ...given, prefix: { payments: [9] } })), 1)
})
