// Goal: ONNX files run in the real runtime give what their formula gives; what does not fit is refused when it is opened.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { float, int, boolean } from '../../../src/schema/field.ts'
import { onnx } from '../../../src/definition/model.ts'
import { openOnnxRunner } from '../../../src/model/onnx/onnx-runner.ts'
import { loadOnnxRuntime } from '../../../src/model/onnx/runtime.ts'
import type { ModelPlan } from '../../../src/plan/model-plan.ts'
import { sha256 } from '../../../src/base/hash.ts'
import { floats, graph, intAttribute, logistic, logisticParts, node, value } from './make-onnx.ts'

const runtime = await loadOnnxRuntime()

type Given = {
  inputs?: readonly ('float' | 'int' | 'boolean')[]
  output?: Readonly<Record<string, ReturnType<typeof float | typeof int | typeof boolean>>>
  from?: Parameters<typeof onnx>[1]
}

function planOf({ inputs = ['float', 'float'], output = { score: float() }, from = {} }: Given = {}): ModelPlan {
  return {
    name: 'm',
    version: 1,
    target: 's',
    inputs: inputs.map((kind, place) => ({ name: `f${place}`, type: { kind }, place, default: undefined })),
    outputs: Object.entries(output).map(([name, { kind }]) => ({ name, kind, nullable: false })),
    passes: true,
    score: null,
    from: onnx('test.onnx', from),
  }
}

async function run(plan: ModelPlan, file: Uint8Array, rows: readonly (readonly (number | boolean | null)[])[]) {
  const runner = await openOnnxRunner(plan, file, runtime)
  try {
    return await runner.run({ size: rows.length, width: plan.inputs.length, values: rows.flat() })
  } finally {
    await runner.close()
  }
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z))

test('a logistic regression gives its formula, row by row, in one run', async () => {
  const rows = Array.from({ length: 300 }, (_, row) => [row / 100 - 1, (row % 7) - 3])
  const results = await run(planOf(), logistic([0.5, -0.25], 0.125), rows)
  assert.equal(results.length, 300)
  for (const [row, result] of results.entries()) {
    assert.ok('outputs' in result)
    const [x, y] = rows[row]!
    assert.ok(Math.abs((result.outputs[0] as number) - sigmoid(0.5 * x! - 0.25 * y! + 0.125)) < 1e-6)
  }
})

test('the order of the inputs is that of the columns', async () => {
  const [first] = await run(planOf(), logistic([1, 0], 0), [[2, 100]])
  assert.ok(first !== undefined && 'outputs' in first)
  assert.ok(Math.abs((first.outputs[0] as number) - sigmoid(2)) < 1e-6)
})

test('what is missing is NaN to the model, and comes out as such', async () => {
  const [first] = await run(planOf(), logistic([1, 1], 0), [[null, 1]])
  assert.deepEqual(first, { outputs: [Number.NaN] })
})

test('a number that no float32 holds fails its row alone', async () => {
  const results = await run(planOf(), logistic([1, 1], 0), [
    [0, 0],
    [1e39, 0],
    [0, 0],
  ])
  assert.deepEqual(
    results.map((result) => ('failure' in result ? result.failure.reason : result.outputs[0])),
    [0.5, 'INPUT_UNUSABLE', 0.5],
  )
  assert.match(JSON.stringify(results[1]), /value of f0/)
})

test('a graph may take each feature by name, as a list or a column, integers too', async () => {
  const file = graph(
    node({ op: 'Cast', inputs: ['f1'], outputs: ['f1f'], attributes: [intAttribute('to', 1)] }),
    node({ op: 'Add', inputs: ['f0', 'f1f'], outputs: ['sum'] }),
    value(11, 'f1', 'int64', ['rows', 1]),
    value(11, 'f0', 'float', ['rows', 1]),
    value(12, 'sum', 'float', ['rows', 1]),
  )
  const plan = planOf({ inputs: ['float', 'boolean'], output: { sum: float() } })
  assert.deepEqual(await run(plan, file, [[1.5, true]]), [{ outputs: [2.5] }])
  const numbers = planOf({ inputs: ['float', 'int'], output: { sum: float() } })
  const results = await run(numbers, file, [
    [1, null],
    [1, 41],
  ])
  assert.deepEqual(
    results.map((result) => ('failure' in result ? result.failure.reason : result.outputs)),
    ['INPUT_UNUSABLE', [42]],
  )
  await assert.rejects(run(planOf({ output: { sum: float() } }), file, []), /int64, and "f1" is float/)
})

