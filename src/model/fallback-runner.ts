import type { ModelPlan } from '../plan/model-plan.ts'
import { checkResult } from './predictor.ts'
import type { ModelRows, ModelRunner, RunResult } from './runner.ts'

/**
 * A model, and what answers for the rows that it gives nothing for that can be served. Of a row for which neither does,
 * the failure is the model's own.
 */
export function makeFallbackRunner(plan: ModelPlan, model: ModelRunner, fallback: ModelRunner): ModelRunner {
  const run = async (rows: ModelRows, deadlineMs?: number): Promise<readonly RunResult[]> => {
    const results = await model.run(rows, deadlineMs)
    const failures = Array.from({ length: rows.size }, (_, row) => {
      const checked = checkResult(plan, results[row])
      return 'failure' in checked ? checked.failure : null
    })
    const failed = failures.flatMap((failure, row) => (failure === null ? [] : [row]))
    if (failed.length === 0) return results
    const { values, width } = rows
    const again = failed.flatMap((row) => values.slice(row * width, (row + 1) * width))
    const given = await fallback.run({ size: failed.length, width, values: again }, deadlineMs)
    const merged = [...results]
    for (const [index, row] of failed.entries()) {
      const { reason, detail } = failures[row]!
      const instead = given[index]
      merged[row] =
        instead === undefined || 'failure' in instead || 'failure' in checkResult(plan, instead)
          ? { failure: failures[row]! }
          : { outputs: instead.outputs, fallback: { reason, detail } }
    }
    return merged
  }
  return {
    checksum: model.checksum,
    remotes: [...(model.remotes ?? []), ...(fallback.remotes ?? [])],
    run,
    close: async () => {
      await model.close()
      await fallback.close()
    },
  }
}

/** The same outputs whatever comes. */
export function makeOutputRunner({ outputs }: ModelPlan, output: Readonly<Record<string, unknown>>): ModelRunner {
  const given = outputs.map(({ name }) => output[name])
  return {
    checksum: null,
    run: ({ size }) => Promise.resolve(Array.from({ length: size }, () => ({ outputs: given }))),
    close: () => Promise.resolve(),
  }
}
