import type { GoldenSet } from '../plan/model-declaration.ts'
import type { ModelPlan } from '../plan/model-plan.ts'
import { checkResult, type OutputValue } from './predictor.ts'
import type { ModelRunner } from './runner.ts'

/**
 * Runs a model on its golden samples, which also warms it: null when it gives what they say, otherwise the first
 * sample where it does not. The inputs are what the model itself gets, so no rule for missing ones is applied.
 */
export async function checkGolden(
  plan: ModelPlan,
  runner: Pick<ModelRunner, 'run'>,
  { rows, tolerance }: GoldenSet,
): Promise<string | null> {
  for (const [index, { input }] of rows.entries()) {
    const missing = plan.inputs.find(({ name }) => !Object.hasOwn(input, name))
    if (missing !== undefined) return `sample ${index} has no input ${missing.name}`
    const foreign = Object.keys(input).find((name) => !plan.inputs.some((one) => one.name === name))
    if (foreign !== undefined) return `sample ${index} has an input ${foreign}, which the model does not take`
  }
  const values = rows.flatMap(({ input }) => plan.inputs.map(({ name }) => input[name]!))
  const results = await runner.run({ size: rows.length, width: plan.inputs.length, values })
  for (const [index, { output: expected }] of rows.entries()) {
    const checked = checkResult(plan, results[index])
    if ('failure' in checked) return `sample ${index} failed: ${checked.failure.detail}`
    for (const [name, wanted] of Object.entries(expected)) {
      const given = checked.output[name]
      if (given === undefined) return `sample ${index} expects an output ${name}, which the model does not have`
      if (!isNear(given, wanted, tolerance)) {
        return `sample ${index} gives ${name} ${String(given)}, expected ${String(wanted)} within ${tolerance}`
      }
    }
  }
  return null
}

function isNear(given: OutputValue, wanted: OutputValue, tolerance: number): boolean {
  if (typeof given !== 'number' || typeof wanted !== 'number') return given === wanted
  return Math.abs(given - wanted) <= tolerance * Math.max(1, Math.abs(wanted))
}
