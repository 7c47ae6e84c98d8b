import type { TallyPart } from '../aggregation.ts'
import type { AggregateProgram, ViewProgram, WindowProgram } from '../program.ts'
import { layoutOf } from '../slab/row-layout.ts'

/**
 * How the windows of a view are read in one pass over the rows of a key, as far as its aggregations can be told from a
 * few doubles (`Tally`).
 *
 * Windows that end at the same instant lie in each other: the pass goes back from their end, and what it has found when
 * it comes to the start of a window is that window's. So it costs the longest window, whatever the number of windows.
 */
export type ScanPlan = {
  readonly width: number
  readonly groups: readonly ScanGroup[]
  /** By aggregate: whether a pass finds what it needs. */
  readonly tallied: readonly boolean[]
}

/** Windows of one end. */
export type ScanGroup = {
  /** Indexes into the program, the one that starts last at first. */
  readonly windows: readonly number[]
  readonly channels: readonly ScanChannel[]
}

/** Inputs through a filter, and what is found out about them. */
export type ScanChannel = {
  /** Places in a row; a null input lets every row in, as a null filter does. */
  readonly input: number | null
  readonly filter: number | null
  readonly needs: ReadonlySet<TallyPart>
  /** Which aggregates take it, after the pass came to the start of which of the group's windows. */
  readonly takers: readonly { readonly aggregate: number; readonly segment: number }[]
  /** The last of these windows. */
  readonly reach: number
}

/**
 * Reads the tallies of a key's rows. The rows begin at `at`; `bounds` has the numbers of the first row inside and the
 * first row behind each window, and `out` gets `tallySize` doubles per tallied aggregate.
 */
export type Scan = (rows: Float64Array, at: number, bounds: Int32Array, out: Float64Array) => void

/** Where in `out` the parts of an aggregate's tally lie: `tallySize` doubles for each. */
export const tallySize = 6
export const tallyCount = 0
export const tallySum = 1
export const tallyMagnitude = 2
export const tallySquares = 3
export const tallyLeast = 4
export const tallyGreatest = 5

export function makeScanPlan(program: ViewProgram): ScanPlan {
  const { width, first } = layoutOf(program)
  const tallied = program.aggregates.map((aggregate) => isTallied(program, aggregate))
  const used = [...new Set(program.aggregates.flatMap(({ window }, index) => (tallied[index] === true ? window : [])))]
  const groups = Map.groupBy(used, (window) => endOf(program.windows[window]!))
  return {
    width,
    tallied,
    groups: [...groups.values()].map((windows) => {
      windows.sort((a, b) => lengthOf(program.windows[a]!) - lengthOf(program.windows[b]!))
      return { windows, channels: channelsOf(program, { windows, tallied, first }) }
    }),
  }
}

function isTallied({ columns }: ViewProgram, { aggregation, input, takesNull }: AggregateProgram): boolean {
  if (aggregation.tally === undefined || takesNull) return false
  return input === null || columns[input]!.kind !== 'string'
}

/** Of windows with one offset and one hop the longer starts before the shorter, whatever the instant. */
function endOf({ offsetMs, hopMs = 0 }: WindowProgram): string {
  return `${offsetMs} ${hopMs}`
}

function lengthOf({ lengthMs }: WindowProgram): number {
  return lengthMs ?? Number.MAX_VALUE
}

type Parts = { readonly windows: readonly number[]; readonly tallied: readonly boolean[]; readonly first: number }

function channelsOf({ aggregates }: ViewProgram, { windows, tallied, first }: Parts): ScanChannel[] {
  const own = [...aggregates.keys()].filter((index) => {
    return tallied[index] === true && windows.includes(aggregates[index]!.window)
  })
  const channels = Map.groupBy(own, (index) => `${aggregates[index]!.input} ${aggregates[index]!.filter}`)
  return [...channels.values()].map((indexes): ScanChannel => {
    const { input, filter } = aggregates[indexes[0]!]!
    const takers = indexes.map((aggregate) => {
      return { aggregate, segment: windows.indexOf(aggregates[aggregate]!.window) }
    })
    return {
      input: input === null ? null : first + input,
      filter: filter === null ? null : first + filter,
      needs: new Set(indexes.flatMap((index) => aggregates[index]!.aggregation.tally!.needs)),
      takers,
      reach: Math.max(...takers.map(({ segment }) => segment)),
    }
  })
}
