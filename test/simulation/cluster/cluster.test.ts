// Goal: processes that share the work over a log which delays and loses, are killed, and are given partitions that others
// still have, come together to what the naive model says: from their snapshots, from the state topics, from the events.
// Method: deterministic simulation. `SEED=…` begins there, `RUNS=…` lengthens; bugs are planted and must be found.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { lawOptions } from '../../base/law-options.ts'
import { mutantUrl, plant } from '../mutants.ts'
import { Sometimes } from '../sometimes.ts'
import { huntClusterMutants } from './hunt.ts'
import { clusterMutants } from './mutants.ts'
import { runClusterSeed } from './run-seed.ts'

test('a cluster comes to what the log says, whatever happens to it', async () => {
  const { numRuns, seed } = lawOptions(10)
  const sometimes = new Sometimes()
  for (let nth = 0; nth < numRuns; nth++) {
    const { violation } = await runClusterSeed(seed + nth, sometimes)
    const again = `SEED=${seed + nth}: node --conditions=millrace-source test/simulation/cluster/main.ts --seed ${seed + nth}`
    assert.equal(violation, null, `${again}\n${violation?.property}: ${violation?.message}`)
  }
  for (const what of ['TASK_FENCED', 'KAFKA_UNREACHABLE']) assert.ok(sometimes.get(what) > 0, `${what} never happened`)
})

/** The end of a topic learnt before the checkpoint that goes beyond it; a failed send that a checkpoint passed over. */
const regressions = [30, 72]

test('seeds that found something once pass, and each gives one run', async () => {
  for (const seed of regressions) {
    const [one, other] = [await runClusterSeed(seed, new Sometimes()), await runClusterSeed(seed, new Sometimes())]
    assert.equal(one.violation, null)
    assert.equal(one.hash, other.hash)
  }
})

test('every planted bug has its place in the sources', () => {
  for (const mutant of clusterMutants) plant(mutant, readFileSync(new URL(mutantUrl(mutant)), 'utf8'))
})

test('planted bugs that need few seeds are found', async () => {
  const quick = clusterMutants.filter((mutant) => mutant.quick)
  const found = await huntClusterMutants(1, 60, quick)
  assert.deepEqual(
    found.filter(({ seeds }) => seeds === null).map(({ name }) => name),
    [],
  )
})
