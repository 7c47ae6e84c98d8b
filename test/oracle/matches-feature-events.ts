/**
 * Holds what an engine emitted against its own log: the raw records are judged and aggregated by the naive model, and
 * every record of `feature-events.<view>` must follow from them. Read as anybody would: JSON and headers, no decoder
 * of ours.
 */
import assert from 'node:assert/strict'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import type { Stream } from '../../src/definition/stream.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { readPartition } from './matches-log.ts'
import { evaluate, naiveEvents, type NaiveEvent, naiveHistory, naiveKey, naiveVerdicts, type Value } from './naive.ts'

type Json = { readonly [name: string]: unknown }
export type EmittedRecord = {
  readonly partition: number
  readonly record: LogRecord
  readonly key: string
  readonly event: Json & {
    readonly keys: { readonly [name: string]: Value }
    readonly features: { readonly [name: string]: unknown }
    readonly status?: unknown
    readonly source?: { readonly topic: string; readonly partition: number; readonly offset: number }
    readonly window_end: string
    readonly events?: number
    readonly correction?: boolean
  }
}

export async function readEmitted(log: Log, view: string): Promise<EmittedRecord[]> {
  const topic = `feature-events.${view}`
  const found: EmittedRecord[] = []
  for (let partition = 0; partition < partitionsOf(log, topic); partition++) {
    for (const record of await readPartition(log, topic, partition)) {
      const event = JSON.parse(Buffer.from(record.value!).toString()) as EmittedRecord['event']
      found.push({ partition, record, key: Buffer.from(record.key!).toString(), event })
    }
  }
  return found
}

const partitionsOf = (log: Log, topic: string): number =>
  log.topics().find((one) => one.topic === topic)?.partitions ?? 0

/** What was compared, so that a test can say that it was not nothing. */
export type EmittedTally = { records: number; corrections: number; fromSeveral: number }

export type EmittedSubject = {
  readonly log: Log
  readonly view: FeatureView
  /** Of the plan, as far as records have it; null: of several. */
  readonly plan: string | null
}

type Judged = { readonly accepted: readonly NaiveEvent[]; readonly partitions: number }

async function judge(log: Log, stream: Stream): Promise<Judged> {
  const accepted: NaiveEvent[] = []
  const partitions = partitionsOf(log, stream.topic)
  for (let partition = 0; partition < partitions; partition++) {
    const records = (await readPartition(log, stream.topic, partition)).map((record) => ({ ...record, partition }))
    accepted.push(...naiveVerdicts(stream, records).accepted)
  }
  return { accepted, partitions }
}

/** The key of an event that is applied to the view, as the JSON of a record's key; null: it is not. */
function keyText(view: FeatureView, { row }: NaiveEvent): string | null {
  const key = naiveKey(view, row)
  if (key === null) return null
  if (view.where !== null && evaluate(view.where, (leaf) => row[(leaf as { name: string }).name]!) !== true) return null
  return JSON.stringify(Object.fromEntries(Object.keys(view.entity.keys).map((name, index) => [name, key[index]!])))
}

/** The applied events of each key. */
function byKeyOf(view: FeatureView, accepted: readonly NaiveEvent[]): [key: string, events: NaiveEvent[]][] {
  return [...Map.groupBy(accepted, (event) => keyText(view, event))].flatMap(([key, events]) =>
    key === null ? [] : [[key, events]],
  )
}

type Values = { readonly features: unknown; readonly status: unknown }

/** What a reader of JSON sees of the values as of `t`. */
function expected(view: FeatureView, events: readonly NaiveEvent[], t: number): Values {
  const { values, status } = naiveHistory(view, events, t)
  const names = Object.keys(view.features)
  const features: unknown = JSON.parse(JSON.stringify(Object.fromEntries(names.map((name, at) => [name, values[at]]))))
  const told = names
    .map((name, index) => [name, status[index]!] as const)
    .filter(([, one]) => one !== 'PRESENT' && one !== 'NULL_VALUE')
  return { features, status: told.length === 0 ? undefined : Object.fromEntries(told) }
}

const sorted = (view: FeatureView, events: readonly NaiveEvent[], key: string): NaiveEvent[] =>
  naiveEvents(view, events, Object.values(JSON.parse(key) as { [name: string]: Value }))

/**
 * After each applied event exactly one record, with the values as of one past it at that prefix. Where the events of
 * a key come from several partitions: at one of the prefixes that can have been.
 */
export async function assertPerEvent({ log, view, plan }: EmittedSubject): Promise<EmittedTally> {
  const { accepted } = await judge(log, view.from)
  const emitted = new Map<string, EmittedRecord>()
  for (const one of await readEmitted(log, view.name)) {
    const { topic, partition, offset } = one.event.source!
    assert.equal(topic, view.from.topic)
    assert.ok(!emitted.has(`${partition}@${offset}`), `${view.name}: twice for ${partition}@${offset}`)
    emitted.set(`${partition}@${offset}`, one)
  }
  const tally = { records: 0, corrections: 0, fromSeveral: 0 }
  for (const [key, events] of byKeyOf(view, accepted)) {
    for (const event of events) {
      const place = `${event.partition}@${event.offset}`
      const found = emitted.get(place)
      assert.ok(found !== undefined, `${view.name}: nothing for ${place}`)
      emitted.delete(place)
      tally.records += 1
      const own = events.filter(({ partition, offset }) => partition === event.partition && offset <= event.offset)
      const others = events.filter(({ partition }) => partition !== event.partition)
      if (others.length > 0) tally.fromSeveral += 1
      const { features, status } = found.event
      const got = { features, status }
      const of = (more: readonly NaiveEvent[]): Values =>
        expected(view, sorted(view, [...own, ...more], key), event.ts + 1)
      const where = `${view.name} ${key} after ${place}`
      if (others.length === 0) assert.deepEqual(got, of([]), where)
      else
        assert.ok(
          prefixes(others).some((more) => JSON.stringify(of(more)) === JSON.stringify(got)),
          where,
        )
      assertCommon(found, { view, plan, key, asOf: event.ts + 1, eventTime: event.ts })
      assert.equal(found.record.timestampMs, event.ts)
    }
  }
  assert.deepEqual([...emitted.keys()], [], `${view.name}: for no event`)
  return tally
}

