// Goal: what is missing meets the declared rule, and nothing is served that is not what the model declares.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ModelFunction } from '../../src/definition/declared-model.ts'
import { makeFunctionRunner } from '../../src/model/function-runner.ts'
import { predict, type ReadVector } from '../../src/model/predictor.ts'
import type { ModelPlan } from '../../src/plan/model-plan.ts'

type Rule = { readonly passes?: boolean; readonly defaults?: Readonly<Record<string, number>> }

function planOf(from: (vector: Readonly<Record<string, number | null>>) => unknown, rule: Rule = {}): ModelPlan {
  const inputs = ['a', 'b'].map((name, index) => ({
    name,
    type: { kind: 'float' } as const,
    place: 2 - index,
    default: rule.defaults?.[name],
  }))
  return {
    name: 'm',
    version: 1,
    target: 's',
    inputs,
    outputs: [
      { name: 'score', kind: 'float', nullable: false },
      { name: 'why', kind: 'string', nullable: true },
    ],
    passes: rule.passes ?? false,
    score: null,
    from: from as unknown as ModelFunction,
  }
}

const run = async (plan: ModelPlan, vectors: readonly ReadVector[]) =>
  await predict(plan, makeFunctionRunner(plan), vectors)

const good: ReadVector = { values: ['unused', 2, 1], status: ['NOT_FOUND', 'PRESENT', 'PRESENT'] }
const stale: ReadVector = { values: ['unused', 2, null], status: ['PRESENT', 'WARMING', 'OUTSIDE_MAX_AGE'] }
const sum = (vector: Readonly<Record<string, number | null>>) => ({
  score: vector['a']! * 10 + vector['b']!,
  why: null,
})

test('inputs reach the model by name; what it does not take has no say', async () => {
  const served = { outcome: 'served', output: { score: 12, why: null }, inputs: {} }
  assert.deepEqual(await run(planOf(sum), [good, good]), [served, served])
})

test('by default whatever is not PRESENT is refused, named, and not shown to the model', async () => {
  let calls = 0
  const plan = planOf((vector) => {
    calls += 1
    return sum(vector)
  })
  const [first, second] = await run(plan, [stale, good])
  assert.deepEqual(first, {
    outcome: 'refused',
    reason: 'INPUT_MISSING',
    detail: 'no value to use for a (OUTSIDE_MAX_AGE), b (WARMING)',
    inputs: { a: 'OUTSIDE_MAX_AGE', b: 'WARMING' },
  })
  assert.equal(second?.outcome, 'served')
  assert.equal(calls, 1)
})

test('defaults stand in for what is missing, a stale value included; an input without one is refused', async () => {
  const inputs = { a: 'OUTSIDE_MAX_AGE', b: 'WARMING' }
  assert.deepEqual(await run(planOf(sum, { defaults: { a: 0, b: 7 } }), [stale]), [
    { outcome: 'served', output: { score: 7, why: null }, inputs },
  ])
  const [half] = await run(planOf(sum, { defaults: { a: 0 } }), [stale])
  assert.ok(half?.outcome === 'refused' && half.detail === 'no value to use for b (WARMING)')
})

test('a model that takes what is missing gets it as it was read, and the answer says so', async () => {
  const plan = planOf(({ a, b }) => ({ score: a === null ? -1 : 1, why: String(b) }), { passes: true })
  assert.deepEqual(await run(plan, [stale]), [
    { outcome: 'served', output: { score: -1, why: '2' }, inputs: { a: 'OUTSIDE_MAX_AGE', b: 'WARMING' } },
  ])
})

const failures: readonly [string, unknown, string, RegExp][] = [
  ['NaN', { score: Number.NaN, why: null }, 'OUTPUT_NOT_FINITE', /score is NaN/],
  ['infinity', { score: -1 / 0, why: null }, 'OUTPUT_NOT_FINITE', /score is -Infinity/],
  ['null', { score: null, why: null }, 'OUTPUT_TYPE', /score is null, declared float/],
  ['a text', { score: '1', why: null }, 'OUTPUT_TYPE', /score is string/],
  ['another name', { scroe: 1, why: null }, 'OUTPUT_TYPE', /score is missing/],
  ['a number where a text is declared', { score: 1, why: 2 }, 'OUTPUT_TYPE', /why is 2, declared string/],
  ['no object', 1, 'OUTPUT_SHAPE', /gave number/],
  ['a promise', Promise.resolve({ score: 1 }), 'OUTPUT_SHAPE', /gave a promise/],
]
for (const [what, given, reason, detail] of failures) {
  test(`${what} is a failure, and the other rows are served`, async () => {
    let calls = 0
    const plan = planOf((vector) => (calls++ === 0 ? given : sum(vector)))
    const [first, second] = await run(plan, [good, good])
    assert.ok(first?.outcome === 'failed')
    assert.equal(first.reason, reason)
    assert.match(first.detail, detail)
    assert.equal(second?.outcome, 'served')
  })
}

test('what a model throws stays with whoever keeps it', async () => {
  const secret = new Error('password')
  const plan = planOf(() => {
    throw secret
  })
  assert.deepEqual(await run(plan, [good]), [
    { outcome: 'failed', reason: 'MODEL_THREW', detail: 'the function threw', cause: secret, inputs: {} },
  ])
})
