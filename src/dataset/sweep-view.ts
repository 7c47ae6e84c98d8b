import type { FeatureValue } from '../kernel/aggregation.ts'
import { Sweep } from '../kernel/sweep.ts'
import { finishValues } from '../plan/finish-view.ts'
import type { ViewPlan } from '../plan/plan.ts'
import { type KeyGroups, type KeyName, keyNamer } from './key-groups.ts'
import type { Spine } from './spine.ts'

export type SweepOptions = {
  readonly spine: Spine
  readonly groups: KeyGroups
  /** Added to each row's instant: 1 includes the events of that very millisecond. */
  readonly plusMs: number
  /** Called now and then with the rows done; what it returns is awaited, so that others get a turn. */
  readonly onProgress: (rows: number) => Promise<void>
}

/** Values of every feature of a view for every row of the spine: `result[feature][row]`. */
export async function sweepView(view: ViewPlan, options: SweepOptions): Promise<FeatureValue[][]> {
  const { spine, groups, plusMs, onProgress } = options
  const result = view.features.map(() => new Array<FeatureValue>(spine.rows))
  let done = 0
  let reported = 0
  for (const [name, rows] of rowsByKey(view, spine)) {
    const events = groups.events(name)
    const sweep = events === null ? null : new Sweep(view.program, events)
    for (const row of rows) {
      const t = spine.instants[row]! + plusMs
      const aggregates = sweep === null ? null : sweep.read(t)
      const values = finishValues(view, { aggregates, newest: sweep === null ? -1 : sweep.newestBefore, t })
      for (let feature = 0; feature < result.length; feature++) result[feature]![row] = values[feature]!
    }
    done += rows.length
    if (done - reported >= 50_000) {
      reported = done
      await onProgress(done)
    }
  }
  await onProgress(done)
  return result
}

/** Row numbers of each key, by ascending instant: what a sweep reads in one pass. */
function rowsByKey(view: ViewPlan, { rows, instants, keys }: Spine): Map<KeyName, number[]> {
  const nameOf = keyNamer(view)
  const columns = view.keys.map(({ name }) => keys.get(name)!)
  const groups = new Map<KeyName, number[]>()
  for (let row = 0; row < rows; row++) {
    const name = nameOf(columns.map((column) => column[row]!))
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [row])
    else group.push(row)
  }
  for (const group of groups.values()) {
    if (!group.every((row, index) => index === 0 || instants[group[index - 1]!]! <= instants[row]!)) {
      group.sort((a, b) => instants[a]! - instants[b]!)
    }
  }
  return groups
}
