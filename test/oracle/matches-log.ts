/**
 * Holds a running engine against its own log: the raw records are read again, judged and aggregated by the naive
 * model, and everything the engine says or wrote must follow from them.
 */
import assert from 'node:assert/strict'
import { MillraceError } from '../../src/base/faults.ts'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import type { Stream } from '../../src/definition/stream.ts'
import type { KeyState } from '../../src/kernel/key-state.ts'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { type ForgottenEntity, forgottenKey, forgottenTopic } from '../../src/plan/forgotten.ts'
import { readView } from '../../src/plan/finish-view.ts'
import type { Plan, ViewPlan } from '../../src/plan/plan.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import type { EngineCounts } from '../../src/stream/engine-types.ts'
import { deadLetterTopic, lateTopic } from '../../src/plan/topics.ts'
import { readRejection } from '../../src/stream/outputs.ts'
import {
  evaluate,
  historyPartition,
  naiveEvents,
  type NaiveEvent,
  naiveKey,
  naiveRead,
  naiveVerdicts,
  type Value,
} from './naive.ts'

export type Subject = {
  readonly plan: Plan
  readonly log: Log
  readonly views: readonly FeatureView[]
  readonly engine: {
    readonly counts: EngineCounts
    state(view: ViewPlan, key: Uint8Array): KeyState | null
  }
}

/** What was compared, so that a test can say that it was not nothing. */
export type Tally = { records: number; keys: number; values: number; deadLetters: number; late: number }

/** `instantsMs`: how far before one past a key's newest event to read it. */
export async function assertMatchesLog(subject: Subject, instantsMs: readonly number[]): Promise<Tally> {
  const tally: Tally = { records: 0, keys: 0, values: 0, deadLetters: 0, late: 0 }
  const streams = new Set(subject.views.map(({ from }) => from))
  const rejected = { refused: [] as string[], late: [] as string[] }
  const forgettings = await readForgettings(subject.log)
  for (const stream of streams) {
    const judged = await judge(subject, stream)
    rejected.refused.push(...judged.rejected.refused)
    rejected.late.push(...judged.rejected.late)
    tally.records += judged.records
    for (const view of subject.views) {
      if (view.from !== stream) continue
      const forgotten = forgottenOf(view, judged.accepted, forgettings)
      assertViewCounts(subject, view, { accepted: judged.accepted, forgotten })
      assertValues(subject, view, { accepted: judged.accepted, forgotten, instantsMs, tally })
    }
  }
  await assertOutput(subject.log, deadLetterTopic, rejected.refused)
  await assertOutput(subject.log, lateTopic, rejected.late)
  return { ...tally, deadLetters: rejected.refused.length, late: rejected.late.length }
}

/** Every record of a partition, from its start. */
export async function readPartition(log: Log, topic: string, partition: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  for (let offset = log.start(topic, partition); offset < log.end(topic, partition); ) {
    const read = await log.read(topic, partition, offset, 1024 * 1024)
    records.push(...read.records)
    offset = read.next
  }
  return records
}

type Judged = {
  readonly records: number
  readonly accepted: readonly NaiveEvent[]
  /** As `assertOutput` wants them. */
  readonly rejected: { readonly refused: string[]; readonly late: string[] }
}

/** Judges one stream as the naive model does, and holds the engine's counters against it. */
async function judge(subject: Subject, stream: Stream): Promise<Judged> {
  const own = await judgeTopic(subject, stream, { topic: stream.topic, numberOf: (partition) => partition })
  if (stream.history === undefined) return own
  const topic = stream.history.topic ?? `history.${stream.topic}`
  const past = await judgeTopic(subject, stream, { topic, numberOf: historyPartition })
  return {
    records: own.records + past.records,
    accepted: [...past.accepted, ...own.accepted],
    rejected: {
      refused: [...past.rejected.refused, ...own.rejected.refused],
      late: [...past.rejected.late, ...own.rejected.late],
    },
  }
}

type Topic = { readonly topic: string; readonly numberOf: (partition: number) => number }

