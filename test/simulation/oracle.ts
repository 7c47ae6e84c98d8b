/**
 * What the engine must have said, by the naive model: from the records that the ledger holds, at the end of a run.
 * Reads are noted when they are made, each with the prefix that it reported, and judged here.
 */
import { deepStrictEqual } from 'node:assert'
import { MillraceError } from '../../src/base/faults.ts'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import type { Stream } from '../../src/definition/stream.ts'
import { sha256 } from '../../src/base/hash.ts'
import type { ForgottenEntity } from '../../src/plan/forgotten.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import type { LogRecord } from '../../src/log/log.ts'
import type { Vector } from '../../src/serve/vector-reader.ts'
import type { EngineCounts } from '../../src/stream/engine-types.ts'
import {
  evaluate,
  type NaiveEvent,
  naiveEvents,
  naiveKey,
  naiveRead,
  type NaiveVerdict,
  naiveVerdicts,
  type Value,
} from '../oracle/naive.ts'
import type { Definitions } from './definitions.ts'
import { type Ledger, sameBytes } from './ledger.ts'
import { violation } from './violation.ts'

/** Next offset per partition of each stream. */
export type Prefix = { readonly [stream: string]: readonly number[] }

/** What an engine has read since its state was last empty begins here: 0, or later where retention came first. */
export type Base = Prefix

export type NotedRead = {
  readonly definitions: Definitions
  readonly view: string
  readonly key: readonly Value[]
  readonly asOf: number | 'latest'
  readonly base: Base
  readonly prefix: Prefix
  /** Of what was ever forgotten, in order: so many had their effect for certain, and so many at most. */
  readonly forgotten: { readonly least: number; readonly most: number }
  readonly answer: Vector | MillraceError
  /** When it was made, for the message. */
  readonly step: number
}

/** A record that a stream rejected. */
export type Rejected = {
  readonly kind: 'refused' | 'late'
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly record: LogRecord
}

type Judged = {
  readonly verdicts: readonly NaiveVerdict[]
  readonly accepted: readonly NaiveEvent[]
  readonly from: number
}

export class Oracle {
  readonly #ledger: Ledger
  readonly #forgotten: readonly ForgottenEntity[]
  readonly #judged = new Map<string, Judged>()

  /** The ledger must not grow any more. */
  constructor(ledger: Ledger, forgotten: readonly ForgottenEntity[]) {
    this.#ledger = ledger
    this.#forgotten = forgotten
  }

