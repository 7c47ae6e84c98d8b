/**
 * Plants one bug in the sources of a process, as they are loaded: `node --import …/mutant-hook.ts`, with the mutant's
 * name in the environment.
 */
import { registerHooks } from 'node:module'
import process from 'node:process'
import { clusterMutants } from './cluster/mutants.ts'
import { mutantUrl, mutants, plant } from './mutants.ts'

const name = process.env['SIMULATION_MUTANT']
const mutant = [...mutants, ...clusterMutants].find((one) => one.name === name)
if (mutant === undefined) throw new Error(`there is no mutant ${JSON.stringify(name)}`)
const url = mutantUrl(mutant)

registerHooks({
  load: (at, context, next) => {
    const loaded = next(at, context)
    if (at !== url) return loaded
    return { ...loaded, source: plant(mutant, Buffer.from(loaded.source as Uint8Array).toString()) }
  },
})
