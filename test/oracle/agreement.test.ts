// Goal: what the stream serves, what training sweeps and what a naive model of the semantics says are the same bits.
// Method: random definitions and random records. 1. Verdicts: `Intake` per partition against the model. 2. Streamed:
// partitions taken in turn at random, every accepted event folded into its key's state, states and intakes saved and
// restored at random moments, reads in between against the model of that prefix. 3. Swept: all accepted events of a
// key at ascending instants. 4. The same accepted set in other orders must give the same state bytes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MillraceError } from '../../src/base/faults.ts'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import type { FeatureValue } from '../../src/kernel/aggregation.ts'
import { insertEvent, type KernelEvent, makeEventColumns } from '../../src/kernel/event-columns.ts'
import { applyEvent, type KeyState, makeKeyState, readableFrom } from '../../src/kernel/key-state.ts'
import { decodeState, encodeState } from '../../src/kernel/state-codec.ts'
import { IdTable } from '../../src/kernel/id-table.ts'
import { compile } from '../../src/plan/compile.ts'
import { type FinishedView, finishView, readView } from '../../src/plan/finish-view.ts'
import { Intake } from '../../src/plan/intake.ts'
import type { AcceptedEvent, StreamPlan, ViewPlan } from '../../src/plan/plan.ts'
import type { ValueType } from '../../src/schema/value-type.ts'
import { lawOptions } from '../base/law-options.ts'
import { sweptReads } from '../kernel/swept.ts'
import { type Scenario, scenario } from './arbitraries.ts'
import {
  naiveEvents,
  type NaiveEvent,
  naiveHistory,
  naiveKey,
  type NaiveRead,
  naiveRead,
  naiveVerdicts,
} from './naive.ts'
import { idTableOf } from '../kernel/id-tables.ts'

/** Decides, one after another, which partition is next and when something is saved, restored or read. */
type Choices = { readonly numbers: readonly number[]; used: number }

const choices = fc
  .array(fc.nat(1_000), { minLength: 16, maxLength: 64 })
  .map((numbers): Choices => ({ numbers, used: 0 }))

function choose(from: Choices, count: number): number {
  from.used += 1
  // Multiplied, so that a short list does not repeat the same few choices.
  return (from.numbers[from.used % from.numbers.length]! * 31 + from.used * 7) % count
}

/** A record's event as the engine and as the model has it. */
type Pair = { readonly event: AcceptedEvent; readonly naive: NaiveEvent }

test('stream, training and the naive model agree bit for bit', () => {
  fc.assert(
    fc.property(scenario(), choices, choices, (made, one, other) => {
      const plan = compile(made.views)
      const stream = plan.streams[0]!
      const pairs = checkVerdicts(made, stream, one)
      for (const [index, view] of plan.views.entries()) {
        const definition = made.views[index]!
        checkStreamed({ view, definition, made }, interleave(pairs, one), one)
        checkSwept({ view, definition, made }, pairs)
        checkOrders(view, interleave(pairs, other), shuffle(pairs, other))
      }
    }),
    // Without shrinking (`SHRINK=0`) a failure is reported at once, but not at its smallest.
    { ...lawOptions(800), endOnFailure: process.env['SHRINK'] === '0' },
  )
})

// 1. Verdicts.

function checkVerdicts(made: Scenario, stream: StreamPlan, choice: Choices): Pair[] {
  const { verdicts, accepted } = naiveVerdicts(made.views[0]!.from, made.records)
  const intakes = new Map<number, Intake>()
  const remembered = new Map<number, IdTable>()
  const events: AcceptedEvent[] = []
  const taken = made.records.map((record) => {
    const { partition } = record
    let seen = remembered.get(partition) ?? new IdTable()
    let intake = intakes.get(partition) ?? new Intake(stream, partition, { watermark: -1, seen })
    if (choose(choice, 6) === 0) {
      // As a checkpoint does it: the watermark, and what was remembered of ids that can still be duplicates.
      const { watermark } = intake
      seen = idTableOf(seen, watermark - stream.rules.dedupeMs)
      intake = new Intake(stream, partition, { watermark, seen })
    }
    remembered.set(partition, seen)
    intakes.set(partition, intake)
    const result = intake.take(record)
    if (result.verdict === 'accepted') events.push(result.event)
    if (result.verdict === 'refused') assert.ok(result.refusals.length > 0)
    return result.verdict
  })
  assert.deepEqual(taken, verdicts)
  return events.map((event, index) => ({ event, naive: accepted[index]! }))
}

