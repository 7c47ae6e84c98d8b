// Goal: drift over the newest vectors is what counting all of them again gives, whatever came before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { count, describeDistribution, stabilityIndex } from '../../../src/model/quality/drift.ts'
import { InputWindow, vectorsPerPart } from '../../../src/model/quality/input-window.ts'
import type { ModelInputPlan } from '../../../src/plan/model-plan.ts'

const input = (name: string, place: number): ModelInputPlan => ({
  name,
  type: { kind: 'float' } as ModelInputPlan['type'],
  place,
  default: undefined,
})
const seed = Number(process.env['SEED'] ?? 1)

test('counts are those of a naive count, nulls and unknown inputs included', () => {
  const value = fc.oneof(fc.constant(null), fc.integer({ min: -3, max: 12 }), fc.double({ noNaN: true }))
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1 }),
      fc.array(fc.tuple(value, fc.boolean()), { minLength: 1 }),
      (before, rows) => {
        const training = describeDistribution(before)
        const window = new InputWindow(['x', 'free'], new Map([['x', training]]))
        for (const [one, warming] of rows) {
          const status = warming ? 'WARMING' : one === null ? 'NULL_VALUE' : 'PRESENT'
          window.add([input('x', 1), input('free', 0)], { values: [null, one], status: ['NOT_FOUND', status] })
        }
        const [x, free] = window.watch()
        const naive = count(
          training.edges,
          rows.map(([one]) => one),
        )
        assert.equal(x!.psi, stabilityIndex(training, naive))
        assert.equal(x!.nulls, naive.nulls / rows.length)
        assert.equal(x!.warming, rows.filter(([, warming]) => warming).length / rows.length)
        assert.deepEqual([free!.psi, free!.nulls, free!.statuses], [null, 1, { NOT_FOUND: rows.length }])
      },
    ),
    { seed, numRuns: 200 },
  )
})

test('the window slides by a part, and what is older counts for nothing', () => {
  const training = describeDistribution([1, 2, 3, 4])
  const window = new InputWindow(['x'], new Map([['x', training]]))
  const add = (value: number, times: number): void => {
    for (let at = 0; at < times; at++) window.add([input('x', 0)], { values: [value], status: ['PRESENT'] })
  }
  add(1, 5 * vectorsPerPart)
  assert.equal(window.vectors, 5 * vectorsPerPart)
  add(4, 7 * vectorsPerPart + 1)
  assert.equal(window.vectors, 7 * vectorsPerPart + 1)
  assert.equal(window.total, 12 * vectorsPerPart + 1)
  const onlyFours = count(
    training.edges,
    Array.from({ length: 7 * vectorsPerPart + 1 }, () => 4),
  )
  assert.equal(window.watch()[0]!.psi, stabilityIndex(training, onlyFours))
  assert.deepEqual(window.watch()[0]!.statuses, { PRESENT: 12 * vectorsPerPart + 1 })
})
