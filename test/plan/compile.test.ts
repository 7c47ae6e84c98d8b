import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, entity, featureView, int, stream, string, timestamp } from '../../src/index.ts'

const fields = { id: string(), user: string().optional(), session: string().optional(), n: int(), at: timestamp() }
const options = { fields, time: 'at', id: 'id', lateness: '1h' } as const
const user = entity('user', { user: string() })

test('the hash of a plan does not depend on the order in which definitions are given', () => {
  const from = stream('events', options)
  const one = featureView('one', { from, by: user, features: (on) => ({ a: on.count({ over: '1h' }) }) })
  const two = featureView('two', { from, by: user, features: (on) => ({ b: on.sum('n', { over: '1h' }) }) })
  assert.equal(compile([one, two]).hash, compile([two, one]).hash)
  assert.notEqual(compile([one, two]).hash, compile([one]).hash)
})

test('an event without any of its keys is placed by its id, so that a resend finds the first', () => {
  const from = stream('events', { ...options, key: ['user', 'session'] })
  const view = featureView('view', { from, by: user, features: (on) => ({ a: on.count({ over: '1h' }) }) })
  const names = Object.keys(fields)
  const placement = compile([view]).streams[0]!.placement.map((column) => names[column])
  assert.deepEqual(placement, ['user', 'session', 'id'])
})

test('a misspelt option of a window is a fault, not as good as none', () => {
  const from = stream('events', options)
  const window = { over: '1h', ofset: '1h' } as { over: '1h' }
  const view = featureView('view', { from, by: user, features: (on) => ({ a: on.count(window) }) })
  assert.throws(() => compile([view]), { code: 'DEFINITION', message: /option "ofset" is not declared .*"offset"/ })
})
