// Goal: the simulation is able to fail. Method: bugs are planted in the sources, one at a time, and must be found within
// few seeds. Those that take more are hunted by `npm run simulate -- --mutants`; results/mutants.json has the figures.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { huntAll } from './hunt.ts'
import { mutants, mutantUrl, plant } from './mutants.ts'
import { laterSeeds } from './scenario.ts'

test('every planted bug has its place in the sources', () => {
  assert.ok(mutants.length >= 24)
  for (const mutant of mutants) plant(mutant, readFileSync(new URL(mutantUrl(mutant)), 'utf8'))
})

test('planted bugs that need few seeds are found', async () => {
  const quick = mutants.filter((mutant) => mutant.quick)
  assert.ok(quick.length >= 12)
  const found = await huntAll(quick, { from: laterSeeds, seedsMax: 60, jobs: 2 })
  assert.deepEqual(
    found.filter(({ seeds }) => seeds === null).map(({ name }) => name),
    [],
  )
})
