import { MillraceError } from '../base/faults.ts'
import { compileDeclared } from '../plan/model-declaration.ts'
import type { Plan } from '../plan/plan.ts'
import { liveOf, type ModelVersion, type RegisteredModel } from '../registry/models/registered-model.ts'

/** Live models that fit a plan and would not fit the one that replaces it, a line each. */
export function stoppedModels(models: readonly RegisteredModel[], before: Plan, after: Plan): string[] {
  return models.flatMap((model) => {
    const live = liveOf(model)
    if (live === null || misfit(model.name, live, before) !== null) return []
    const detail = misfit(model.name, live, after)
    return detail === null ? [] : [`version ${live.version} of model ${model.name}, which is live, stops: ${detail}`]
  })
}

function misfit(name: string, version: ModelVersion, plan: Plan): string | null {
  try {
    compileDeclared({ ...version, name }, plan)
    return null
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'DEFINITION') throw error
    const lines = String(error.details['list']).split('\n')
    return lines.map((line) => line.trim()).join('; ')
  }
}
