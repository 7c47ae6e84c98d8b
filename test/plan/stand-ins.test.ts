// Goal: an event that replaces a rejected one counts once, whatever else the log holds: with an id or without, sent
// twice, mended differently, read again from the start by other definitions, or restored from a checkpoint anywhere.
// Method: chosen cases, and random logs against a model that looks through the whole prefix for every record.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as assertLaw, boolean, constantFrom, nat, property, record as recordOf } from 'fast-check'
import { entity, featureView, int, stream, timestamp } from '../../src/index.ts'
import { compile } from '../../src/plan/compile.ts'
import { Intake, type SourceRecord } from '../../src/plan/intake.ts'
import { OpenRejections, openRejectionsMax, standInHeader, standsInFor } from '../../src/plan/open-rejections.ts'
import type { StreamPlan } from '../../src/plan/plan.ts'
import { lawOptions } from '../base/law-options.ts'
import { idTableOf } from '../kernel/id-tables.ts'
import { IdTable } from '../../src/kernel/id-table.ts'

const fields = { n: int(), user: int(), at: timestamp('ms') }
const user = entity('user', { user: int() })
const rules = { time: 'at', lateness: '10ms', dedupe: '10ms' } as const

function planOf(withId: boolean): StreamPlan {
  const events = withId ? stream('events', { fields, ...rules, id: 'n' }) : stream('events', { fields, ...rules })
  const counts = featureView('counts', { from: events, by: user, features: (on) => ({ n: on.count({ over: '1d' }) }) })
  return compile([counts]).streams[0]!
}
const bare = planOf(false)
const withIds = planOf(true)

const startMs = Date.UTC(2026, 0, 1)
const bytes = (text: string): Uint8Array => Buffer.from(text)
const eventOf = (n: number, ms: number): Uint8Array => bytes(JSON.stringify({ n, user: 1, at: startMs + ms }))
const broken = bytes('{')

type Line = readonly [value: Uint8Array, standsFor?: number]

function recordsOf(lines: readonly Line[]): SourceRecord[] {
  return lines.map(([value, standsFor], offset) => {
    const headers = standsFor === undefined ? [] : [[standInHeader, bytes(String(standsFor))] as const]
    return { offset, timestampMs: startMs, value, headers }
  })
}

function verdictsOf(plan: StreamPlan, lines: readonly Line[]): string[] {
  const intake = new Intake(plan, 0, { watermark: -1, seen: new IdTable() })
  return recordsOf(lines).map((record) => intake.take(record).verdict)
}

for (const [name, plan] of [
  ['without ids', bare],
  ['with ids', withIds],
] as const) {
  test(`${name}: a mended event is accepted in place of a refused one, once`, () => {
    const mended = eventOf(1, 0)
    assert.deepEqual(verdictsOf(plan, [[broken], [mended, 0], [mended, 0], [eventOf(2, 1), 0]]), [
      'refused',
      'accepted',
      'duplicate',
      'duplicate',
    ])
  })

  test(`${name}: a record that was accepted cannot be replaced`, () => {
    // As after a change of definitions: what was refused once is accepted in its own place when the log is read again.
    assert.deepEqual(verdictsOf(plan, [[eventOf(1, 0)], [eventOf(1, 0), 0], [eventOf(2, 0), 0]]), [
      'accepted',
      'duplicate',
      'duplicate',
    ])
  })

  test(`${name}: a second replay of what is still broken is a duplicate only once something was accepted`, () => {
    const verdicts = verdictsOf(plan, [[broken], [broken, 0], [eventOf(1, 0), 0], [broken, 0], [broken, 1]])
    assert.deepEqual(verdicts, ['refused', 'refused', 'accepted', 'duplicate', 'duplicate'])
  })

  test(`${name}: a late event stays late, and its mended form is accepted`, () => {
    const verdicts = verdictsOf(plan, [[eventOf(1, 100)], [eventOf(2, 0)], [eventOf(2, 0), 1], [eventOf(2, 95), 1]])
    assert.deepEqual(verdicts, ['accepted', 'late', 'late', 'accepted'])
  })
}