test('a column of an output tensor, an integer and a boolean come as declared', async () => {
  const file = graph(
    node({ op: 'Softmax', inputs: ['x'], outputs: ['probabilities'] }),
    node({ op: 'ArgMax', inputs: ['x'], outputs: ['label'], attributes: [intAttribute('axis', 1)] }),
    node({ op: 'Greater', inputs: ['x', 'zero'], outputs: ['positive'] }),
    floats('zero', [1], [0]),
    value(11, 'x', 'float', ['rows', 2]),
    value(12, 'probabilities', 'float', ['rows', 2]),
    value(12, 'label', 'int64', ['rows', 1]),
    value(12, 'positive', 'bool', ['rows', 2]),
  )
  const output = { fraud: float(), label: int(), positive: boolean() }
  const from = {
    outputs: { fraud: { tensor: 'probabilities', column: 1 }, positive: { tensor: 'positive', column: 1 } },
  }
  const results = await run(planOf({ output, from }), file, [
    [-3, -3],
    [-9, 9],
  ])
  assert.deepEqual(
    results.map((result) => ('outputs' in result ? result.outputs.slice(1) : result)),
    [
      [0, false],
      [1, true],
    ],
  )
  assert.deepEqual(results[0], { outputs: [0.5, 0, false] })
  const far = { outputs: { ...from.outputs, fraud: { tensor: 'probabilities', column: 2 } } }
  await assert.rejects(run(planOf({ output, from: far }), file, []), /has the shape \[2, 2\] for 2 rows, column 2/)
  const wrong = { ...output, label: float() }
  await assert.rejects(run(planOf({ output: wrong, from }), file, []), /output "label" is int64/)
})

const good = logistic([1, 1], 0)
const refused: Readonly<Record<string, [ModelPlan, Uint8Array, RegExp]>> = {
  'too large': [planOf({ from: { bytesMax: 10 } }), good, /more than 10 bytes/],
  'another file than declared': [planOf({ from: { sha256: 'ab'.repeat(32) } }), good, /SHA-256 is/],
  'of another width': [planOf({ inputs: ['float'] }), good, /the shape \[rows, 2\]/],
  'of one fixed row': [
    planOf(),
    graph(
      ...logisticParts([1, 1], 0).slice(0, 5),
      value(11, 'x', 'float', [1, 2]),
      value(12, 'score', 'float', [1, 1]),
    ),
    /the shape \[1, 2\]/,
  ],
  'without the output': [planOf({ output: { risk: float() } }), good, /no output "risk"/],
  'not for the runtime': [planOf(), graph(...logisticParts([1, 1], 0).slice(1)), /xw/],
  'one that gives one row for all': [
    planOf(),
    graph(
      node({ op: 'ReduceMax', inputs: ['x'], outputs: ['score'], attributes: [intAttribute('keepdims', 1)] }),
      value(11, 'x', 'float', ['rows', 2]),
      value(12, 'score', 'float', ['rows', 1]),
    ),
    /first run failed: output "score" has the shape \[1, 1\] for 2 rows/,
  ],
}
for (const [what, [plan, file, detail]] of Object.entries(refused)) {
  test(`refused is a file that is ${what}`, async () => {
    await assert.rejects(openOnnxRunner(plan, file, runtime), { code: 'MODEL_REFUSED', message: detail })
  })
}

test('the checksum is that of the bytes', async () => {
  const runner = await openOnnxRunner(planOf({ from: { sha256: sha256(good).toUpperCase() } }), good, runtime)
  assert.equal(runner.checksum, sha256(good))
  await runner.close()
})
