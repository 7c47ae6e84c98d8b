import type { FeatureValue, Tally } from './aggregation.ts'
import type { KernelEvent } from './event-columns.ts'
import type { KeyState } from './key-state.ts'
import type { AggregateProgram, ViewProgram } from './program.ts'
import { scannerOf } from './scan/scan.ts'
import {
  tallyCount,
  tallyGreatest,
  tallyLeast,
  tallyMagnitude,
  tallySize,
  tallySquares,
  tallySum,
} from './scan/scan-plan.ts'
import { tieOf, valueOf } from './slab/row-layout.ts'
import type { Slab } from './slab/slab.ts'
import { windowEnd, windowStart } from './window.ts'

/**
 * The value of every aggregate of the program as of `t`, from a key's state, or null for a key without one. Uses no
 * event at or after `t`. With `extra`: as if that event had been applied too.
 *
 * The caller checks `readableFrom`: before it, events that a window needs may be gone. Cost: two binary searches per
 * window, then one pass over the rows of the longest (`scan-plan.ts`); and for each aggregation that no doubles can
 * tell, such as the exact sum of floats, one step per event.
 */
export function readAggregates(
  program: ViewProgram,
  state: KeyState | null,
  t: number,
  extra: KernelEvent | null = null,
): FeatureValue[] {
  const { aggregates, windows } = program
  // The pages of a key with many events have partial aggregates of their own, and it has no rows.
  const paged = state?.slab.paged(state.slot)
  if (state !== null && paged === undefined) scan(program, state, t)
  const values: FeatureValue[] = []
  let lifetime = 0
  for (let index = 0; index < aggregates.length; index++) {
    const aggregate = aggregates[index]!
    const { aggregation } = aggregate
    const window = windows[aggregate.window]!
    let partial: unknown
    if (paged !== undefined) {
      const range = { low: windowStart(window, t), high: windowEnd(window, t) }
      partial = paged.addRange(index, aggregation.zero(), range)
    } else partial = state === null ? aggregation.zero() : partialOf(program, state, index)
    if (window.lengthMs === null) {
      const base = state?.slab.base(state.slot)
      if (base !== undefined) partial = aggregation.merge(partial, base[lifetime])
      lifetime += 1
    } else {
      partial = state?.slab.tiles.of(state.slot)?.addTo(partial, index, windowStart(window, t)) ?? partial
    }
    if (extra !== null && extra.ts >= windowStart(window, t) && extra.ts < windowEnd(window, t)) {
      partial = addEvent(aggregate, partial, extra)
    }
    values.push(aggregation.value(partial))
  }
  return values
}

// What one read finds. Nothing else runs meanwhile, so these serve all reads.
/** Numbers of the first row inside and of the first behind each window. */
let bounds = new Int32Array(16)
let tallies = new Float64Array(16 * tallySize)
const tally: Tally = { count: 0, sum: 0, magnitude: 0, squares: 0, least: 0, greatest: 0 }
/** Aggregations that look at the order copy it; the others never touch it. */
const order = { ts: 0, tie: 0 as string | number }

function scan(program: ViewProgram, { slab, slot }: KeyState, t: number): void {
  const { windows, aggregates } = program
  if (bounds.length < 2 * windows.length) bounds = new Int32Array(4 * windows.length)
  if (tallies.length < aggregates.length * tallySize) tallies = new Float64Array(2 * aggregates.length * tallySize)
  for (let index = 0; index < windows.length; index++) {
    const window = windows[index]!
    bounds[2 * index] = slab.lowerBound(slot, windowStart(window, t))
    bounds[2 * index + 1] = slab.lowerBound(slot, windowEnd(window, t))
  }
  scannerOf(program).scan(slab.rows(slot), slab.rowsAt(slot), bounds, tallies)
}

/** Of the raw events inside the window of an aggregate. */
function partialOf(program: ViewProgram, { slab, slot }: KeyState, index: number): unknown {
  const aggregate = program.aggregates[index]!
  if (scannerOf(program).plan.tallied[index] === true) {
    const at = index * tallySize
    tally.count = tallies[at + tallyCount]!
    tally.sum = tallies[at + tallySum]!
    tally.magnitude = tallies[at + tallyMagnitude]!
    tally.squares = tallies[at + tallySquares]!
    tally.least = tallies[at + tallyLeast]!
    tally.greatest = tallies[at + tallyGreatest]!
    const found = aggregate.aggregation.tally!.state(tally)
    if (found !== null) return found
  }
  const window = 2 * aggregate.window
  return rowsPartial(aggregate, { slab, slot, low: bounds[window]!, high: bounds[window + 1]! })
}

type Rows = { readonly slab: Slab; readonly slot: number; readonly low: number; readonly high: number }

/** Adds up the rows `[low, high)` of a slot, the newest first, until older ones change nothing. */
function rowsPartial(
  { aggregation, input, filter, takesNull }: AggregateProgram,
  { slab, slot, low, high }: Rows,
): unknown {
  const { layout, texts } = slab
  const rows = slab.rows(slot)
  const at = slab.rowsAt(slot)
  let partial = aggregation.zero()
  for (let index = high - 1; index >= low; index--) {
    const row = at + index * layout.width
    if (filter !== null && rows[row + layout.first + filter] !== 1) continue
    const value = input === null ? null : valueOf(layout.kinds[input]!, texts, rows[row + layout.first + input]!)
    if (value === null && input !== null && !takesNull) continue
    order.ts = rows[row]!
    if (layout.keepsTies) order.tie = tieOf(texts, rows[row + 1]!)
    partial = aggregation.add(partial, value, order)
    if (aggregation.isFull?.(partial) === true) break
  }
  return partial
}

function addEvent(
  { aggregation, input, filter, takesNull }: AggregateProgram,
  partial: unknown,
  event: KernelEvent,
): unknown {
  if (filter !== null && event.values[filter] !== true) return partial
  const value = input === null ? null : event.values[input]!
  if (value === null && input !== null && !takesNull) return partial
  return aggregation.add(partial, value, event)
}
