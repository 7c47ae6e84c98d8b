import { unreachable } from '../../base/assert.ts'
import { compareStrings } from '../../base/compare.ts'
import { sweepAggregates } from '../../kernel/sweep/sweep-aggregates.ts'
import { boundsAt, type SweepColumn, type SweepInput } from '../../kernel/sweep/sweep-input.ts'
import type { SweptColumn } from '../../kernel/sweep/swept-column.ts'
import { isWarming } from '../../plan/coverage.ts'
import type { ViewPlan } from '../../plan/plan.ts'
import { finishColumns } from './finish-columns.ts'
import { numberKeys } from './key-numbers.ts'
import type { Segment } from './segment.ts'
import { type SortedRows, sortRows, sortTies } from './sort-rows.ts'

export type SweepTask = {
  /** In the order of the history and of the spine, laid out as `partition-layout.ts` says. */
  readonly events: readonly Segment[]
  readonly spine: readonly Segment[]
  /** Added to each row's instant: 1 includes the events of that very millisecond. */
  readonly plusMs: number
  /** First instant from which on the history has every event. */
  readonly coveredFrom: number
}

export type SweptPartition = {
  /** Rows of the spine, ascending. */
  readonly rows: Float64Array
  /** Per feature the value in each of these rows. */
  readonly features: readonly SweptColumn[]
  /** How many rows have a feature that events would change which the history does not have. */
  readonly warming: number
}

/** The features of one partition's rows: sorts events and rows by (key, time) and sweeps once over both. */
export function sweepPartition(view: ViewPlan, { events, spine, plusMs, coveredFrom }: SweepTask): SweptPartition {
  const keys = numberKeys(spine, events)
  const instants = joined(spine, 1).map((instant) => instant + plusMs)
  const reads = sortRows(keys.spine, instants)
  const ts = joined(events, 1)
  const sorted = sortRows(keys.events, ts)
  const tied = view.program.keepsTies ? 1 : 0
  if (tied === 1) sortTies(sorted, ts, tieOrder(events))
  const input: SweepInput = {
    ts: gather(ts, sorted.order),
    columns: view.program.columns.map(({ kind }, column) => {
      const gathered = kind === 'string' ? gatherTexts : gatherNumbers
      return gathered(events, 2 + tied + column, sorted)
    }),
    eventStarts: sorted.starts,
    instants: gather(instants, reads.order),
    readStarts: reads.starts,
  }
  const newest = newestBefore(input)
  const finished = finishColumns(view, { columns: sweepAggregates(view.program, input), newest, t: input.instants })
  let warming = 0
  for (let read = 0; read < newest.length; read++) {
    if (isWarming(view, newest[read]!, { t: input.instants[read]!, coveredFrom })) warming += 1
  }
  return { rows: joined(spine, 2), features: finished.map((column) => inRowOrder(column, reads.order)), warming }
}

/** Time of the newest event before each instant; -1 where there is none. */
function newestBefore(input: SweepInput): Float64Array {
  const { ts, eventStarts, readStarts } = input
  const bounds = boundsAt(input, 0)
  const newest = new Float64Array(bounds.length)
  for (let key = 0; key + 1 < readStarts.length; key++) {
    for (let read = readStarts[key]!; read < readStarts[key + 1]!; read++) {
      newest[read] = bounds[read] === eventStarts[key] ? -1 : ts[bounds[read]! - 1]!
    }
  }
  return newest
}

function joined(segments: readonly Segment[], column: number): Float64Array {
  const all = new Float64Array(segments.reduce((sum, { rows }) => sum + rows, 0))
  let at = 0
  for (const { rows, columns } of segments) {
    const own = columns[column]!
    if (own.kind === 'number') all.set(own.values, at)
    at += rows
  }
  return all
}

function gather(values: Float64Array, order: Int32Array): Float64Array {
  const gathered = new Float64Array(order.length)
  for (let at = 0; at < order.length; at++) gathered[at] = values[order[at]!]!
  return gathered
}

function gatherNumbers(segments: readonly Segment[], column: number, { order }: SortedRows): SweepColumn {
  return { values: gather(joined(segments, column), order), texts: null }
}

function gatherTexts(segments: readonly Segment[], column: number, { order }: SortedRows): SweepColumn {
  const { values, texts } = joinedTexts(segments, column)
  return { values: gather(values, order), texts }
}

/** Texts that several segments have become one: each row has the place of its text among all of them. */
function joinedTexts(
  segments: readonly Segment[],
  column: number,
): { readonly values: Float64Array; readonly texts: readonly string[] } {
  const values = new Float64Array(segments.reduce((sum, { rows }) => sum + rows, 0))
  const numbers = new Map<string, number>()
  let at = 0
  for (const { rows, columns } of segments) {
    const own = columns[column]!
    if (own.kind === 'text') {
      const known = Int32Array.from(own.texts.all(), (text) => {
        if (!numbers.has(text)) numbers.set(text, numbers.size)
        return numbers.get(text)!
      })
      for (let row = 0; row < rows; row++) {
        const place = own.places[row]!
        values[at + row] = place < 0 ? Number.NaN : known[place]!
      }
    }
    at += rows
  }
  return { values, texts: [...numbers.keys()] }
}

/** Ties of text are only looked at where there is something to break: mostly nowhere. */
function tieOrder(segments: readonly Segment[]): (left: number, right: number) => number {
  if (segments[0]?.columns[2]?.kind !== 'text') {
    const ties = joined(segments, 2)
    return (left, right) => ties[left]! - ties[right]!
  }
  const textOf = (row: number): string => {
    let at = row
    for (const { rows, columns } of segments) {
      const own = columns[2]
      if (at < rows && own?.kind === 'text') return own.texts.at(own.places[at]!)
      at -= rows
    }
    return unreachable(at as never)
  }
  return (left, right) => compareStrings(textOf(left), textOf(right))
}

function inRowOrder(column: SweptColumn, order: Int32Array): SweptColumn {
  if (column.kind === 'list') {
    const values = Array.from(column.values)
    for (let read = 0; read < order.length; read++) values[order[read]!] = column.values[read]!
    return { kind: 'list', values }
  }
  const values = new Float64Array(order.length)
  for (let read = 0; read < order.length; read++) values[order[read]!] = column.values[read]!
  return { ...column, values }
}