async function judgeTopic({ log, engine }: Subject, stream: Stream, { topic, numberOf }: Topic): Promise<Judged> {
  const { partitions } = log.topics().find((one) => one.topic === topic)!
  const accepted: NaiveEvent[] = []
  const rejected = { refused: [] as string[], late: [] as string[] }
  let total = 0
  for (let partition = 0; partition < partitions; partition++) {
    const all = (await readPartition(log, topic, partition)).map((record) => ({
      ...record,
      partition: numberOf(partition),
    }))
    const marked = all.findIndex(isMark)
    assert.ok(marked < 0 || marked === all.length - 1, 'nothing follows the end mark of a history')
    const records = marked < 0 ? all : all.slice(0, marked)
    total += records.length
    const judged = naiveVerdicts(stream, records)
    accepted.push(...judged.accepted)
    const counts = { records: records.length, accepted: 0, duplicate: 0, late: 0, refused: 0 }
    judged.verdicts.forEach((verdict, index) => {
      counts[verdict] += 1
      if (verdict === 'refused' || verdict === 'late')
        rejected[verdict].push(describe(stream, { ...records[index]!, topic, partition }))
    })
    const found = engine.counts.sources.find(
      (one) => one.stream === stream.name && one.topic === topic && one.partition === partition,
    )
    assert.ok(found !== undefined)
    const where = `counters of ${stream.name}, ${topic}/${partition}`
    assert.deepEqual({ ...found, ...counts }, found, where)
    assert.equal(found.next, log.end(topic, partition), where)
    const newest = Math.max(-1, ...judged.accepted.map(({ ts }) => ts))
    assert.equal(found.watermark, marked < 0 ? newest : Date.parse(stream.history!.until), where)
    assert.equal(found.conflicts, countConflicts(stream, { records, ...judged }), where)
  }
  return { records: total, accepted, rejected }
}

type SourceRecord = LogRecord & { readonly partition: number }

/** Duplicates whose bytes differ from those of the newest accepted record of their id. */
function countConflicts(
  stream: Stream,
  judged: {
    records: readonly SourceRecord[]
    verdicts: readonly string[]
    accepted: readonly NaiveEvent[]
    needless: ReadonlySet<number>
  },
): number {
  const firsts = new Map<Value, Uint8Array>()
  const idAt = new Map(judged.accepted.map(({ offset, id }) => [offset, id]))
  let conflicts = 0
  judged.records.forEach(({ offset, value }, index) => {
    if (judged.verdicts[index] === 'accepted') firsts.set(idAt.get(offset)!, value!)
    if (judged.verdicts[index] !== 'duplicate') return
    if (judged.needless.has(index)) return
    const path = (stream.fields[stream.id!]!.path ?? stream.id!).split('.')
    const event: unknown = JSON.parse(Buffer.from(value!).toString())
    const id = path.reduce<unknown>((at, step) => (at as { readonly [step: string]: unknown })[step], event)
    if (Buffer.compare(firsts.get(id as Value)!, value!) !== 0) conflicts += 1
  })
  return conflicts
}

async function readForgettings(log: Log): Promise<readonly ForgottenEntity[]> {
  if (!log.topics().some(({ topic }) => topic === forgottenTopic)) return []
  const records = await readPartition(log, forgottenTopic, 0)
  return records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as ForgottenEntity)
}

/** Those whose entity was forgotten after they were in the log. */
function forgottenOf(
  view: FeatureView,
  accepted: readonly NaiveEvent[],
  forgettings: readonly ForgottenEntity[],
): ReadonlySet<NaiveEvent> {
  const own = forgettings.filter(({ entity }) => entity === view.entity.name)
  const forgotten = new Set<NaiveEvent>()
  if (own.length === 0) return forgotten
  const kinds = Object.keys(view.entity.keys).map((name) => view.from.fields[view.keys[name]!]!.kind)
  for (const event of accepted) {
    const key = naiveKey(view, event.row)
    if (key === null) continue
    const hash = forgottenKey(encodeKey(kinds, key as string[]))
    const reaches = ({ key: other, prefix }: ForgottenEntity): boolean =>
      other === hash && event.offset < (prefix[view.from.topic]?.[event.partition] ?? 0)
    if (own.some(reaches)) forgotten.add(event)
  }
  return forgotten
}

