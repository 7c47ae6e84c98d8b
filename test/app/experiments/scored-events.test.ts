// Goal: an event that is scored in an experiment is served by its subject's arm once, and recorded once, as its shadows are.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { action, type Mill, topic } from '../../../src/index.ts'
import { assign } from '../../../src/model/experiment/assignment.ts'
import { champion, checkout, open, payment, payments, valuesOf } from './scored-events.ts'

/** By the rule of the documentation, and not by the experiment. */
function armOf(user: number): string | null {
  const arms = [
    { name: 'treatment', share: 30 },
    { name: 'control', share: 60 },
  ]
  return assign({ arms, salt: '', overrides: {} }, String(user))
}

/** What waits for ever has failed. */
const limit = { timeout: 120_000 }

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-scored-'))
  try {
    await use(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function check(mill: Mill, count: number): Promise<void> {
  const users = Array.from({ length: count }, (_, index) => index)
  const all = await valuesOf(mill, 'predictions')
  const idOf = (one: Record<string, unknown>): string => String(one['request_id'])
  const served = all.filter((one) => one['stage'] === undefined).toSorted((a, b) => Number(idOf(a)) - Number(idOf(b)))
  assert.deepEqual(
    served.map((one) => [one['request_id'], one['experiment_id'], one['variant'], one['prediction']]),
    users.map((user) => [String(user), 'checkout', armOf(user), armOf(user) === 'treatment' ? 2 : 1]),
  )
  const inArms = users.filter((user) => armOf(user) !== null)
  const shadows = all.filter((one) => one['stage'] === 'shadow').toSorted((a, b) => Number(idOf(a)) - Number(idOf(b)))
  assert.deepEqual(
    shadows.map((one) => [one['request_id'], one['model'], one['variant'], one['prediction']]),
    inArms.map((user) => [String(user), 'candidate', armOf(user), 3]),
  )
  const exposures = (await valuesOf(mill, 'experiment-data')).toSorted(
    (a, b) => Number(a['user_id']) - Number(b['user_id']),
  )
  const records = (isShadow: boolean) =>
    exposures
      .filter((one) => (one['shadow'] === true) === isShadow)
      .map((one) => [one['user_id'], one['variant'], one['prediction']])
  assert.deepEqual(
    records(false),
    inArms.map((user) => [String(user), armOf(user), armOf(user) === 'treatment' ? 2 : 1]),
  )
  assert.deepEqual(
    records(true),
    inArms.map((user) => [String(user), armOf(user), 3]),
  )
}

test(
  'an event has the arm of its subject, a record of it, and the answers of its shadows, which no action acts on',
  limit,
  async () => {
    await withFolder(async (folder) => {
      const all = action('all', { on: champion, when: (p) => p.price.gte(0), to: topic('all-of-champion') })
      const candidates = action('shadows', {
        on: checkout.shadows[0] as typeof champion,
        when: (p) => p.price.gte(0),
        to: topic('shadowed'),
      })
      const mill = await open(folder, [all, candidates])
      try {
        const users = Array.from({ length: 60 }, (_, index) => index)
        await mill.send(payments, users.map(payment))
        await mill.caughtUp()
        await mill.engine.checkpoint()
        await mill.actions!.caughtUp()
        await check(mill, 60)
        const byChampion = users.filter((user) => armOf(user) !== 'treatment').length
        assert.equal((await valuesOf(mill, 'all-of-champion')).length, byChampion)
        assert.equal((await valuesOf(mill, 'shadowed')).length, 0)
      } finally {
        await mill.close()
      }
    })
  },
)

test('a process that is killed while it scores leaves each prediction and each record once', limit, async () => {
  await withFolder(async (folder) => {
    for (let life = 0; life < 2; life++) {
      const child = fork(new URL('scored-events-worker.ts', import.meta.url), [folder, String(life * 300), '300'], {
        execArgv: ['--conditions=millrace-source'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      const [said] = (await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(() => ['it ended']),
      ])) as string[]
      assert.equal(said, 'scoring')
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    const mill = await open(folder)
    try {
      await mill.caughtUp()
      await mill.engine.checkpoint()
      await check(mill, 600)
    } finally {
      await mill.close()
    }
  })
})
