import { compareStrings } from '../base/compare.ts'
import type { ColumnValue } from './aggregation.ts'

/** One event as the kernel sees it: its place in the order, and one value per column of the program. */
export type KernelEvent = {
  readonly ts: number
  readonly tie: string | number
  readonly values: readonly ColumnValue[]
}

/** Events in columns, sorted by (ts, tie); without ties by (ts, values), so that equal sets are equal arrays. */
export type EventColumns = {
  readonly ts: number[]
  /** Null when the program keeps no ties. */
  readonly ties: (string | number)[] | null
  readonly columns: ColumnValue[][]
}

export function makeEventColumns(columnCount: number, keepsTies: boolean): EventColumns {
  return { ts: [], ties: keepsTies ? [] : null, columns: Array.from({ length: columnCount }, () => []) }
}

/**
 * Puts an event in its place, behind those equal to it, and gives the index. Constant time for the newest, which is the
 * usual case; linear in how far back it goes.
 */
export function insertEvent(events: EventColumns, event: KernelEvent): number {
  let index = events.ts.length
  while (index > 0 && compareAt(events, index - 1, event) > 0) index -= 1
  if (index === events.ts.length) {
    events.ts.push(event.ts)
    events.ties?.push(event.tie)
    for (let column = 0; column < events.columns.length; column++) {
      events.columns[column]!.push(event.values[column]!)
    }
    return index
  }
  events.ts.splice(index, 0, event.ts)
  events.ties?.splice(index, 0, event.tie)
  for (let column = 0; column < events.columns.length; column++) {
    events.columns[column]!.splice(index, 0, event.values[column]!)
  }
  return index
}

export function eventAt({ ts, ties, columns }: EventColumns, index: number): KernelEvent {
  return { ts: ts[index]!, tie: ties?.[index] ?? 0, values: columns.map((column) => column[index]!) }
}

/** Drops the `count` oldest events. */
export function dropOldest(events: EventColumns, count: number): void {
  events.ts.splice(0, count)
  events.ties?.splice(0, count)
  for (const column of events.columns) column.splice(0, count)
}

/** Index of the first event with `ts >= instant`, searched in `[low, end)`. */
export function lowerBound(ts: readonly number[], instant: number, low = 0): number {
  let from = low
  let to = ts.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (ts[middle]! < instant) from = middle + 1
    else to = middle
  }
  return from
}

/** How the event at `index` stands to another one: before it (< 0), after it (> 0), or, without ties, equal to it. */
export function compareAt(events: EventColumns, index: number, event: KernelEvent): number {
  const ts = events.ts[index]!
  if (ts !== event.ts) return ts - event.ts
  if (events.ties !== null) return compareTies(events.ties[index]!, event.tie)
  for (let column = 0; column < events.columns.length; column++) {
    const order = compareColumnValues(events.columns[column]![index]!, event.values[column]!)
    if (order !== 0) return order
  }
  return 0
}

/** Numbers by value, text by code points. The ties of one stream are all of one kind. */
export function compareTies(left: string | number, right: string | number): number {
  if (typeof left === 'string') return compareStrings(left, String(right))
  return left - Number(right)
}

/** A total order on the values of one column: null first. */
export function compareColumnValues(left: ColumnValue, right: ColumnValue): number {
  if (left === right) return 0
  if (left === null) return -1
  if (right === null) return 1
  if (typeof left === 'string') return compareStrings(left, String(right))
  return Number(left) - Number(right)
}