/** Everything that may have been taken of some events, each partition in its order. */
function prefixes(events: readonly NaiveEvent[]): NaiveEvent[][] {
  let all: NaiveEvent[][] = [[]]
  for (const own of Map.groupBy(events, ({ partition }) => partition).values()) {
    all = all.flatMap((before) =>
      Array.from({ length: own.length + 1 }, (_, count) => [...before, ...own.slice(0, count)]),
    )
  }
  return all
}

export type IntervalOptions = { readonly everyMs: number; readonly corrections: 'none' | 'some' }

/**
 * Of every interval that is over, for each key with an event in it: the last record has the values of all events
 * before its end. Nothing is said twice. Without corrections there is exactly one record, and none of other intervals.
 */
export async function assertPerInterval(
  { log, view, plan }: EmittedSubject,
  { everyMs, corrections }: IntervalOptions,
): Promise<EmittedTally> {
  const { accepted, partitions } = await judge(log, view.from)
  const emitted = Map.groupBy(
    await readEmitted(log, view.name),
    ({ key, event }) => `${key} ${Date.parse(event.window_end)}`,
  )
  const complete = completeBefore(view, accepted, partitions)
  const tally = { records: 0, corrections: 0, fromSeveral: 0 }
  for (const [key, events] of byKeyOf(view, accepted)) {
    const ends = new Set(events.map(({ ts }) => (Math.floor(ts / everyMs) + 1) * everyMs))
    if (new Set(events.map(({ partition }) => partition)).size > 1) tally.fromSeveral += 1
    for (const end of ends) {
      const name = `${key} ${end}`
      const found = emitted.get(name) ?? []
      if (end > complete) {
        if (corrections === 'none') assert.equal(found.length, 0, `${view.name} ${name}: not over yet`)
        emitted.delete(name)
        continue
      }
      emitted.delete(name)
      assert.ok(found.length > 0, `${view.name} ${name}: nothing`)
      if (corrections === 'none') assert.equal(found.length, 1, `${view.name} ${name}: once`)
      assertSequence(found, name)
      const last = found.at(-1)!
      const before = sorted(view, events, key).filter(({ ts }) => ts < end)
      const { features, status } = last.event
      assert.deepEqual({ features, status }, expected(view, before, end), `${view.name} ${name}`)
      assert.equal(last.event.events, before.length)
      assertCommon(last, { view, plan, key, asOf: end, eventTime: before.at(-1)!.ts })
      assert.equal(last.record.timestampMs, end)
      tally.records += found.length
      tally.corrections += found.length - 1
    }
  }
  assert.deepEqual([...emitted.keys()], [], `${view.name}: of no interval`)
  return tally
}

/** Where every partition's watermark is past by the lateness; those that never accepted anything have no say. */
function completeBefore(view: FeatureView, accepted: readonly NaiveEvent[], partitions: number): number {
  const watermarks = Array.from({ length: partitions }, (_, index) =>
    Math.max(-1, ...accepted.filter(({ partition }) => partition === index).map(({ ts }) => ts)),
  )
  const latenessMs =
    Number.parseInt(view.from.lateness, 10) * { ms: 1, s: 1e3, m: 6e4 }[/[a-z]+/.exec(view.from.lateness)![0] as 's']
  return Math.min(...watermarks.filter((one) => one >= 0)) - latenessMs
}

/** Of one key and end: never the same twice, and never fewer events than before. */
function assertSequence(found: readonly EmittedRecord[], name: string): void {
  const said = found.map(({ event: { events, features, status } }) => JSON.stringify([events, features, status]))
  assert.equal(new Set(said).size, said.length, `${name}: the same twice`)
  assert.ok(new Set(found.map(({ partition }) => partition)).size === 1, `${name}: in one partition`)
  const counts = found.map(({ event }) => event.events!)
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => a - b),
    `${name}: in order`,
  )
  for (const one of found.slice(1)) assert.equal(one.event.correction, true, `${name}: a correction`)
}

type Common = {
  readonly view: FeatureView
  readonly plan: string | null
  readonly key: string
  readonly asOf: number
  readonly eventTime: number
}

function assertCommon({ key, event }: EmittedRecord, wanted: Common): void {
  assert.equal(key, wanted.key)
  assert.deepEqual(event.keys, JSON.parse(wanted.key))
  assert.equal(event['view'], wanted.view.name)
  assert.equal(event['as_of'], new Date(wanted.asOf).toISOString())
  assert.equal(event.window_end, event['as_of'])
  assert.equal(event['event_time'], new Date(wanted.eventTime).toISOString())
  if (wanted.plan !== null) assert.equal(event['plan'], wanted.plan.slice(0, 12))
}
