import { assert } from '../base/assert.ts'
import type { ColumnValue } from '../kernel/aggregation.ts'
import { compareTies, type EventColumns } from '../kernel/event-columns.ts'
import type { AcceptedEvent, ViewPlan } from '../plan/plan.ts'
import type { Row } from '../schema/decode.ts'
import { encodeKey } from '../schema/key-codec.ts'

type JoinValue = string | number | boolean

/** Names a key inside one view: the join value itself, or the bytes of several. Numbers and text stay apart. */
export type KeyName = JoinValue

/** Names the key whose join values a function gives; null when one of them is null. */
export function keyNamer<Source>(
  view: ViewPlan,
  joinValues: readonly ((source: Source) => JoinValue | null)[],
): (source: Source) => KeyName | null {
  const [first] = joinValues
  if (joinValues.length === 1) return first!
  const kinds = view.keys.map(({ field }) => field.kind)
  return (source) => {
    const values: JoinValue[] = []
    for (const joinValue of joinValues) {
      const value = joinValue(source)
      if (value === null) return null
      values.push(value)
    }
    return Buffer.from(encodeKey(kinds, values)).toString('latin1')
  }
}

/**
 * The whole history of a view in memory.
 *
 * 1. `add` appends to columns over all keys, and notes which key each event is of: memory is touched in order.
 * 2. `seal` sorts the events by key (counting sort, so those of a key stay in order of arrival).
 * 3. `events` gathers one key's events and sorts them by (ts, tie) where they are not yet.
 */
export class KeyGroups {
  readonly view: ViewPlan
  readonly #name: (row: Row) => KeyName | null
  readonly #numbers = new Map<KeyName, number>()
  readonly #keys: number[] = []
  readonly #ts: number[] = []
  readonly #ties: (string | number)[] | null
  readonly #columns: ColumnValue[][]
  readonly counts = { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0 }
  #sealed: { readonly order: Int32Array; readonly starts: Int32Array } | null = null

  constructor(view: ViewPlan) {
    this.view = view
    this.#name = keyNamer(
      view,
      view.projection.keys.map((index) => (row: Row) => row[index]!),
    )
    this.#ties = view.program.keepsTies ? [] : null
    this.#columns = view.projection.columns.map(() => [])
  }

  get keyCount(): number {
    return this.#numbers.size
  }

  add({ row, ts, tie }: AcceptedEvent): void {
    const { where, columns } = this.view.projection
    const name = this.#name(row)
    if (name === null) {
      this.counts.unkeyed += 1
      return
    }
    if (where !== null && where(row) !== true) {
      this.counts.filtered += 1
      return
    }
    this.counts.applied += 1
    let key = this.#numbers.get(name)
    if (key === undefined) {
      key = this.#numbers.size
      this.#numbers.set(name, key)
    }
    this.#keys.push(key)
    this.#ts.push(ts)
    this.#ties?.push(tie)
    for (let column = 0; column < columns.length; column++) this.#columns[column]!.push(columns[column]!(row))
  }

  /** Call once, after the last `add` and before the first `events`. */
  seal(): void {
    const starts = new Int32Array(this.#numbers.size + 1)
    for (const key of this.#keys) starts[key + 1]! += 1
    for (let key = 1; key < starts.length; key++) starts[key]! += starts[key - 1]!
    const next = starts.slice()
    const order = new Int32Array(this.#keys.length)
    for (let index = 0; index < this.#keys.length; index++) {
      const key = this.#keys[index]!
      order[next[key]!] = index
      next[key]! += 1
    }
    this.#sealed = { order, starts }
  }

  /** The events of a key in order; null when it has none. */
  events(name: KeyName): EventColumns | null {
    assert(this.#sealed !== null, 'groups are sealed before they are read')
    const key = this.#numbers.get(name)
    if (key === undefined) return null
    const { order, starts } = this.#sealed
    const indexes = order.subarray(starts[key], starts[key + 1])
    let ts = gather(indexes, this.#ts)
    let ties = this.#ties === null ? null : gather(indexes, this.#ties)
    if (!isSorted(ts, ties)) {
      this.#sort(indexes)
      ts = gather(indexes, this.#ts)
      ties = this.#ties === null ? null : gather(indexes, this.#ties)
    }
    return { ts, ties, columns: this.#columns.map((column) => gather(indexes, column)) }
  }

  /** Without ties the order among equal times is free: no aggregation of the view can see it. */
  #sort(indexes: Int32Array): void {
    const ts = this.#ts
    const ties = this.#ties
    indexes.sort((a, b) => ts[a]! - ts[b]! || (ties === null ? 0 : compareTies(ties[a]!, ties[b]!)))
  }
}

function gather<T>(indexes: Int32Array, values: readonly T[]): T[] {
  const picked: T[] = []
  for (let index = 0; index < indexes.length; index++) picked.push(values[indexes[index]!]!)
  return picked
}

function isSorted(ts: readonly number[], ties: readonly (string | number)[] | null): boolean {
  for (let index = 1; index < ts.length; index++) {
    if (ts[index]! < ts[index - 1]!) return false
    if (ties !== null && ts[index] === ts[index - 1] && compareTies(ties[index]!, ties[index - 1]!) < 0) return false
  }
  return true
}