function assertViewCounts(
  { engine }: Subject,
  view: FeatureView,
  { accepted, forgotten }: { accepted: readonly NaiveEvent[]; forgotten: ReadonlySet<NaiveEvent> },
): void {
  const expected = { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 }
  for (const event of accepted) {
    const { row } = event
    const passes = view.where === null || evaluate(view.where, (leaf) => row[(leaf as { name: string }).name]!) === true
    const outcome = naiveKey(view, row) === null ? 'unkeyed' : passes ? 'applied' : 'filtered'
    expected[outcome === 'applied' && forgotten.has(event) ? 'forgotten' : outcome] += 1
  }
  assert.deepEqual(engine.counts.views[view.name], expected, `counters of view ${view.name}`)
}

type Values = {
  readonly accepted: readonly NaiveEvent[]
  readonly forgotten: ReadonlySet<NaiveEvent>
  readonly instantsMs: readonly number[]
  readonly tally: Tally
}

function assertValues(
  { plan, engine }: Subject,
  view: FeatureView,
  { accepted, forgotten, instantsMs, tally }: Values,
): void {
  const compiled = plan.views.find(({ name }) => name === view.name)!
  // The model scans all events for every key; it is given those of the key only, and filters them once more.
  const byKey = Map.groupBy(accepted, ({ row }) => JSON.stringify(naiveKey(view, row)))
  for (const [text, ofKey] of byKey) {
    const key = JSON.parse(text) as Value[] | null
    if (key === null) continue
    const events = naiveEvents(
      view,
      ofKey.filter((event) => !forgotten.has(event)),
      key,
    )
    const state = engine.state(compiled, encodeKey(kindsOf(compiled), key as string[]))
    assert.equal(state?.applied ?? 0, events.length, `events of ${view.name} ${text}`)
    const newest = events.at(-1)?.ts ?? Math.max(...ofKey.map(({ ts }) => ts))
    for (const beforeMs of instantsMs) {
      const t = newest + 1 - beforeMs
      assert.deepEqual(readOr(compiled, state, t), naiveRead(view, events, t), `${view.name} ${text} as of ${t}`)
      tally.values += compiled.features.length
    }
    tally.keys += 1
  }
}

const kindsOf = (view: ViewPlan) => view.keys.map(({ field }) => field.kind)

/** Strict deep equality tells 0 from -0, and compares every bit of a number otherwise. */
function readOr(view: ViewPlan, state: KeyState | null, t: number): unknown {
  try {
    const { values, status, ageMs } = readView(view, state, t)
    return { values: [...values], status: [...status], ageMs }
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'AS_OF_TOO_OLD') return 'AS_OF_TOO_OLD'
    throw error
  }
}

/** Each rejected record is in the output topic once, with its raw bytes, and nothing else is. */
async function assertOutput(log: Log, topic: string, expected: readonly string[]): Promise<void> {
  const found: string[] = []
  const partitions = log.topics().find((one) => one.topic === topic)?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    for (const record of await readPartition(log, topic, partition)) {
      const { stream, topic: source, partition: from, offset, raw, timestampMs } = readRejection(record)
      found.push(`${stream} ${source}/${from}@${offset} ${timestampMs} ${raw === null ? null : hex(raw)}`)
    }
  }
  const times = Map.groupBy(found, (one) => one)
  const doubled = [...times].filter(([, copies]) => copies.length > 1).map(([one]) => one)
  const lost = expected.filter((one) => !times.has(one))
  const wanted = new Set(expected)
  const strange = found.filter((one) => !wanted.has(one))
  assert.deepEqual({ topic, doubled, lost, strange }, { topic, doubled: [], lost: [], strange: [] })
}

function isMark({ value, headers }: LogRecord): boolean {
  return value === null && headers.some(([name]) => name === 'millrace.history-complete')
}

type Place = SourceRecord & { readonly topic: string }

function describe(stream: Stream, { topic, partition, offset, timestampMs, value }: Place): string {
  return `${stream.name} ${topic}/${partition}@${offset} ${timestampMs} ${value === null ? null : hex(value)}`
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
