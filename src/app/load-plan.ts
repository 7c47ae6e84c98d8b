import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MillraceError, messageOf } from '../base/faults.ts'
import { isModel, type Model } from '../definition/declared-model.ts'
import { type Definition, isDefinition } from '../definition/definition.ts'
import { type Experiment, isExperiment } from '../definition/experiment.ts'
import { compile } from '../plan/compile.ts'
import type { Plan } from '../plan/plan.ts'

/** Definitions of a module, and the plan they compile to. */
export type Loaded = { readonly definitions: readonly Definition[]; readonly plan: Plan }

/** Loads and compiles every definition that a module exports. The module is the user's own code and is run as such. */
export async function loadPlan(file: string): Promise<Loaded> {
  const definitions = (await loadExports(file)).filter(isDefinition)
  if (definitions.length === 0) {
    throw new MillraceError('DEFINITIONS_UNREADABLE', { file, detail: 'it exports no definition' })
  }
  return { definitions, plan: compilePlan(definitions) }
}

/** The models that a module exports. They may be functions, so this process has to run the module itself. */
export async function loadModels(file: string): Promise<readonly Model[]> {
  return (await loadExports(file)).filter(isModel)
}

/** The experiments that a module exports, which name its models. */
export async function loadExperiments(file: string): Promise<readonly Experiment[]> {
  return (await loadExports(file)).filter(isExperiment)
}

async function loadExports(file: string): Promise<readonly unknown[]> {
  try {
    return Object.values((await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>)
  } catch (error) {
    throw new MillraceError('DEFINITIONS_UNREADABLE', { file, detail: messageOf(error) }, { cause: error })
  }
}

/** Compiles with this machine's time-zone data: zones other than UTC are as good as the data they come from. */
export function compilePlan(definitions: readonly Definition[]): Plan {
  return compile(definitions, process.versions['tz'] ?? 'unknown')
}
