// Goal: with a hand-over point anywhere, what comes from files and what comes by the topic give the verdicts and values
// that a naive model of both gives: stream and training alike.
// Method: the random definitions and records of the agreement test; a random hand-over point among their times, and
// records dealt out to the two topics, most to the one that they belong to. Each partition is judged by an intake that
// is saved and restored now and then; accepted events are folded, and swept, in another order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from '../../src/base/faults.ts'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import { insertEvent, type KernelEvent, makeEventColumns } from '../../src/kernel/event-columns.ts'
import { applyEvent, makeKeyState } from '../../src/kernel/key-state.ts'
import { IdTable } from '../../src/kernel/id-table.ts'
import { compile } from '../../src/plan/compile.ts'
import { type FinishedView, finishView, readView } from '../../src/plan/finish-view.ts'
import { Intake } from '../../src/plan/intake.ts'
import type { AcceptedEvent, StreamPlan, ViewPlan } from '../../src/plan/plan.ts'
import { lawOptions } from '../base/law-options.ts'
import { sweptReads } from '../kernel/swept.ts'
import { type Scenario, scenario } from './arbitraries.ts'
import {
  historyPartition,
  naiveEvents,
  type NaiveEvent,
  naiveHistory,
  naiveKey,
  naiveRead,
  type NaiveRead,
  type NaiveRecord,
  naiveVerdicts,
} from './naive.ts'
import { idTableOf } from '../kernel/id-tables.ts'

type Dealt = { readonly made: Scenario; readonly picks: readonly number[]; readonly from: boolean }

const dealt = fc.record<Dealt>({
  made: scenario(),
  picks: fc.array(fc.nat(1_000), { minLength: 16, maxLength: 64 }),
  from: fc.boolean(),
})

test('files before the hand-over point and the topic after it agree with the naive model bit for bit', () => {
  const tally = { history: 0, live: 0, outside: 0 }
  fc.assert(
    fc.property(dealt, ({ made, picks, from }) => {
      const pick = (index: number, count: number): number => (picks[index % picks.length]! * 31 + index * 7) % count
      const { views, records, stream, plan } = withHistory(made, { pick, from })
      const { verdicts, accepted } = naiveVerdicts(views[0]!.from, records)
      const events = judge(stream, { records, verdicts, pick })
      tally.history += accepted.filter(({ partition }) => partition < 0).length
      tally.live += accepted.filter(({ partition }) => partition >= 0).length
      tally.outside += verdicts.filter((verdict) => verdict === 'late').length
      assert.equal(events.length, accepted.length)
      for (const [index, view] of plan.views.entries()) {
        checkView({ view, definition: views[index]!, made }, events, accepted)
      }
    }),
    lawOptions(150),
  )
  // The random cases do meet all of it.
  if (process.env['RUNS'] !== undefined) return
  assert.ok(
    Object.values(tally).every((count) => count > 20),
    JSON.stringify(tally),
  )
})

type Pick = (index: number, count: number) => number

/** The scenario with a hand-over point at the time of one of its events, give or take a millisecond. */
function withHistory(made: Scenario, { pick, from }: { pick: Pick; from: boolean }) {
  const plain = compile(made.views).streams[0]!
  const times = made.records.map(({ value }) => {
    const decoded = value === null ? null : plain.format.decode(value)
    return decoded !== null && 'row' in decoded ? Number(decoded.row[plain.time]) : null
  })
  const known = times.filter((time) => time !== null).sort((a, b) => a - b)
  const until = (known[Math.floor(known.length / 2)] ?? 1_000) + pick(0, 3) - 1
  const first = from ? { from: new Date(until - 1 - pick(1, 20)).toISOString() } : { from: null }
  const history = { until: new Date(until).toISOString(), topic: null, ...first }
  const own = Object.freeze({ ...made.stream, history })
  const views = made.views.map((view) => Object.freeze({ ...view, from: own }))
  const offsets = new Map<number, number>()
  const records = made.records.map((record, index): NaiveRecord => {
    const belongs = (times[index] ?? 0) < until
    const isPast = pick(index, 8) === 0 ? !belongs : belongs
    const partition = isPast ? historyPartition(record.partition) : record.partition
    const offset = offsets.get(partition) ?? 0
    offsets.set(partition, offset + 1 + (index % 2))
    return { ...record, partition, offset }
  })
  const plan = compile(views)
  return { views, records, stream: plan.streams[0]!, plan }
}

