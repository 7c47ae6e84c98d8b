import { assert } from '../base/assert.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { ModelPlan } from '../plan/model-plan.ts'
import type { ModelRows, ModelRunner, RunResult } from './runner.ts'

/** A function in this process, called once per row. It cannot be interrupted: one that takes long holds up everything. */
export function makeFunctionRunner({ from, inputs, outputs }: ModelPlan): ModelRunner {
  assert(typeof from === 'function', 'the model is a function')
  const call = from as (vector: Readonly<Record<string, FeatureValue>>) => unknown
  const runRow = ({ values, width }: ModelRows, row: number): RunResult => {
    const vector: Record<string, FeatureValue> = {}
    for (let index = 0; index < width; index++) vector[inputs[index]!.name] = values[row * width + index]!
    let given: unknown
    try {
      given = call(vector)
    } catch (cause) {
      return { failure: { reason: 'MODEL_THREW', detail: 'the function threw', cause } }
    }
    if (given === null || typeof given !== 'object' || given instanceof Promise) {
      const came = given instanceof Promise ? 'a promise' : given === null ? 'null' : typeof given
      return { failure: { reason: 'OUTPUT_SHAPE', detail: `the function gave ${came}, not an object of its outputs` } }
    }
    const object = given as Readonly<Record<string, unknown>>
    return { outputs: outputs.map(({ name }) => (Object.hasOwn(object, name) ? object[name] : undefined)) }
  }
  return {
    checksum: null,
    run: (rows) => Promise.resolve(Array.from({ length: rows.size }, (_, row) => runRow(rows, row))),
    close: () => Promise.resolve(),
  }
}
