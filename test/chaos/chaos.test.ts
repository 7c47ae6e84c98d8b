// Goal: whatever happens to a process or to its disk, nothing acknowledged is lost, nothing counts twice, and nothing
// that was finished before a clean end is done again.
// Method: real processes on real folders, two side by side, one fault each: every named crash point; kills at random;
// power cuts, as a disk that loses what was not synced; file operations that fail; system calls that fail, in LMDB too;
// SIGTERM under load. What they leave is held against the naive model of its own raw log, on a copy, in between.
//
// `SEED=…` gives the same events and choice of faults; the moments are the machine's. `FAULTS=…` lengthens.
import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { runCampaign } from './campaign.ts'
import { describeCampaign } from './record.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const faultsMin = Number(process.env['FAULTS'] ?? 300)

test(`loses nothing and doubles nothing over ${faultsMin} faults`, { timeout: 1_800_000 }, async () => {
  console.log(`SEED=${seed} replays the events and the choice of faults, not their moments`)
  const campaign = await runCampaign({ seed, lanes: 2, faultsMin, durationMs: 0, log: () => undefined })
  console.log(describeCampaign(campaign))
  const { injected, compared } = campaign
  for (const [kind, count] of Object.entries(injected)) {
    const skipped = campaign.skipped.some((text) => text.startsWith(kind))
    assert.ok(skipped || count >= faultsMin / 20, `${count} faults of the kind ${kind}`)
  }
  assert.ok(compared.deadLetters > 100 && compared.late > 100 && compared.values > 10_000, 'the events are a mixture')
})
