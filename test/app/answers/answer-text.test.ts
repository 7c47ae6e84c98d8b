// Goal: records that are put together from pieces of text say what an object would have said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Asked } from '../../../src/app/answers/asked.ts'
import { askedText, inputText, predictionText } from '../../../src/app/answers/answer-text.ts'
import {
  entity,
  featureService,
  featureView,
  float,
  int,
  model,
  stream,
  string,
  timestamp,
} from '../../../src/index.ts'
import type { Prediction } from '../../../src/model/predictor.ts'
import { compile } from '../../../src/plan/compile.ts'
import { compileModels } from '../../../src/plan/model-plan.ts'
import { formatInstant } from '../../../src/schema/instant.ts'

const payments = stream('payments', {
  fields: { user: int(), amount: float(), shop: string(), at: timestamp('ms') },
  time: 'at',
  lateness: '1h',
})
const spending = featureView('spending', {
  from: payments,
  by: entity('user', { user: int() }),
  features: (on) => ({
    count: on.count({ over: '1h' }),
    mean: on.mean('amount', { over: '1h' }),
    shop: on.last('shop', { over: '1h' }),
    shops: on.lastK('shop', { k: 3, over: '1h' }),
  }),
})
const service = featureService('scoring', [spending])
const risk = model('risk', {
  version: 3,
  input: service,
  output: { score: float(), why: string().nullable() },
  missing: 'pass',
  from: () => ({ score: 0, why: null }),
})
const [plan] = compileModels([risk], compile([service]))
const atMs = Date.UTC(2026, 1, 28, 23, 59, 59, 7)

function asked(about: Asked['about'], checksum: string | null): Asked {
  const read = {
    about,
    keys: { user: 'quo"te\u2028' },
    asOf: atMs,
    prefix: { payments: [3, 0], 'payments.history': [1] },
    plan: 'abc',
  }
  return {
    ...read,
    taken: { name: { name: 'risk', version: 3, checksum }, plan: plan!, predict: () => Promise.resolve([]) },
    vector: {
      values: [-0, null, 'a "shop"\n', ['x', null as never]],
      status: ['PRESENT', 'NULL_VALUE', 'PRESENT', 'WARMING'],
    },
    text: askedText(read),
  }
}

const about = { request_id: 'r"1', user_id: 7, source: { topic: 't', partition: 0, offset: 9 } }
const common = { model: 'risk', model_version: 3, checksum: 'c0ffee' }
const seen = { prefix: { payments: [3, 0], 'payments.history': [1] }, plan: 'abc' }
const read = { keys: { user: 'quo"te\u2028' }, as_of: formatInstant(atMs) }

/** Byte for byte: the order of members is part of the record. */
function same(text: string, object: object): void {
  assert.equal(text, JSON.stringify(object))
}

test('model-input has every input, with the status of those that are not present', () => {
  const inputs = { count: -0, mean: null, shop: 'a "shop"\n', shops: ['x', null] }
  const status = { mean: 'NULL_VALUE', shops: 'WARMING' }
  same(inputText(asked(about, 'c0ffee')), { ...about, ...common, ...read, inputs, status, ...seen })
  assert.equal((JSON.parse(inputText(asked(about, null))) as { checksum: unknown }).checksum, null)
})

test('a prediction has its outputs, or why there are none, and why a fallback gave them', () => {
  const one = asked(about, 'c0ffee')
  const outcomes: [Prediction, object][] = [
    [
      { outcome: 'served', output: { score: 1e-7, why: null }, inputs: {} },
      { prediction: 1e-7, confidence: null, rest: { output: { score: 1e-7, why: null }, status: {} } },
    ],
    [
      {
        outcome: 'served',
        output: { score: 0.5, why: '"' },
        fallback: { reason: 'REMOTE_LATE', detail: 'it\n' },
        inputs: { mean: 'NULL_VALUE' },
      },
      {
        prediction: 0.5,
        confidence: null,
        rest: {
          output: { score: 0.5, why: '"' },
          fallback: { reason: 'REMOTE_LATE', detail: 'it\n' },
          status: { mean: 'NULL_VALUE' },
        },
      },
    ],
    [
      {
        outcome: 'failed',
        reason: 'OUTPUT_NOT_FINITE',
        detail: 'score is "NaN"',
        cause: new Error('kept'),
        inputs: {},
      },
      {
        prediction: null,
        confidence: null,
        rest: { reason: 'OUTPUT_NOT_FINITE', detail: 'score is "NaN"', status: {} },
      },
    ],
  ]
  for (const [prediction, { prediction: first, confidence, rest }] of outcomes as [Prediction, Expected][]) {
    const { outcome } = prediction
    same(predictionText(one, prediction, atMs), {
      ...about,
      prediction: first,
      confidence,
      timestamp: formatInstant(atMs),
      ...common,
      outcome,
      ...rest,
      ...read,
      ...seen,
    })
  }
})

type Expected = { readonly prediction: unknown; readonly confidence: unknown; readonly rest: object }

test('instants are written as Date writes them, on every day and at every time of day', () => {
  const days = [0, 1, 58, 59, 365, 11_016, 20_512, 47_481]
  const times = [0, 7, 60, 999, 1_000, 59_999, 60_000, 3_599_999, 43_200_010, 86_399_999]
  for (const day of days) {
    for (const time of times) {
      const ms = day * 86_400_000 + time
      assert.equal(formatInstant(ms), new Date(ms).toISOString())
    }
  }
  assert.throws(() => formatInstant(Number.NaN), RangeError)
  assert.throws(() => formatInstant(Number.NaN), RangeError)
})
