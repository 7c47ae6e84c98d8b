// Goal: what is kept is named by what it depends on: other names and another order keep it, other meaning does not.
// Method: pairs of definitions that differ in one thing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { type FeatureView, featureView, sawtooth } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { compile } from '../../src/plan/compile.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'

const user = entity('user', { userId: int() })

const kinds = [
  'renamed',
  'reordered',
  'finished otherwise',
  'other window',
  'other text',
  'one more',
  'sawtooth',
  'sawtooth, other text',
  'other hop',
] as const

type Change = {
  readonly streamName?: string
  readonly lateness?: '1m' | '60s' | '2m'
  readonly key?: 'userId'
  readonly viewName?: string
  readonly features?: (typeof kinds)[number]
  readonly where?: boolean
  readonly horizon?: '1h' | '2h'
  readonly oneMoreField?: boolean
  readonly secondView?: 'int' | 'string'
  readonly ttl?: '1d'
}

function fingerprints(change: Change): { stream: string; view: string } {
  const fields = { id: string(), userId: int(), price: int(), shop: string(), at: timestamp('ms') }
  const more = change.oneMoreField === true ? { more: int().optional() } : {}
  const clicks = stream(change.streamName ?? 'clicks', {
    topic: 'raw',
    fields: { ...fields, ...more } as typeof fields,
    time: 'at',
    id: 'id',
    lateness: change.lateness ?? '1m',
    key: change.key ?? 'id',
  })
  const view = featureView(change.viewName ?? 'by_user', {
    from: clicks,
    by: user,
    where: (event) => event.price.gt(change.where === true ? 1 : 0),
    ...(change.ttl === undefined ? {} : { ttl: change.ttl }),
    horizon: change.horizon ?? '1h',
    features: (on) => {
      const count = on.count({ over: change.features === 'other text' ? '1h' : '60m' })
      const sum = on.sum('price', { over: change.features === 'other window' ? '2d' : '1d' })
      switch (change.features) {
        case 'renamed':
          return { clicks: count, turnover: sum }
        case 'reordered':
          return { sum, count }
        case 'finished otherwise':
          return { count, sum, each: sum.per(count) }
        case 'sawtooth':
          return { count, sum: on.sum('price', { over: '1d', precision: sawtooth('1h') }) }
        case 'sawtooth, other text':
          return { count, sum: on.sum('price', { over: '24h', precision: sawtooth('60m') }) }
        case 'other hop':
          return { count, sum: on.sum('price', { over: '1d', precision: sawtooth('2h') }) }
        case 'one more':
          return { count, sum, most: on.max('price', { over: '1d' }) }
        default:
          return { count, sum }
      }
    },
  })
  const second: FeatureView[] = []
  if (change.secondView === 'int') {
    const by = entity('price', { price: int() })
    second.push(featureView('second', { from: clicks, by, features: (on) => ({ n: on.count({ over: '1h' }) }) }))
  }
  if (change.secondView === 'string') {
    const by = entity('shop', { shop: string() })
    second.push(featureView('second', { from: clicks, by, features: (on) => ({ n: on.count({ over: '1h' }) }) }))
  }
  const plan = compile([view, ...second])
  return { stream: plan.streams[0]!.fingerprint, view: plan.views[0]!.fingerprint }
}

const base = fingerprints({})

const same: readonly Change[] = [
  { streamName: 'taps' },
  { lateness: '60s' },
  { key: 'userId' },
  { viewName: 'of_user' },
  { features: 'renamed' },
  { features: 'reordered' },
  { features: 'finished otherwise' },
  { features: 'other text' },
  { horizon: '1h' },
  { secondView: 'int' },
  { ttl: '1d' },
]
for (const change of same) {
  test(`${JSON.stringify(change)} keeps stream and view`, () => assert.deepEqual(fingerprints(change), base))
}

const otherView: readonly Change[] = [
  { features: 'other window' },
  { features: 'one more' },
  { features: 'sawtooth' },
  { where: true },
  { horizon: '2h' },
]
for (const change of otherView) {
  test(`${JSON.stringify(change)} keeps the stream, and changes the view`, () => {
    const changed = fingerprints(change)
    assert.equal(changed.stream, base.stream)
    assert.notEqual(changed.view, base.view)
  })
}

// A second entity of text bounds the length of one more column: an event that was accepted might be refused.
for (const change of [{ lateness: '2m' }, { oneMoreField: true }, { secondView: 'string' }] as const) {
  test(`${JSON.stringify(change)} changes the stream, and so the view`, () => {
    const changed = fingerprints(change)
    assert.notEqual(changed.stream, base.stream)
    assert.notEqual(changed.view, base.view)
  })
}

test('a hop is known by its length, and another hop is another view', () => {
  const one = fingerprints({ features: 'sawtooth' })
  assert.deepEqual(fingerprints({ features: 'sawtooth, other text' }), one)
  assert.notEqual(fingerprints({ features: 'other hop' }).view, one.view)
})
