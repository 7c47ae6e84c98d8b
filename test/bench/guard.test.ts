import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { guardPairs, guards, ratioOf, warmUps } from '../../bench/guard.ts'
import { figure } from '../../bench/harness.ts'

/** A change that costs something costs it every time; whatever else the machine did meanwhile, it did once. */
const attempts = 3

describe('what was gained stays', () => {
  for (const { what, measured, limit, sides } of guards) {
    test(`${what} costs at most ${limit} times as much`, (context) => {
      const prepared = sides()
      const ratios: number[] = []
      while (ratios.length < attempts) {
        const ratio = ratioOf(prepared, guardPairs)
        ratios.push(ratio)
        if (ratio <= limit) break
      }
      const figures = ratios.map(figure).join(', ')
      context.diagnostic(`${figures}, last measured ${measured}`)
      assert.ok(ratios.at(-1)! <= limit, `${figures} times, where ${measured} was measured and ${limit} is allowed`)
    })

    test(`the limit of "${what}" is above noise and below twice of what was measured`, () => {
      assert.ok(limit >= 1.4 * measured && limit <= 1.9 * measured)
    })
  }

  test('a ratio is the median of its pairs, without those that warm up', () => {
    const [ours, theirs] = [
      [...Array<number>(warmUps).fill(100), 4, 1, 9],
      [...Array<number>(warmUps).fill(1), 2, 1, 3],
    ]
    assert.equal(ratioOf({ ours: () => ours!.shift()!, theirs: () => theirs!.shift()! }, 3), 2)
  })
})
