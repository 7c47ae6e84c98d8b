import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FeatureValue } from '../../src/kernel/aggregation.ts'
import type { FeatureStatus } from '../../src/plan/finish-view.ts'
import { vectorJson } from '../../src/serve/vector-json.ts'
import { makeVectorRows, type VectorRows } from '../../src/serve/vector-rows.ts'
import { AnyRows } from './any-rows.ts'

// Goal: the answer of POST /v1/features is, byte for byte, what JSON.stringify gives of the documented object.
// Method: rows of random shapes, values and prefixes, in arrays longer than what counts, as they are in use.

/** The documented answer, as an object. */
function answerOf(rows: VectorRows): object {
  const width = rows.shape.names.length
  const cut = <T>(all: readonly T[], row: number): readonly T[] => all.slice(row * width, (row + 1) * width)
  return {
    service: rows.shape.service,
    asOf: rows.instant,
    features: rows.shape.names,
    rows: Array.from({ length: rows.size }, (_, row) => ({
      asOf: rows.asOf[row],
      values: cut(rows.values, row),
      ...(rows.full ? { status: cut(rows.status, row), ageMs: cut(rows.ageMs, row) } : {}),
    })),
    prefix: rows.prefix,
  }
}

test('any rows are written as JSON.stringify writes them', (t) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.diagnostic(`SEED=${seed}`)
  const any = new AnyRows(seed)
  for (let run = 0; run < 3_000; run++) {
    const rows = any.next()
    const expected = JSON.stringify(answerOf(rows))
    assert.equal(vectorJson(rows), expected, `SEED=${seed}, run ${run}`)
    // Once more, with what is kept of the shape.
    assert.equal(vectorJson(rows), expected)
  }
})

test('a read that answers nothing has no rows', () => {
  assert.equal(vectorJson(makeVectorRows()), '{"service":null,"asOf":0,"features":[],"rows":[],"prefix":{}}')
})

test('every status has its text', () => {
  const status: FeatureStatus[] = ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'WARMING']
  const rows: VectorRows = {
    ...makeVectorRows(),
    shape: { service: 's', names: ['a', 'b', 'c', 'd', 'e'], types: [], views: [0, 0, 0, 0, 0] },
    size: 1,
    asOf: [1],
    full: true,
    values: [1, null, null, null, null] satisfies FeatureValue[],
    status,
    ageMs: [0, 0, null, 0, 0],
  }
  assert.equal(vectorJson(rows), JSON.stringify(answerOf(rows)))
})
