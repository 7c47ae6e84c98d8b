import type { FeatureValue } from './aggregation.ts'
import type { KernelEvent } from './event-columns.ts'
import type { KeyState } from './key-state.ts'
import type { AggregateProgram, ViewProgram } from './program.ts'
import { tieOf, valueOf } from './slab/row-layout.ts'
import type { Slab } from './slab/slab.ts'
import { windowEnd, windowStart } from './window.ts'

/**
 * The value of every aggregate of the program as of `t`, from a key's state, or null for a key without one. Uses no
 * event at or after `t`. With `extra`: as if that event had been applied too.
 *
 * The caller checks `readableFrom`: before it, events that a window needs may be gone. Cost: two binary searches per
 * window, then one step per event and aggregate inside it.
 */
export function readAggregates(
  program: ViewProgram,
  state: KeyState | null,
  t: number,
  extra: KernelEvent | null = null,
): FeatureValue[] {
  const values: FeatureValue[] = []
  let lifetime = 0
  for (let index = 0; index < program.aggregates.length; index++) {
    const aggregate = program.aggregates[index]!
    const { aggregation } = aggregate
    const window = program.windows[aggregate.window]!
    let partial = aggregation.zero()
    if (state !== null) {
      const { slab, slot } = state
      const base = window.lengthMs === null ? slab.base(slot) : undefined
      if (base !== undefined) partial = aggregation.merge(partial, base[lifetime])
      const [from, to] = [windowStart(window, t), windowEnd(window, t)]
      const paged = slab.paged(slot)
      if (paged !== undefined) partial = paged.addRange(index, partial, { low: from, high: to })
      else {
        const rows = { slab, slot, low: slab.lowerBound(slot, from), high: slab.lowerBound(slot, to) }
        partial = addRows(aggregate, partial, rows)
      }
    }
    if (window.lengthMs === null) lifetime += 1
    if (extra !== null && extra.ts >= windowStart(window, t) && extra.ts < windowEnd(window, t)) {
      partial = addEvent(aggregate, partial, extra)
    }
    values.push(aggregation.value(partial))
  }
  return values
}

type Rows = { readonly slab: Slab; readonly slot: number; readonly low: number; readonly high: number }

/** Adds the rows `[low, high)` of a slot to a partial aggregate. */
function addRows(
  { aggregation, input, filter, takesNull }: AggregateProgram,
  partial: unknown,
  { slab, slot, low, high }: Rows,
): unknown {
  const { layout, texts } = slab
  const rows = slab.rows(slot)
  const at = slab.rowsAt(slot)
  let state = partial
  for (let index = low; index < high; index++) {
    const row = at + index * layout.width
    if (filter !== null && rows[row + layout.first + filter] !== 1) continue
    const value = input === null ? null : valueOf(layout.kinds[input]!, texts, rows[row + layout.first + input]!)
    if (value === null && input !== null && !takesNull) continue
    order.ts = rows[row]!
    if (layout.keepsTies) order.tie = tieOf(texts, rows[row + 1]!)
    state = aggregation.add(state, value, order)
  }
  return state
}

// Aggregations that look at the order copy it; the others never touch it. One object serves all calls.
const order = { ts: 0, tie: 0 as string | number }

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