// 2. Streamed.

type Subject = { readonly view: ViewPlan; readonly definition: FeatureView; readonly made: Scenario }
type Key = { state: KeyState; readonly naive: readonly unknown[] }

function checkStreamed({ view, definition, made }: Subject, pairs: readonly Pair[], choice: Choices): void {
  const keys = new Map<string, Key>()
  pairs.forEach(({ event, naive }, index) => {
    const projected = view.project(event)
    const naiveKeyValues = naiveKey(definition, naive.row)
    assert.equal(projected.outcome === 'unkeyed', naiveKeyValues === null)
    if (projected.outcome !== 'applied') return
    const name = Buffer.from(projected.key).toString('hex')
    const key = keys.get(name) ?? { state: makeKeyState(view.program), naive: naiveKeyValues! }
    keys.set(name, key)
    assert.deepEqual(key.naive, naiveKeyValues)
    applyEvent(view.program, key.state, projected.event)
    const deed = choose(choice, 12)
    if (deed === 0) key.state = decodeState(view.program, encodeState(view.program, key.state))
    if (deed === 1) checkKey({ view, definition, made }, key, pairs.slice(0, index + 1))
  })
  for (const key of keys.values()) checkKey({ view, definition, made }, key, pairs)
  const distinct = new Set([...keys.values()].map(({ naive }) => JSON.stringify(naive)))
  assert.equal(distinct.size, keys.size, 'a key has one encoding')
}

function checkKey({ view, definition, made }: Subject, { state, naive }: Key, pairs: readonly Pair[]): void {
  const accepted = pairs.map((pair) => pair.naive)
  const events = naiveEvents(definition, accepted, naive as never)
  assert.equal(state.applied, events.length)
  // The oldest instant that can still be read needs the oldest events that are still raw.
  const oldest = readableFrom(view.program, state)
  for (const t of [...made.instants, state.newest + 1, oldest, oldest - 1, oldest + 1]) {
    assertSame(readOr(view, state, t), naiveRead(definition, events, t), { view, t, path: 'streamed' })
  }
  assertSame(readOr(view, null, base(made)), naiveRead(definition, [], base(made)), { view, t: 0, path: 'no key' })
}

const base = ({ instants }: Scenario): number => instants[0] ?? 0

function readOr(view: ViewPlan, state: KeyState | null, t: number): FinishedView | 'AS_OF_TOO_OLD' {
  try {
    return readView(view, state, t)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'AS_OF_TOO_OLD') return 'AS_OF_TOO_OLD'
    throw error
  }
}

// 3. Swept.

function checkSwept({ view, definition, made }: Subject, pairs: readonly Pair[]): void {
  const accepted = pairs.map((pair) => pair.naive)
  for (const [, { events, naive }] of eventsByKey(view, definition, pairs)) {
    const columns = makeEventColumns(view.program.columns.length, view.program.keepsTies)
    for (const event of events) insertEvent(columns, event)
    const expected = naiveEvents(definition, accepted, naive as never)
    // Just after each event as well, as a training set with one row per event asks for.
    const after = expected.slice(0, 16).map(({ ts }) => ts + 1)
    const instants = [...made.instants, ...after].sort((a, b) => a - b)
    for (const swept of sweptReads(view.program, columns, instants)) {
      const { t } = swept
      assertSame(finishView(view, swept), naiveHistory(definition, expected, t), { view, t, path: 'swept' })
    }
  }
}

