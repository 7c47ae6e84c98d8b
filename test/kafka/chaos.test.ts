// Goal: whatever happens to the processes of a cluster, to its broker or to the lines between them, nothing is lost,
// nothing counts twice, and everything goes on by itself.
// Method: real processes in one group, a real broker, seeded events and faults one after the other; in the end
// everything is held against the naive model, and once more by a process that has nothing but the state topics.
//
// `SEED=…` gives the same events and choice of faults; the moments are the machine's. `npm run chaos -- --kafka` goes on
// for longer, on three brokers.
import assert from 'node:assert/strict'
import process from 'node:process'
import { describe, test } from 'node:test'
import { runKafkaCampaign } from '../chaos/kafka/campaign.ts'
import { reasonToSkip } from './broker.ts'

const skip = await reasonToSkip()
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

describe('a cluster under faults', { skip }, () => {
  test('loses nothing and doubles nothing', { timeout: 900_000 }, async () => {
    console.log(`SEED=${seed} replays the events and the choice of faults, not their moments`)
    const { injected, compared } = await runKafkaCampaign({
      seed,
      nodes: 1,
      faultsMin: 8,
      durationMs: 0,
      partMs: Number.POSITIVE_INFINITY,
      perSecond: 25,
      sessionMs: 2_000,
      downMsMax: 1_000,
      freshMs: 4_000,
      quietMs: 300,
      recoveryMsMax: 300_000,
      log: (text) => console.log(text),
    })
    console.log(injected.map(({ kind, recoveryMs }) => `${kind}: ${Math.round(recoveryMs)} ms`).join(', '))
    assert.equal(new Set(injected.map(({ kind }) => kind)).size, 8, 'each kind once')
    const [verified] = compared
    assert.ok(verified!.values > 500 && verified!.emitted > 50 && verified!.deadLetters > 0, 'it was not nothing')
  })
})
