import type { ColumnType, ColumnValue } from '../aggregation.ts'
import type { EventColumns } from '../event-columns.ts'
import type { ViewProgram, WindowProgram } from '../program.ts'
import { windowEnd, windowStart } from '../window.ts'

/**
 * A column of events. Everything is a number: decimals scaled, timestamps in epoch milliseconds, booleans 0 or 1, a
 * text by its place in `texts`, and NaN, which no event can hold, for null.
 */
export type SweepColumn = { readonly values: Float64Array; readonly texts: readonly string[] | null }

/**
 * The events of many keys and the instants to read them at. Key `k` has the events `[eventStarts[k], eventStarts[k+1])`,
 * sorted by (ts, tie), and the reads `[readStarts[k], readStarts[k+1])`, by ascending instant.
 */
export type SweepInput = {
  readonly ts: Float64Array
  readonly columns: readonly SweepColumn[]
  readonly eventStarts: Int32Array
  readonly instants: Float64Array
  readonly readStarts: Int32Array
}

/**
 * The events of a window at each read: `[low, high)`. Keys lie one after the other in events and reads alike, so both
 * ends only ever go up, over all keys.
 */
export type Ranges = { readonly low: Int32Array; readonly high: Int32Array }

/** Ranges of every window of a program; ends that windows share are looked for once. */
export function rangesOf(windows: readonly WindowProgram[], input: SweepInput): Ranges[] {
  const found = new Map<string, Int32Array>()
  const once = (name: string, find: () => Int32Array): Int32Array => {
    if (!found.has(name)) found.set(name, find())
    return found.get(name)!
  }
  return windows.map((window) => {
    const { lengthMs, offsetMs, hopMs } = window
    const low = (): Int32Array => {
      if (lengthMs === null) return firstEvents(input)
      if (hopMs === undefined) return boundsAt(input, -windowStart(window, 0))
      return boundsAt({ ...input, instants: input.instants.map((t) => windowStart(window, t)) }, 0)
    }
    return {
      low: once(`from ${lengthMs} ${offsetMs} ${hopMs}`, low),
      high: once(`to ${offsetMs}`, () => boundsAt(input, -windowEnd(window, 0))),
    }
  })
}

/** At each read, where the first event of its key lies that is no older than `agoMs` before the instant. */
export function boundsAt({ ts, eventStarts, instants, readStarts }: SweepInput, agoMs: number): Int32Array {
  const bounds = new Int32Array(instants.length)
  for (let key = 0; key + 1 < readStarts.length; key++) {
    let event = eventStarts[key]!
    const end = eventStarts[key + 1]!
    const readEnd = readStarts[key + 1]!
    for (let read = readStarts[key]!; read < readEnd; read++) {
      const from = instants[read]! - agoMs
      while (event < end && ts[event]! < from) event += 1
      bounds[read] = event
    }
  }
  return bounds
}

function firstEvents({ eventStarts, instants, readStarts }: SweepInput): Int32Array {
  const bounds = new Int32Array(instants.length)
  for (let key = 0; key + 1 < readStarts.length; key++) {
    bounds.fill(eventStarts[key]!, readStarts[key]!, readStarts[key + 1]!)
  }
  return bounds
}

/** The same events as aggregations take them. Where an event stands breaks ties as its own tie would. */
export function eventColumnsOf({ columns }: ViewProgram, input: SweepInput): EventColumns {
  return {
    ts: Array.from(input.ts),
    ties: Array.from(input.ts, (_, place) => place),
    columns: columns.map((type, index) => plainValues(type, input.columns[index]!)),
  }
}

function plainValues({ kind }: ColumnType, { values, texts }: SweepColumn): ColumnValue[] {
  return Array.from(values, (value): ColumnValue => {
    if (Number.isNaN(value)) return null
    if (kind === 'boolean') return value === 1
    return texts === null ? value : texts[value]!
  })
}