function eventsByKey(view: ViewPlan, definition: FeatureView, pairs: readonly Pair[]) {
  const keys = new Map<string, { events: KernelEvent[]; naive: readonly unknown[] }>()
  for (const { event, naive } of pairs) {
    const projected = view.project(event)
    if (projected.outcome !== 'applied') continue
    const name = Buffer.from(projected.key).toString('hex')
    const key = keys.get(name) ?? { events: [], naive: naiveKey(definition, naive.row)! }
    keys.set(name, key)
    key.events.push(projected.event)
  }
  return keys
}

// 4. Orders.

function checkOrders(view: ViewPlan, one: readonly Pair[], other: readonly Pair[]): void {
  assert.deepEqual(stateBytes(view, one), stateBytes(view, other), 'equal sets of events are equal bytes')
}

function stateBytes(view: ViewPlan, pairs: readonly Pair[]): ReadonlyMap<string, string> {
  const states = new Map<string, KeyState>()
  for (const { event } of pairs) {
    const projected = view.project(event)
    if (projected.outcome !== 'applied') continue
    const name = Buffer.from(projected.key).toString('hex')
    const state = states.get(name) ?? makeKeyState(view.program)
    states.set(name, state)
    applyEvent(view.program, state, projected.event)
  }
  const bytes = [...states].map(([name, state]) => {
    const encoded = encodeState(view.program, state)
    const again = encodeState(view.program, decodeState(view.program, encoded))
    assert.deepEqual(again, encoded, 'decoding and encoding changes nothing')
    return [name, Buffer.from(encoded).toString('hex')] as const
  })
  return new Map(bytes.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Keeps the order inside a partition, as any reader of the log does. */
function interleave(pairs: readonly Pair[], choice: Choices): Pair[] {
  const partitions = Map.groupBy(pairs, ({ naive }) => naive.partition)
  const queues = [...partitions.values()].map((queue) => queue.toReversed())
  return pairs.map(() => {
    const open = queues.filter((queue) => queue.length > 0)
    return open[choose(choice, open.length)]!.pop()!
  })
}

function shuffle(pairs: readonly Pair[], choice: Choices): Pair[] {
  const rest = [...pairs]
  return pairs.map(() => rest.splice(choose(choice, rest.length), 1)[0]!)
}

// Comparing.

type Where = { readonly view: ViewPlan; readonly t: number; readonly path: string }

function assertSame(actual: FinishedView | 'AS_OF_TOO_OLD', expected: NaiveRead, { view, t, path }: Where): void {
  if (typeof actual === 'string' || typeof expected === 'string') {
    assert.equal(actual, expected, `${path} as of ${t}`)
    return
  }
  view.features.forEach(({ name, text, type, nullable }, index) => {
    const value = actual.values[index]!
    const what = `${path} ${view.name}.${name} = ${text} as of ${t}`
    assertIdentical(value, expected.values[index] as FeatureValue, what)
    assert.ok(value === null ? nullable : isOfType(value, type), `${what}: ${String(value)} is not ${type.kind}`)
  })
  assert.deepEqual(actual.status, expected.status, `${path} status as of ${t}`)
  assert.equal(actual.ageMs, expected.ageMs, `${path} age as of ${t}`)
}

function assertIdentical(actual: FeatureValue, expected: FeatureValue, what: string): void {
  const same = (one: FeatureValue, other: FeatureValue): boolean =>
    Array.isArray(one) && Array.isArray(other)
      ? one.length === other.length && one.every((item, index) => same(item, other[index]))
      : Object.is(one, other)
  assert.ok(same(actual, expected), `${what}: got ${show(actual)}, expected ${show(expected)}`)
}

function isOfType(value: FeatureValue, type: ValueType): boolean {
  switch (type.kind) {
    case 'list':
      return Array.isArray(value) && value.every((item) => isOfType(item, type.of))
    case 'int':
    case 'timestamp':
      return Number.isSafeInteger(value)
    case 'float':
    case 'decimal':
      return Number.isFinite(value)
    case 'string':
    case 'boolean':
      return typeof value === type.kind
  }
}

function show(value: FeatureValue): string {
  return Object.is(value, -0) ? '-0' : JSON.stringify(value)
}
