// Goal: whenever the process is killed, every finished value is in its topic once.
// Method: a child process with views that emit sends events and is killed, again and again; now and then its store is
// lost as well. Then the folder is opened and what it emitted is held against the naive model of its log.
//
// `SEED=…` gives the same events and waits; the moments themselves are the machine's. `KILLS=…` lengthens.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { millrace } from '../../src/app/mill.ts'
import { assertPerEvent, assertPerInterval } from '../oracle/matches-feature-events.ts'
import { emittingList, emittingViews, everyMs } from '../stream/emitting.ts'
import { makeRandom } from './kill-stream.ts'
import { runAndKill } from './run-and-kill.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const kills = Number(process.env['KILLS'] ?? 6)
/** Of one partition everything is determined; of more, the order in which they are read is not. */
const partitions = 1

test(`emits everything once over ${kills} kills`, { timeout: 300_000 }, async (context) => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-emit-kill-'))
  console.log(`SEED=${seed} replays the events and waits; the moments of the kills are not replayed`)
  const folder = join(root, 'data')
  const random = makeRandom(seed)
  for (let kill = 0; kill < kills; kill++) {
    if (kill === Math.floor(kills / 2)) await rm(join(folder, 'store'), { recursive: true, force: true })
    const options = JSON.stringify({ folder, partitions, seed })
    await runAndKill('emit-worker.ts', [options], { rounds: 3, afterMs: random() * 300 })
  }
  const mill = await millrace({ definitions: emittingList, folder, partitions })
  // In this order: closing writes.
  context.after(async () => {
    await mill.close()
    await rm(root, { recursive: true, force: true })
  })
  await mill.caughtUp()
  await mill.engine.checkpoint()
  const of = (view: (typeof emittingList)[number]) => ({ log: mill.log, view, plan: mill.plan.hash })
  const interval = { everyMs, corrections: 'none' } as const
  const tallies = [
    await assertPerEvent(of(emittingViews.spendingPerEvent)),
    await assertPerEvent(of(emittingViews.riskPerEvent)),
    await assertPerInterval(of(emittingViews.spendingPerInterval), interval),
    await assertPerInterval(of(emittingViews.riskPerInterval), interval),
  ]
  const counts = tallies.map(({ records }) => records)
  assert.ok(
    counts.every((count) => count > 20),
    `there was something to lose: ${counts.join(', ')}`,
  )
  console.log(`${kills} kills, 1 store lost; ${counts.join(' + ')} records emitted; lost 0, doubled 0`)
})