test('a header that names no record makes no stand-in', () => {
  const headers = (value: string) => [[standInHeader, bytes(value)] as const]
  for (const value of ['', '-1', '1.0', ' 1', '1e3', '0x1', 'dead-letter-queue/0@1', '1'.repeat(16)]) {
    assert.equal(standsInFor(headers(value)), null, value)
  }
  assert.equal(standsInFor(headers('17')), 17)
  assert.equal(standsInFor([['other', bytes('17')]]), null)
})

test('the newest rejections can be replaced, older ones no more, and closing does not bring them back', () => {
  let open = OpenRejections.none()
  for (let offset = 0; offset < openRejectionsMax + 5; offset++) open.add(offset)
  assert.deepEqual([open.has(4), open.has(5), open.size], [false, true, openRejectionsMax])
  open.close(7)
  assert.deepEqual([open.has(4), open.has(7), open.size], [false, false, openRejectionsMax - 1])
  open = OpenRejections.decode(open.encode())
  assert.deepEqual([open.has(4), open.has(5), open.has(7), open.size], [false, true, false, openRejectionsMax - 1])
  for (let offset = 20_000; offset < 40_000; offset++) open.add(offset)
  assert.deepEqual([open.has(29_999), open.has(30_000), open.has(39_999)], [false, true, true])
})

test('unknown versions of the open rejections are refused', () => {
  assert.throws(() => OpenRejections.decode(Uint8Array.of(2, 0)), { code: 'STATE_VERSION_UNKNOWN' })
})

const line = recordOf({
  what: constantFrom('broken', 'event', 'event', 'event'),
  n: nat(6),
  ms: nat(40),
  standIn: boolean(),
  original: nat(12),
})

test('random logs: as a model that looks back through the whole prefix, over restarts anywhere', () => {
  let closed = 0
  assertLaw(
    property(array(line, { minLength: 10, maxLength: 40 }), array(nat(3)), boolean(), (made, restarts, withId) => {
      const plan = withId ? withIds : bare
      const records = recordsOf(
        made.map(({ what, n, ms, standIn, original }): Line => {
          const value = what === 'broken' ? broken : eventOf(n, ms)
          return standIn ? [value, original] : [value]
        }),
      )
      const expected = modelVerdicts(records, withId)
      let seen = new IdTable()
      let intake = new Intake(plan, 0, { watermark: -1, seen })
      const verdicts = records.map((record, index) => {
        if (restarts[index % Math.max(1, restarts.length)] === 0) {
          seen = idTableOf(seen)
          const open = OpenRejections.decode(intake.open.encode())
          intake = new Intake(plan, 0, { watermark: intake.watermark, seen, open })
        }
        const { verdict } = intake.take(record)
        if (verdict === 'accepted' && record.headers!.length > 0) closed += 1
        return verdict
      })
      assert.deepEqual(verdicts, expected)
    }),
    lawOptions(2_000),
  )
  assert.ok(closed > 300, `${closed} stand-ins were accepted`)
})

/** Each rule as one look at everything before. */
function modelVerdicts(records: readonly SourceRecord[], withId: boolean): string[] {
  type Seen = { verdict: string; original: number | null; n: number; ts: number }
  const before: Seen[] = []
  for (const { value, headers, timestampMs } of records) {
    const original = headers!.length === 0 ? null : Number(Buffer.from(headers![0]![1]).toString())
    const text = Buffer.from(value!).toString()
    const event = text === '{' ? null : (JSON.parse(text) as { n: number; at: number })
    const accepted = before.filter(({ verdict }) => verdict === 'accepted')
    const watermark = Math.max(-1, ...accepted.map(({ ts }) => ts))
    const verdict = (): string => {
      if (original !== null) {
        const first = before[original]
        const rejected = first !== undefined && first.original === null && /late|refused/.test(first.verdict)
        if (!rejected || accepted.some((one) => one.original === original)) return 'duplicate'
      }
      if (event === null || event.at > timestampMs + 300_000) return 'refused'
      const same = accepted.findLast(({ n }) => n === event.n)
      if (withId && same !== undefined && same.ts >= watermark - 10) return 'duplicate'
      return event.at < watermark - 10 ? 'late' : 'accepted'
    }
    before.push({ verdict: verdict(), original, n: event?.n ?? -1, ts: event?.at ?? -1 })
  }
  return before.map(({ verdict }) => verdict)
}
