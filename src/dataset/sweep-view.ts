import { assert } from '../base/assert.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import { Sweep } from '../kernel/sweep.ts'
import { isWarming } from '../plan/coverage.ts'
import { finishValues } from '../plan/finish-view.ts'
import type { ViewPlan } from '../plan/plan.ts'
import { type KeyGroups, type KeyName, keyNamer } from './key-groups.ts'
import type { Spine } from './spine.ts'

export type SweepOptions = {
  readonly spine: Spine
  readonly groups: KeyGroups
  /** Added to each row's instant: 1 includes the events of that very millisecond. */
  readonly plusMs: number
  /** First instant from which on the history has every event. */
  readonly coveredFrom: number
  /** Called now and then with the rows done; what it returns is awaited, so that others get a turn. */
  readonly onProgress: (rows: number) => Promise<void>
}

export type SweptView = {
  /** `values[feature][row]` */
  readonly values: readonly (readonly FeatureValue[])[]
  /** How many rows have a feature that events would change which the history does not have. */
  readonly warming: number
}

/**
 * Values of every feature of a view for every row of the spine.
 *
 * Keys are swept one after the other, so values come out in the order of keys. They are put into the order of rows
 * at the end, a column at a time: that walks through memory once per column, not through all columns at once.
 */
export async function sweepView(view: ViewPlan, options: SweepOptions): Promise<SweptView> {
  const { spine, groups, plusMs, coveredFrom, onProgress } = options
  const swept = view.features.map((): FeatureValue[] => [])
  const { order, keys } = rowsByKey(view, spine)
  let reported = 0
  let warming = 0
  for (const { name, start, end } of keys) {
    const events = groups.events(name)
    const sweep = events === null ? null : new Sweep(view.program, events)
    for (let place = start; place < end; place++) {
      const t = spine.instants[order[place]!]! + plusMs
      const aggregates = sweep === null ? null : sweep.read(t)
      const newest = sweep === null ? -1 : sweep.newestBefore
      const values = finishValues(view, { aggregates, newest, t })
      if (isWarming(view, newest, { t, coveredFrom })) warming += 1
      for (let feature = 0; feature < swept.length; feature++) swept[feature]!.push(values[feature]!)
    }
    if (end - reported < 50_000) continue
    reported = end
    await onProgress(end)
  }
  await onProgress(spine.rows)
  const inRowOrder = swept.map((values) => {
    const rows = new Array<FeatureValue>(spine.rows)
    for (let place = 0; place < order.length; place++) rows[order[place]!] = values[place]!
    return rows
  })
  return { values: inRowOrder, warming }
}

/** Row numbers sorted by key, and within a key by ascending instant: what a sweep reads in one pass. */
type RowsByKey = {
  readonly order: Int32Array
  readonly keys: readonly { readonly name: KeyName; readonly start: number; readonly end: number }[]
}

function rowsByKey(view: ViewPlan, { rows, instants, keys }: Spine): RowsByKey {
  const nameOf = keyNamer(
    view,
    view.keys.map(({ name }) => {
      const column = keys.get(name)!
      return (row: number) => column[row]!
    }),
  )
  const numbers = new Map<KeyName, number>()
  const keyOfRow = new Int32Array(rows)
  const counts: number[] = []
  for (let row = 0; row < rows; row++) {
    const name = nameOf(row)
    assert(name !== null, 'the spine was read with join keys that are never null')
    let key = numbers.get(name)
    if (key === undefined) {
      key = numbers.size
      numbers.set(name, key)
      counts.push(0)
    }
    keyOfRow[row] = key
    counts[key]! += 1
  }
  const order = new Int32Array(rows)
  let start = 0
  const places = [...numbers.keys()].map((name, key) => {
    const place = { name, start, end: start + counts[key]! }
    start = place.end
    return place
  })
  const next = places.map((place) => place.start)
  const last = new Float64Array(places.length).fill(Number.NEGATIVE_INFINITY)
  const unsorted = new Set<number>()
  for (let row = 0; row < rows; row++) {
    const key = keyOfRow[row]!
    order[next[key]!] = row
    next[key]! += 1
    if (instants[row]! < last[key]!) unsorted.add(key)
    last[key] = instants[row]!
  }
  for (const key of unsorted) {
    const place = places[key]!
    order.subarray(place.start, place.end).sort((a, b) => instants[a]! - instants[b]!)
  }
  return { order, keys: places }
}
