import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeManualClock } from '../../src/base/clock.ts'
import { entity, featureService, featureView, int, stream, string, timestamp } from '../../src/index.ts'
import { applyEvent, type KeyState, makeKeyState } from '../../src/kernel/key-state.ts'
import { compile } from '../../src/plan/compile.ts'
import { inspect } from '../../src/plan/intake.ts'
import { VectorReader } from '../../src/serve/vector-reader.ts'

// Goal: an event that is only read with counts where it belongs, once, and never goes unnoticed where it does not.

const fields = { id: string(), user: int(), shop: int().optional(), amount: int(), at: timestamp('ms') }
const options = { fields, time: 'at', id: 'id', lateness: '1h' } as const
const orders = stream('orders', options)
const visits = stream('visits', options)
const user = entity('user', { user: int() })
const shop = entity('shop', { shop: int() })
const byUser = featureView('by_user', {
  from: orders,
  by: user,
  features: (on) => ({ user_orders: on.count({ over: '1d' }) }),
})
const byShop = featureView('by_shop', {
  from: orders,
  by: shop,
  features: (on) => ({ shop_orders: on.count({ over: '1d' }) }),
})
const large = featureView('large', {
  from: orders,
  by: user,
  where: (e) => e.amount.gt(100),
  features: (on) => ({ large_orders: on.count({ over: '1d' }) }),
})
const both = featureService('both', [byUser, byShop])
const seen = featureView('seen', { from: visits, by: user, features: (on) => ({ visits: on.count({ over: '1d' }) }) })
const plan = compile([both, large, seen])
const atMs = Date.UTC(2026, 0, 1)

const event = (more: object): Uint8Array =>
  Buffer.from(JSON.stringify({ id: 'a', user: 1, shop: 2, amount: 5, at: atMs, ...more }))

/** A reader over the states after one event, `known`. */
function readerAfter(known: Uint8Array): VectorReader {
  const inspected = inspect(plan.streams[0]!, { value: known, timestampMs: atMs })
  assert.ok('row' in inspected)
  const states = new Map<string, KeyState>()
  for (const view of plan.streams[0]!.views) {
    const projected = view.project({ ...inspected, tie: inspected.row[0] as string })
    if (projected.outcome !== 'applied') continue
    const state = makeKeyState(view.program)
    applyEvent(view.program, state, projected.event)
    states.set(`${view.name} ${Buffer.from(projected.key).toString('hex')}`, state)
  }
  const source = {
    state: (view: { name: string }, key: Uint8Array) =>
      states.get(`${view.name} ${Buffer.from(key).toString('hex')}`) ?? null,
    prefix: () => [1],
    historyPrefix: () => null,
    coveredFrom: () => Number.NEGATIVE_INFINITY,
    sources: (name: string) => [
      { intake: { accepted: (id: string | number) => name === 'orders' && id === inspected.row[0] } },
    ],
  }
  return new VectorReader(plan, source, makeManualClock(atMs + 1_000))
}

const reader = readerAfter(event({}))
const read = (target: string, keys: object, added: object, from = 'orders') =>
  reader.read(reader.prepare({ service: target }), { ...keys }, { with: { stream: from, event: event(added) } })

test('an event that was not sent yet counts for the keys that it has', () => {
  assert.deepEqual(read('both', { user: 1, shop: 3 }, { id: 'b', shop: 3 }).values, [2, 1])
  assert.deepEqual(read('both', { user: 1, shop: 2 }, { id: 'b', user: 9 }).values, [0 + 1, 2])
})

test('an event that was accepted already counts once, and the instant is still one past it', () => {
  const { values, asOf } = read('both', { user: 1, shop: 2 }, {})
  assert.deepEqual({ values, asOf }, { values: [1, 1], asOf: atMs + 1 })
})

test('the first event of an id wins, as it does when another is sent', () => {
  assert.deepEqual(read('by_user', { user: 1 }, { amount: 7, at: atMs + 60_000 }).values, [1])
})

test('an event of other keys in every view is refused, not left out', () => {
  assert.throws(() => read('both', { user: 4, shop: 4 }, { id: 'b' }), {
    code: 'REQUEST_MALFORMED',
    message: /has another user, shop than the keys that are read/,
  })
  assert.throws(() => read('by_user', { user: 4 }, {}), { code: 'REQUEST_MALFORMED' })
})

test('an event that a view filters out, or that has no key for it, is no fault', () => {
  assert.deepEqual(read('large', { user: 1 }, { id: 'b' }).values, [0])
  assert.deepEqual(read('by_shop', { shop: 2 }, { id: 'b', shop: null }).values, [1])
})

test('an event of a stream that no view reads is refused, and the streams that are read are named', () => {
  assert.throws(() => read('both', { user: 1, shop: 2 }, { id: 'b' }, 'visits'), {
    code: 'REQUEST_MALFORMED',
    message: /of stream "visits", which none of the views reads/,
    hint: /"orders"/,
  })
})
