// Goal: a model is checked against the plan that is served, and every fault of it is told at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compile,
  entity,
  featureService,
  featureView,
  float,
  int,
  type Model,
  model,
  onnx,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'
import { compileModels } from '../../src/plan/model-plan.ts'

const events = stream('events', {
  fields: { id: string(), user: int(), amount: float(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const user = entity('user', { user: int() })
const activity = (over: '1d' | '7d') =>
  featureView('activity', {
    from: events,
    by: user,
    features: (on) => ({
      count: on.count({ over }),
      mean: on.mean('amount', { over }),
      last: on.last('id', { over: 'lifetime' }),
    }),
  })
const service = featureService('scoring', [activity('1d')])
const plan = compile([service])

test('inputs come in the order of the service, or in the declared one', () => {
  const options = { version: 1, input: service, output: { score: float() } }
  const [whole, chosen] = compileModels(
    [
      model('whole', { ...options, from: ({ count }) => ({ score: count }) }),
      model('chosen', {
        ...options,
        inputs: ['mean', 'count'],
        from: onnx('x.onnx'),
        missing: { default: { mean: 3 } },
      }),
    ],
    plan,
  )
  assert.deepEqual(
    whole!.inputs.map(({ name, place }) => [name, place]),
    [
      ['count', 0],
      ['mean', 1],
      ['last', 2],
    ],
  )
  assert.deepEqual(
    chosen!.inputs.map(({ name, place, default: fallback }) => [name, place, fallback]),
    [
      ['mean', 1, 3],
      ['count', 0, undefined],
    ],
  )
})

test('a text is no input of an ONNX model, and all faults are told at once', () => {
  const wrong = {
    ...model('wrong', { version: 0, input: service, from: onnx('x.onnx'), output: { score: float() } }),
    missing: { default: { maen: 1, mean: 'high' } },
  } as Model
  assert.throws(
    () => compileModels([wrong, wrong], plan),
    (error: Error) => {
      for (const part of [
        'two models',
        'wrong.version',
        '"maen"',
        'did you mean "mean"',
        '"high"',
        'last: it is string',
      ]) {
        assert.ok(error.message.includes(part), `${part} in ${error.message}`)
      }
      return true
    },
  )
})

test('a feature that means something else than the model was declared on is a fault', () => {
  const scoring = model('scoring', {
    version: 1,
    input: service,
    inputs: ['count'],
    from: onnx('x.onnx'),
    output: { score: float() },
  })
  const other = compile([featureService('scoring', [activity('7d')])])
  assert.throws(() => compileModels([scoring], other), { code: 'DEFINITION', message: /count over 7d|count\(.*7d/ })
  const gone = compile([
    featureView('other', { from: events, by: user, features: (on) => ({ n: on.count({ over: '1d' }) }) }),
  ])
  assert.throws(() => compileModels([scoring], gone), { code: 'DEFINITION', message: /"scoring" is not declared/ })
})
