import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../base/assert.ts'
import { type FaultCode, MillraceError } from '../base/faults.ts'
import { runSweep, type SweepJob, type SweepResult } from '../dataset/partitions/sweeper.ts'
import { type DefinitionsJson, definitionsFromJson } from '../registry/definitions-json.ts'
import { compilePlan } from './load-plan.ts'

/** What the thread answers to a job. A fault travels as its code and details. */
export type SweepAnswer =
  | { readonly result: SweepResult }
  | { readonly fault: { readonly code: FaultCode; readonly details: Readonly<Record<string, string | number>> } }

/** Runs in a thread of its own (sweep-threads.ts): compiles the definitions it was given as data, then sweeps job by job. */
const { views } = compilePlan(definitionsFromJson(workerData as DefinitionsJson))
const port = parentPort
assert(port !== null, 'this module runs in a worker thread')
port.on('message', (job: SweepJob) => port.postMessage(answer(job)))

function answer(job: SweepJob): SweepAnswer {
  try {
    return { result: runSweep(views, job, true) }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { fault: { code: error.code, details: error.details } }
  }
}