type Judging = { readonly records: readonly NaiveRecord[]; readonly verdicts: readonly string[]; readonly pick: Pick }

function judge(stream: StreamPlan, { records, verdicts, pick }: Judging): AcceptedEvent[] {
  const intakes = new Map<number, Intake>()
  const remembered = new Map<number, IdTable>()
  const events: AcceptedEvent[] = []
  const taken = records.map((record, index) => {
    const source = record.partition < 0 ? 'history' : 'live'
    const partition = record.partition < 0 ? record.partition - historyPartition(0) : record.partition
    let seen = remembered.get(record.partition) ?? new IdTable()
    let intake = intakes.get(record.partition) ?? new Intake(stream, partition, { watermark: -1, seen, source })
    if (pick(index, 6) === 0) {
      // As a checkpoint keeps it: ids that can still decide a verdict.
      seen = idTableOf(seen, intake.forgetsBefore)
      intake = new Intake(stream, partition, { watermark: intake.watermark, seen, source, open: intake.open })
    }
    intakes.set(record.partition, intake)
    remembered.set(record.partition, seen)
    assert.equal(intake.takeMark(record), false)
    const result = intake.take(record)
    if (result.verdict === 'accepted') events.push(result.event)
    return result.verdict
  })
  assert.deepEqual(taken, verdicts)
  return events
}

type Subject = { readonly view: ViewPlan; readonly definition: FeatureView; readonly made: Scenario }

function checkView(
  { view, definition, made }: Subject,
  events: readonly AcceptedEvent[],
  accepted: readonly NaiveEvent[],
): void {
  const keys = new Map<string, { readonly naive: readonly unknown[]; readonly own: KernelEvent[] }>()
  events.forEach((event, index) => {
    const projected = view.project(event)
    if (projected.outcome !== 'applied') return
    const name = Buffer.from(projected.key).toString('hex')
    const key = keys.get(name) ?? { naive: naiveKey(definition, accepted[index]!.row)!, own: [] }
    keys.set(name, key)
    key.own.push(projected.event)
  })
  for (const { naive, own } of keys.values()) {
    const expected = naiveEvents(definition, accepted, naive as never)
    // Backwards: the imported ones come last.
    const state = makeKeyState(view.program)
    for (const event of own.toReversed()) applyEvent(view.program, state, event)
    const columns = makeEventColumns(view.program.columns.length, view.program.keepsTies)
    for (const event of own) insertEvent(columns, event)
    const instants = [...made.instants, state.newest + 1].sort((a, b) => a - b)
    for (const swept of sweptReads(view.program, columns, instants)) {
      const { t } = swept
      assertSame(
        readOr(() => readView(view, state, t)),
        naiveRead(definition, expected, t),
      )
      assertSame(finishView(view, swept), naiveHistory(definition, expected, t))
    }
  }
}

function readOr(read: () => FinishedView): FinishedView | 'AS_OF_TOO_OLD' {
  try {
    return read()
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'AS_OF_TOO_OLD') return 'AS_OF_TOO_OLD'
    throw error
  }
}

/** Strict deep equality tells 0 from -0, and compares every bit of a number otherwise. */
function assertSame(actual: FinishedView | 'AS_OF_TOO_OLD', expected: NaiveRead): void {
  if (typeof actual === 'string' || typeof expected === 'string') {
    assert.equal(actual, expected)
    return
  }
  assert.deepEqual([...actual.values], expected.values)
  assert.deepEqual([...actual.status], expected.status)
  assert.equal(actual.ageMs, expected.ageMs)
}
