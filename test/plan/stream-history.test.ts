// Goal: a history and a retention say what they mean, or every fault is reported with all its numbers.
// Method: definitions against the exact text of their faults, and against what they compile to.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MillraceError } from '../../src/base/faults.ts'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { type StreamOptions, stream } from '../../src/definition/stream.ts'
import { float, string, timestamp } from '../../src/schema/field.ts'
import { compile } from '../../src/plan/compile.ts'
import { explainPlan } from '../../src/plan/explain.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { checkTopicRetentions } from '../../src/plan/retention.ts'

const fields = { id: string(), user: string(), price: float(), at: timestamp() }
const user = entity('user', { user: string() })

type Past = Pick<StreamOptions<typeof fields>, 'history' | 'retention'>
type Shape = {
  readonly past?: Past
  readonly over?: '30d' | 'lifetime'
  readonly topic?: string
  readonly name?: string
}

function clicks({ past = {}, over = '30d', topic = 'raw', name = 'clicks' }: Shape) {
  const from = stream(name, {
    topic,
    fields,
    time: 'at',
    id: 'id',
    lateness: '10m',
    // Two streams that read a topic in the same way are a fault of their own.
    dedupe: name === 'taps' ? '3h' : '2h',
    ...past,
  })
  return featureView(`of_${name}`, { from, by: user, features: (on) => ({ n: on.count({ over }) }) })
}

const compiled = (shape: Shape): Plan => compile([clicks(shape)])

function faultsOf(...shapes: readonly Shape[]): string[] {
  try {
    compile(shapes.map(clicks))
    return []
  } catch (error) {
    assert.ok(error instanceof MillraceError)
    const [, ...lines] = error.message.split('\n')
    return lines.map((line) => line.trim())
  }
}

const untilText = '2026-06-01T00:00:00Z'
const until = Date.parse(untilText)

test('a history compiles to its topic and its span', () => {
  const { history } = compiled({ past: { history: { until: untilText } } }).streams[0]!
  assert.deepEqual(history, { topic: 'history.raw', fromMs: null, untilMs: until })
  const named = compiled({ past: { history: { until: untilText, from: '2025-06-01T02:00:00+02:00', topic: 'old' } } })
  assert.deepEqual(named.streams[0]!.history, { topic: 'old', fromMs: Date.UTC(2025, 5), untilMs: until })
})

test('a history is part of what a state depends on, a retention is not', () => {
  const plain = compiled({})
  const print = ({ streams, views }: Plan) => [streams[0]!.fingerprint, views[0]!.fingerprint]
  assert.notDeepEqual(print(compiled({ past: { history: { until: untilText } } })), print(plain))
  const kept = compiled({ past: { retention: '90d' } })
  assert.deepEqual(print(kept), print(plain))
  assert.notEqual(kept.hash, plain.hash)
})

test('the plan says where the past comes from and how long it stays', () => {
  const text = explainPlan(
    compiled({
      past: {
        history: { until: untilText, from: '2025-06-01T00:00:00Z' },
        retention: { keep: '90d', rebuild: 'warming' },
      },
    }),
  )
  assert.match(
    text,
    / {2}history {4}events from 2025-06-01T00:00:00.000Z before 2026-06-01T00:00:00.000Z from files, in history.raw\n/,
  )
  assert.match(text, / {2}kept for {3}90d; values of a rebuilt state may be WARMING\n/)
})

test('instants of a history have a zone and an order', () => {
  const allowed = 'ISO 8601 with a zone in [1970, 2100): 2026-06-01T00:00:00Z'
  assert.deepEqual(faultsOf({ past: { history: { until: '2026-06-01', from: 'then' } } }), [
    `clicks.history.until: "2026-06-01" is no instant (${allowed})`,
    `clicks.history.from: "then" is no instant (${allowed})`,
  ])
  assert.deepEqual(faultsOf({ past: { history: { until: untilText, from: untilText } } }), [
    'clicks.history: the history begins at 2026-06-01T00:00:00.000Z and ends at 2026-06-01T00:00:00.000Z (it begins before the hand-over point)',
  ])
})

test('a history has a topic of its own', () => {
  const hint = "(a topic of its own: history: { topic: 'history.clicks', … })"
  const inTopic = (topic: string): Shape => ({ past: { history: { until: untilText, topic } } })
  assert.deepEqual(faultsOf(inTopic('raw')), [
    `clicks.history.topic: "raw" is a topic that stream "clicks" reads ${hint}`,
  ])
  assert.deepEqual(faultsOf(inTopic('late-events')), [
    `clicks.history.topic: "late-events" is a topic that the engine writes to ${hint}`,
  ])
  assert.deepEqual(faultsOf(inTopic('no topic')), [
    'clicks.history.topic: "no topic" is no topic (1 to 249 letters, digits, ".", "_", "-")',
  ])
  const second: Shape = { past: { history: { until: untilText } }, name: 'taps' }
  assert.deepEqual(faultsOf({ past: { history: { until: untilText } } }, second), [
    `taps.history.topic: "history.raw" is a topic that the history of stream "clicks" lies in (a topic of its own: history: { topic: 'history.taps', … })`,
  ])
  assert.deepEqual(faultsOf(inTopic('history.other'), { name: 'other', topic: 'history.other' }), [
    `clicks.history.topic: "history.other" is a topic that stream "other" reads ${hint}`,
  ])
})

