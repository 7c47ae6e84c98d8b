/**
 * Runs the simulation of a cluster from the command line.
 *
 *     node --conditions=millrace-source test/simulation/cluster/main.ts --seeds 1000 [--from 1]
 *     node --conditions=millrace-source test/simulation/cluster/main.ts --seed 42      one seed, every step printed
 *     node --conditions=millrace-source test/simulation/cluster/main.ts --mutants [--seeds 2000]
 */
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Sometimes } from '../sometimes.ts'
import { huntClusterMutants } from './hunt.ts'
import { clusterMutants } from './mutants.ts'
import { runClusterSeed } from './run-seed.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
})

const [from, seeds] = [Number(values.from), Number(values.seeds)]

if (values.seed !== undefined) {
  const { violation, hash } = await runClusterSeed(Number(values.seed), new Sometimes(), (line) => console.log(line))
  console.log(violation === null ? `passed: ${hash}` : `${violation.property}: ${violation.message}`)
} else if (values.mutants) {
  for (const mutant of clusterMutants) {
    const [found] = await huntClusterMutants(from, seeds, [mutant])
    const { name, seeds: taken, property } = found!
    console.log(`${taken === null ? 'NOT FOUND' : String(taken).padStart(9)}  ${name}  ${property}`)
  }
} else {
  const sometimes = new Sometimes()
  let failed: { seed: number; property: string; message: string } | null = null
  let seed = from
  for (; seed < from + seeds && failed === null; seed++) {
    const { violation } = await runClusterSeed(seed, sometimes)
    if (violation !== null) failed = { seed, property: violation.property, message: violation.message }
  }
  if (values.json) process.stdout.write(JSON.stringify({ seeds: seed - from, failed }))
  else console.log(failed ?? `${seed - from} seeds passed`, sometimes.entries())
}
