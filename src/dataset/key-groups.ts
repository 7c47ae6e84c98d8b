import type { ColumnValue } from '../kernel/aggregation.ts'
import { compareTies, type EventColumns, makeEventColumns } from '../kernel/event-columns.ts'
import type { AcceptedEvent, ViewPlan } from '../plan/plan.ts'
import { encodeKey } from '../schema/key-codec.ts'

type JoinValue = string | number | boolean

/** Names a key inside one view: the join value itself, or the bytes of several. Numbers and text stay apart. */
export type KeyName = JoinValue

export function keyNamer(view: ViewPlan): (values: readonly JoinValue[]) => KeyName {
  if (view.keys.length === 1) return (values) => values[0]!
  const kinds = view.keys.map(({ field }) => field.kind)
  return (values) => Buffer.from(encodeKey(kinds, values)).toString('latin1')
}

/** The whole history of a view in memory: every key's events in columns, sorted on demand. */
export class KeyGroups {
  readonly #view: ViewPlan
  readonly #name: (values: readonly JoinValue[]) => KeyName
  readonly #groups = new Map<KeyName, EventColumns>()
  readonly counts = { applied: 0, filtered: 0, unkeyed: 0 }

  constructor(view: ViewPlan) {
    this.#view = view
    this.#name = keyNamer(view)
  }

  get keyCount(): number {
    return this.#groups.size
  }

  add({ row, ts, tie }: AcceptedEvent): void {
    const { keys, where, columns } = this.#view.projection
    const values: JoinValue[] = []
    for (const index of keys) {
      const value = row[index]!
      if (value === null) {
        this.counts.unkeyed += 1
        return
      }
      values.push(value)
    }
    if (where !== null && where(row) !== true) {
      this.counts.filtered += 1
      return
    }
    this.counts.applied += 1
    const name = this.#name(values)
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = makeEventColumns(columns.length, this.#view.program.keepsTies)
      this.#groups.set(name, group)
    }
    group.ts.push(ts)
    group.ties?.push(tie)
    for (let column = 0; column < columns.length; column++) group.columns[column]!.push(columns[column]!(row))
  }

  /** The events of a key in order; null when it has none. */
  events(name: KeyName): EventColumns | null {
    const group = this.#groups.get(name)
    if (group === undefined) return null
    if (isSorted(group)) return group
    const sorted = sort(group)
    this.#groups.set(name, sorted)
    return sorted
  }
}

function isSorted({ ts, ties }: EventColumns): boolean {
  for (let index = 1; index < ts.length; index++) {
    if (ts[index]! < ts[index - 1]!) return false
    if (ties !== null && ts[index] === ts[index - 1] && compareTies(ties[index]!, ties[index - 1]!) < 0) return false
  }
  return true
}

/**
 * By (ts, tie). Without ties the order among equal times is free: the view has no aggregation that could see it, and
 * exact sums do not depend on it.
 */
function sort(group: EventColumns): EventColumns {
  const { ts, ties } = group
  const order = Array.from(ts, (_, index) => index)
  order.sort((a, b) => ts[a]! - ts[b]! || (ties === null ? 0 : compareTies(ties[a]!, ties[b]!)))
  const pick = <T>(values: readonly T[]): T[] => order.map((index) => values[index]!)
  return {
    ts: pick(ts),
    ties: ties === null ? null : pick(ties),
    columns: group.columns.map((column) => pick<ColumnValue>(column)),
  }
}