  /** What is being forgotten just now may have had its effect or not. */
  checkRead(read: NotedRead): void {
    const { least, most } = read.forgotten
    for (let count = least; ; count++) {
      try {
        this.#checkRead(read, this.#forgotten.slice(0, count))
        return
      } catch (error) {
        if (count >= Math.min(most, this.#forgotten.length)) throw error
      }
    }
  }

  #checkRead(read: NotedRead, forgotten: readonly ForgottenEntity[]): void {
    const view = read.definitions.views.find(({ name }) => name === read.view)!
    const all = naiveEvents(view, this.accepted(view.from, read.base, read.prefix), read.key)
    const events = all.filter((event) => !isForgotten(view, event, forgotten))
    const newest = events.at(-1)?.ts ?? -1
    const asOf = read.asOf === 'latest' ? newest + 1 : read.asOf
    const expected = naiveRead(view, events, asOf)
    const where = () =>
      `${read.view} ${JSON.stringify(read.key)} as of ${read.asOf}, read at step ${read.step} at ${JSON.stringify(read.prefix)} from ${JSON.stringify(read.base)}`
    const { answer } = read
    if (answer instanceof MillraceError) {
      if (expected !== 'AS_OF_TOO_OLD' || answer.code !== 'AS_OF_TOO_OLD') {
        violation('a read is the model of its prefix', `${where()}: ${answer.message}`)
      }
      return
    }
    // Where retention came before the engine, it says of what it found that it is not all.
    const warms = Object.values(read.base)
      .flat()
      .some((from) => from > 0)
    const status = answer.status.map((one, index) =>
      warms && one === 'WARMING' && expected !== 'AS_OF_TOO_OLD' ? expected.status[index] : one,
    )
    const found = { values: [...answer.values], status, ageMs: answer.ageMs[0] ?? null }
    if (answer.asOf !== asOf)
      violation('a read is as of the instant it says', `${where()}: ${answer.asOf}, not ${asOf}`)
    expectEqual(found, expected, { property: 'a read is the model of its prefix', where })
  }

  /** Law 4 and everything else that is counted, for an engine that has read all there is. */
  checkCounts(counts: EngineCounts, { streams, views }: Definitions, base: Base): void {
    const prefix: { [stream: string]: number[] } = {}
    for (const { stream: name, partition, topic: _topic, ...found } of counts.sources) {
      const stream = streams.find((one) => one.name === name)!
      const records = this.#ledger.records({ topic: stream.topic, partition })
      const judged = this.#judge(stream, partition, base[name]?.[partition] ?? 0)
      const expected = {
        next: records.length,
        watermark: Math.max(-1, ...judged.accepted.map(({ ts }) => ts)),
        records: judged.verdicts.length,
        accepted: 0,
        duplicate: 0,
        late: 0,
        refused: 0,
        conflicts: countConflicts(stream, judged, records),
      }
      for (const verdict of judged.verdicts) expected[verdict] += 1
      expectEqual(found, expected, { property: 'counters are those of the model', where: () => `${name}/${partition}` })
      prefix[name] ??= []
      prefix[name][partition] = records.length
    }
    for (const view of views) {
      const expected = { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 }
      for (const event of this.accepted(view.from, base, prefix)) {
        const outcome = outcomeOf(view, event.row)
        expected[outcome === 'applied' && isForgotten(view, event, this.#forgotten) ? 'forgotten' : outcome] += 1
      }
      const found = counts.views[view.name]
      expectEqual(found, expected, { property: 'counters are those of the model', where: () => view.name })
    }
  }

  /** Every key of a view that the model knows, and one that it does not. */
  keysOf(view: FeatureView, base: Base): readonly (readonly Value[])[] {
    const events = this.accepted(view.from, base, this.#everything(view.from))
    const keys = new Map(events.map(({ row }) => [JSON.stringify(naiveKey(view, row)), naiveKey(view, row)]))
    return [...keys.values()].filter((key) => key !== null)
  }

  /** The times of the events of a key. */
  instantsOf(view: FeatureView, base: Base, key: readonly Value[]): readonly number[] {
    return naiveEvents(view, this.accepted(view.from, base, this.#everything(view.from)), key).map(({ ts }) => ts)
  }

  accepted(stream: Stream, base: Base, prefix: Prefix): NaiveEvent[] {
    return prefix[stream.name]!.flatMap((next, partition) =>
      this.#judge(stream, partition, base[stream.name]?.[partition] ?? 0).accepted.filter(
        ({ offset }) => offset < next,
      ),
    )
  }

  /** What every stream rejects of the records from its base on. */
  rejected({ streams }: Definitions, base: Base): Rejected[] {
    return streams.flatMap((stream) =>
      // Streams that are not served just now have no base: where definitions change, all began at the log's start.
      (base[stream.name] ?? this.#zeros(stream)).flatMap((from, partition) => {
        const { topic, name } = stream
        const records = this.#ledger.records({ topic, partition })
        return this.#judge(stream, partition, from).verdicts.flatMap((verdict, index): Rejected[] => {
          if (verdict !== 'refused' && verdict !== 'late') return []
          return [{ kind: verdict, stream: name, topic, partition, record: records[from + index]! }]
        })
      }),
    )
  }

  #zeros({ topic }: Stream): readonly number[] {
    return this.#ledger.topics.flatMap((place) => (place.topic === topic ? [place.partition] : [])).map(() => 0)
  }

  #everything(stream: Stream): Prefix {
    const partitions = Array.from({ length: 8 }, (_, partition) => this.#ledger.end({ topic: stream.topic, partition }))
    return { [stream.name]: partitions.slice(0, partitions.findLastIndex((end) => end > 0) + 1) }
  }

  #judge(stream: Stream, partition: number, from: number): Judged {
    const { topic, id, lateness, dedupe, future } = stream
    const name = [topic, id, lateness, dedupe, future, partition, from].join(' ')
    const known = this.#judged.get(name)
    if (known !== undefined) return known
    const records = this.#ledger.records({ topic: stream.topic, partition })
    const judged = {
      ...naiveVerdicts(
        stream,
        records.slice(from).map((record) => ({ ...record, partition })),
      ),
      from,
    }
    this.#judged.set(name, judged)
    return judged
  }
}

/** Whether an event counts nowhere any more in a view: its entity was forgotten after it. */
function isForgotten(view: FeatureView, event: NaiveEvent, forgotten: readonly ForgottenEntity[]): boolean {
  if (forgotten.length === 0) return false
  const key = naiveKey(view, event.row)
  if (key === null) return false
  const kinds = Object.values(view.entity.keys).map(({ kind }) => kind)
  const name = sha256(encodeKey(kinds, key as string[]))
  return forgotten.some(
    (one) =>
      one.entity === view.entity.name &&
      one.key === name &&
      event.offset < (one.prefix[view.from.topic]?.[event.partition] ?? 0),
  )
}

function outcomeOf(view: FeatureView, row: NaiveEvent['row']): 'applied' | 'filtered' | 'unkeyed' {
  if (naiveKey(view, row) === null) return 'unkeyed'
  if (view.where === null) return 'applied'
  const passes = evaluate(view.where, (leaf) => row[(leaf as { readonly name: string }).name]!)
  return passes === true ? 'applied' : 'filtered'
}

/** Duplicates whose bytes differ from those of the newest accepted record of their id. */
function countConflicts(stream: Stream, judged: Judged, records: readonly LogRecord[]): number {
  if (stream.id === null) return 0
  const firsts = new Map<Value, Uint8Array | null>()
  const idAt = new Map(judged.accepted.map(({ offset, id }) => [offset, id]))
  let conflicts = 0
  judged.verdicts.forEach((verdict, index) => {
    const { offset, value } = records[judged.from + index]!
    if (verdict === 'accepted') firsts.set(idAt.get(offset)!, value)
    if (verdict !== 'duplicate') return
    const { id } = JSON.parse(Buffer.from(value!).toString()) as { readonly id: string }
    if (!sameBytes(firsts.get(id)!, value)) conflicts += 1
  })
  return conflicts
}

export function expectEqual(
  found: unknown,
  expected: unknown,
  { property, where }: { readonly property: string; readonly where: () => string },
): void {
  try {
    deepStrictEqual(found, expected)
  } catch {
    violation(property, `${where()}\n  found    ${JSON.stringify(found)}\n  expected ${JSON.stringify(expected)}`)
  }
}