// 30 days of windows, an hour of horizon, 10 minutes of lateness and 5 of future: 43,275 minutes.
test('a retention covers windows, horizon, lateness and future, to the millisecond', () => {
  assert.deepEqual(faultsOf({ past: { retention: '2596500000ms' } }), [])
  assert.deepEqual(faultsOf({ past: { retention: '2596499999ms' } }), [
    'clicks.retention: records are kept for 2596499999ms, and view "of_clicks" needs 43275m: 30d of windows + 1h horizon + 10m lateness + 5m future (keep them for at least 43275m, or shorten the windows)',
  ])
})

test('a lifetime needs a word where records are not kept for ever', () => {
  const lifetime = (retention: Past['retention'] & {}): Shape => ({ past: { retention }, over: 'lifetime' })
  assert.deepEqual(faultsOf(lifetime('90d')), [
    `clicks.retention: records are kept for 90d, and feature "n" of view "of_clicks" covers a lifetime: a state that is rebuilt would lack its beginning (keep them for ever, or accept it: retention: { keep: '90d', rebuild: 'warming' })`,
  ])
  assert.deepEqual(faultsOf(lifetime({ keep: '90d', rebuild: 'warming' })), [])
  // The word is no leave to cut windows short.
  assert.equal(faultsOf({ past: { retention: { keep: '1d', rebuild: 'warming' } } }).length, 1)
})

test('a malformed retention is a fault of its own', () => {
  assert.deepEqual(faultsOf({ past: { retention: '90 days' as '90d' } }), [
    'clicks.retention: "90 days" is no duration (a whole number and ms, s, m, h or d: 10m)',
  ])
  assert.deepEqual(faultsOf({ past: { retention: { keep: '90d', rebuild: 'never' as 'warming' } } }), [
    'clicks.retention.rebuild: "never" is no rule ("warming")',
  ])
})

test('one topic has one retention, which all of its streams have to live with', () => {
  const kept = (retention: '90d' | '91d', name: string): Shape => ({ past: { retention }, name })
  assert.deepEqual(faultsOf(kept('90d', 'clicks'), kept('91d', 'taps')), [
    'clicks.retention: topic "raw" is kept for 90d, and by stream "taps" for 91d (one topic has one retention)',
    'taps.retention: topic "raw" is kept for 91d, and by stream "clicks" for 90d (one topic has one retention)',
  ])
  assert.deepEqual(faultsOf(kept('90d', 'clicks'), kept('90d', 'taps')), [])
  const [fault, ...others] = faultsOf(kept('90d', 'clicks'), { name: 'taps', over: 'lifetime' })
  assert.match(
    fault!,
    /^taps\.retention: records are kept for 90d, and feature "n" of view "of_taps" covers a lifetime/,
  )
  assert.deepEqual(others, [])
})

test('a topic that is there must keep what is declared of it, and what the views need', () => {
  const dayMs = 86_400_000
  const topics = (retentionMs: number | null, topic = 'raw') => [{ topic, partitions: 1, retentionMs }]
  const plain = compiled({})
  checkTopicRetentions(plain, [])
  checkTopicRetentions(plain, topics(null))
  checkTopicRetentions(plain, topics(2_596_500_000))
  assert.throws(() => checkTopicRetentions(plain, topics(2_596_499_999)), {
    code: 'RETENTION_SHORT',
    message:
      /^topic "raw" does not keep what stream "clicks" needs\n {2}records are kept for 2596499999ms, and view "of_clicks" needs 43275m: /,
  })
  assert.throws(() => checkTopicRetentions(compiled({ over: 'lifetime' }), topics(90 * dayMs)), {
    code: 'RETENTION_SHORT',
  })
  const declared = compiled({ past: { retention: '90d' } })
  checkTopicRetentions(declared, topics(90 * dayMs))
  for (const other of [null, 91 * dayMs]) {
    assert.throws(() => checkTopicRetentions(declared, topics(other)), { code: 'LOG_RETENTION_MISMATCH' })
  }
  const past = compiled({ past: { history: { until: untilText } } })
  checkTopicRetentions(past, topics(null, 'history.raw'))
  assert.throws(() => checkTopicRetentions(past, topics(dayMs, 'history.raw')), {
    code: 'RETENTION_SHORT',
    message: /topic "history\.raw" .*a history is imported once \(keep them for ever\)/s,
  })
})
