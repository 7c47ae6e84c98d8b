// Goal: how a view emits is checked like every other part of a definition, and changes no state.
// Method: definitions, some of which TypeScript would refuse, against the plan or the text of the fault.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, entity, explainPlan, type FeatureView, featureView, int, stream, timestamp } from '../../src/index.ts'

const key = entity('one', { k: int() })
const streamOf = (lateness: '10m' | '2h', topic = 'events') =>
  stream('events', { topic, fields: { k: int(), at: timestamp() }, time: 'at', lateness })

function viewOf(
  emit: unknown,
  more: { lateness?: '10m' | '2h'; horizon?: '65m' | '3h'; topic?: string } = {},
): FeatureView {
  const { lateness = '10m', topic, ...rest } = more
  const options = { ...rest, ...(emit === undefined ? {} : { emit: emit as 'event' }) }
  const from = streamOf(lateness, topic)
  return featureView('counted', { ...options, from, by: key, features: (on) => ({ n: on.count({ over: '1h' }) }) })
}

const planOf = (...given: Parameters<typeof viewOf>) => compile([viewOf(...given)]).views[0]!

function faultsOf(...given: Parameters<typeof viewOf>): string[] {
  try {
    compile([viewOf(...given)])
  } catch (error) {
    const lines = (error as Error).message.split('\n')
    return lines.slice(1).map((line) => line.trim())
  }
  return []
}

test('a view emits nothing, after each event, or at intervals', () => {
  assert.equal(planOf(undefined).emit, null)
  assert.deepEqual(planOf('event').emit, { per: 'event' })
  assert.deepEqual(planOf({ every: '1m' }).emit, { per: 'interval', everyMs: 60_000, idleMs: 300_000 })
  assert.deepEqual(planOf({ every: '1d', idle: '0s' }).emit, { per: 'interval', everyMs: 86_400_000, idleMs: 0 })
})

test('how a view emits is part of the plan and not of the state', () => {
  const ways = [undefined, 'event', { every: '1m' }, { every: '2m' }, { every: '1m', idle: '1m' }]
  assert.equal(new Set(ways.map((emit) => compile([viewOf(emit)]).hash)).size, ways.length)
  assert.equal(new Set(ways.map((emit) => planOf(emit).fingerprint)).size, 1)
})

test('what is no way to emit is a fault', () => {
  const durations = 'a whole number and ms, s, m, h or d: 10m'
  assert.deepEqual(faultsOf('events'), [`counted.emit: "events" is no way to emit ('event', or { every: '1m' })`])
  assert.deepEqual(faultsOf(null), [`counted.emit: null is no way to emit ('event', or { every: '1m' })`])
  assert.deepEqual(faultsOf({ every: 'minute' }), [`counted.emit.every: "minute" is no duration (${durations})`])
  assert.deepEqual(faultsOf({ every: '0m' }), ['counted.emit.every: the interval has no length (at least 1ms)'])
  assert.deepEqual(faultsOf({ evry: '1m' }), [
    'counted.emit.evry: option "evry" is not declared (did you mean "every"? Declared: every, idle)',
    `counted.emit.every: undefined is no duration (${durations})`,
  ])
})

test('what is emitted must be readable: the horizon covers what a value may wait for', () => {
  assert.deepEqual(faultsOf(undefined, { lateness: '2h' }), [])
  assert.deepEqual(faultsOf('event', { lateness: '2h' }), [
    'counted.horizon: it is 1h, and an event may be 2h behind the newest of its key (at least 2h for a view that emits: the lateness)',
  ])
  assert.deepEqual(faultsOf('event', { lateness: '2h', horizon: '3h' }), [])
  assert.deepEqual(faultsOf({ every: '1m', idle: '56m' }, { horizon: '65m' }), [
    'counted.horizon: it is 65m, and an interval may wait until its key is 66m further (at least 66m: the lateness and emit.idle)',
  ])
  assert.deepEqual(faultsOf({ every: '1m', idle: '55m' }, { horizon: '65m' }), [])
})

test('no stream reads what a view emits', () => {
  assert.deepEqual(faultsOf('event', { topic: 'feature-events.counted' }), [
    'events.topic: "feature-events.counted" is where finished values of a view go (another topic: a stream must not feed itself)',
  ])
  assert.deepEqual(faultsOf('event', { topic: 'feature-events' }), [])
})

test('the plan says in words what is emitted, and where', () => {
  assert.match(
    explainPlan(compile([viewOf('event')])),
    /emits +finished values after each event to feature-events.counted\n/,
  )
  const text = explainPlan(compile([viewOf({ every: '60s' })]))
  assert.match(text, /emits +finished values at every 1m of event time to feature-events.counted\n/)
  assert.doesNotMatch(explainPlan(compile([viewOf(undefined)])), /emits/)
})
