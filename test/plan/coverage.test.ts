// Goal: a value is WARMING as long as a window of its feature reaches before what is known, to the millisecond.
// Method: one view with every kind of window, read around the instant at which each window is covered.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { compile } from '../../src/plan/compile.ts'
import { coveredFrom, coveredFromTheStart, withCoverage } from '../../src/plan/coverage.ts'
import { type FeatureStatus, finishView } from '../../src/plan/finish-view.ts'
import type { StreamPlan, ViewPlan } from '../../src/plan/plan.ts'
import { boolean, int, string, timestamp } from '../../src/schema/field.ts'

const hourMs = 3_600_000
const user = entity('user', { user: string() })
const until = Date.UTC(2026, 5)
const from = Date.UTC(2025, 5)

function viewOf(ttl?: '2h', past: object = {}): { view: ViewPlan; stream: StreamPlan } {
  const fields = { user: string(), n: int().optional(), ok: boolean(), at: timestamp() }
  const clicks = stream('clicks', { fields, time: 'at', lateness: '1m', future: '5m', ...past })
  const view = featureView('v', {
    from: clicks,
    by: user,
    ...(ttl === undefined ? {} : { ttl }),
    features: (on) => ({
      hour: on.count({ over: '1h' }),
      // Its window ends where that of `hour` begins.
      hour_before: on.count({ over: '1h', offset: '1h' }),
      both: on.count({ over: '1h' }).per(on.count({ over: '1h', offset: '1h' })),
      ever: on.count({ over: 'lifetime' }),
      row: on.row('n'),
      row_ok: on.where((event) => event.ok).row('n'),
    }),
  })
  const plan = compile([view])
  return { view: plan.views[0]!, stream: plan.streams[0]! }
}

type Read = { readonly t: number; readonly from: number; readonly newest: number; readonly ttl?: '2h' }

/** The statuses of a key whose newest event before `t` is known; -1: there is none. */
function statuses({ t, from: covered, newest, ttl }: Read): Record<string, FeatureStatus> {
  const { view } = viewOf(ttl)
  const aggregates = view.program.aggregates.map(({ aggregation }) => (aggregation.name === 'count' ? 1 : 7))
  const finished = finishView(view, { aggregates: newest < 0 ? null : aggregates, newest, t })
  const { status, values, ageMs } = withCoverage(view, finished, { t, coveredFrom: covered })
  assert.deepEqual({ values, ageMs }, { values: finished.values, ageMs: finished.ageMs }, 'values are answered as ever')
  return Object.fromEntries(view.features.map(({ name }, index) => [name, status[index]!]))
}

const warming = (found: Record<string, FeatureStatus>): string[] =>
  Object.keys(found).filter((name) => found[name] === 'WARMING')

const t = until
const bounded = ['hour', 'hour_before', 'both']

test('where everything is covered nothing warms', () => {
  assert.deepEqual(warming(statuses({ t, from: coveredFromTheStart, newest: t - 1 })), [])
})

test('a window warms while its first instant is not covered', () => {
  const newest = t - 3 * hourMs
  const at = (covered: number) =>
    warming(statuses({ t, from: covered, newest })).filter((name) => bounded.includes(name))
  assert.deepEqual(at(t - 2 * hourMs), [])
  assert.deepEqual(at(t - 2 * hourMs + 1), ['hour_before', 'both'])
  assert.deepEqual(at(t - hourMs), ['hour_before', 'both'])
  assert.deepEqual(at(t - hourMs + 1), bounded)
})

test('a lifetime warms until everything is covered', () => {
  assert.ok(warming(statuses({ t, from: 0, newest: t - 1 })).includes('ever'))
})

test('a row feature warms until the newest event of its key lies in what is covered', () => {
  const newest = t - hourMs
  const at = (covered: number) =>
    warming(statuses({ t, from: covered, newest })).filter((name) => name.startsWith('row'))
  assert.deepEqual(at(newest), ['row_ok'])
  assert.deepEqual(at(newest + 1), ['row', 'row_ok'])
})

test('a key without events warms where a window does, and is not found elsewhere', () => {
  const found = statuses({ t, from: t - hourMs, newest: -1 })
  assert.deepEqual(found, {
    hour: 'NOT_FOUND',
    hour_before: 'WARMING',
    both: 'WARMING',
    ever: 'WARMING',
    row: 'WARMING',
    row_ok: 'WARMING',
  })
})

test('a key is outside its maximum age for certain only when all of that age is covered', () => {
  const newest = t - 2 * hourMs - 1
  const all = (status: FeatureStatus) => ({
    hour: status,
    hour_before: status,
    both: status,
    ever: status,
    row: status,
    row_ok: status,
  })
  assert.deepEqual(statuses({ t, from: t - 2 * hourMs, newest, ttl: '2h' }), all('OUTSIDE_MAX_AGE'))
  assert.deepEqual(statuses({ t, from: t - 2 * hourMs + 1, newest, ttl: '2h' }), all('WARMING'))
  // Fresh for certain, so the windows decide.
  assert.deepEqual(warming(statuses({ t, from: t - 2 * hourMs, newest: t - 2 * hourMs, ttl: '2h' })), [
    'ever',
    'row_ok',
  ])
})

test('a log from its first record covers everything; one cut off, from the last event that the cut may have hidden', () => {
  const { stream: plain } = viewOf()
  assert.equal(coveredFrom(plain, { live: null, historyComplete: false }), coveredFromTheStart)
  const live = { timestampMs: 1_000 }
  // `future` ahead of a record of that very timestamp is the newest that may be missing.
  assert.equal(coveredFrom(plain, { live, historyComplete: false }), 1_000 + 300_000 + 1)
  const unknown = coveredFrom(plain, { live: { timestampMs: null }, historyComplete: false })
  assert.ok(unknown > Date.UTC(2100, 0, 1) - 1)
})

test('a history covers from its start once it is complete, and nothing before', () => {
  const spans = (history: object) => viewOf(undefined, { history }).stream
  const open = spans({ until: new Date(until).toISOString() })
  const begun = spans({ until: new Date(until).toISOString(), from: new Date(from).toISOString() })
  assert.equal(coveredFrom(open, { live: null, historyComplete: false }), until)
  assert.equal(coveredFrom(open, { live: null, historyComplete: true }), coveredFromTheStart)
  assert.equal(coveredFrom(begun, { live: null, historyComplete: false }), until)
  assert.equal(coveredFrom(begun, { live: null, historyComplete: true }), from)
})

test('what retention removed from before the hand-over point is not missing', () => {
  const { stream: plan } = viewOf(undefined, { history: { until: new Date(until).toISOString() } })
  const cutAt = (timestampMs: number) => coveredFrom(plan, { live: { timestampMs }, historyComplete: true })
  assert.equal(cutAt(until - 300_000 - 1), coveredFromTheStart)
  assert.equal(cutAt(until - 300_000), until + 1)
})
