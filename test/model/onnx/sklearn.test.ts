// Goal: what scikit-learn exports passes the checks and gives here what scikit-learn gives, gaps included.
// Method: `sklearn/make.py` made the files and the numbers.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { onnx } from '../../../src/definition/model.ts'
import { openOnnxRunner } from '../../../src/model/onnx/onnx-runner.ts'
import { loadOnnxRuntime } from '../../../src/model/onnx/runtime.ts'
import type { ModelPlan } from '../../../src/plan/model-plan.ts'

type Expected = {
  readonly rows: readonly (readonly (number | null)[])[]
  readonly labels: readonly number[]
  readonly probabilities: readonly number[]
}

const read = (name: string): Buffer => readFileSync(new URL(`sklearn/${name}`, import.meta.url))
const expected = JSON.parse(read('expected.json').toString()) as Readonly<Record<string, Expected>>
const runtime = await loadOnnxRuntime()

const plan: ModelPlan = {
  name: 'm',
  version: 1,
  target: 's',
  inputs: ['a', 'b', 'c', 'd'].map((name, place) => ({ name, type: { kind: 'float' }, place, default: undefined })),
  outputs: [
    { name: 'label', kind: 'int', nullable: false },
    { name: 'score', kind: 'float', nullable: false },
  ],
  passes: true,
  score: null,
  from: onnx('given.onnx', { outputs: { score: { tensor: 'probabilities', column: 1 } } }),
}

for (const [name, { rows, labels, probabilities }] of Object.entries(expected)) {
  test(`${name}: label and probability are scikit-learn's`, async () => {
    const runner = await openOnnxRunner(plan, read(`${name}.onnx`), runtime)
    const results = await runner.run({ size: rows.length, width: 4, values: rows.flat() })
    await runner.close()
    for (const [row, result] of results.entries()) {
      assert.ok('outputs' in result)
      const [label, score] = result.outputs as [number, number]
      assert.equal(label, labels[row])
      assert.ok(Math.abs(score - probabilities[row]!) < 1e-6, `row ${row}: ${score}, not ${probabilities[row]}`)
    }
  })
}

test('the rows have gaps', () => {
  assert.ok(Object.values(expected).some(({ rows }) => rows.flat().includes(null)))
})
