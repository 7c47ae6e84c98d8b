import type { FeatureValue } from './aggregation.ts'
import type { EventColumns } from './event-columns.ts'
import type { AggregateProgram, ViewProgram } from './program.ts'
import { addAt, addRange, type IndexRange, removeAt } from './read.ts'
import { windowEnd, windowStart } from './window.ts'

/**
 * Reads one key's whole history at many instants, in ascending order: the training path.
 *
 * The window of each aggregate slides: events that come in at the head are added, events that fall out at the tail
 * are removed. Exact removal gives the same bits as a fresh read; an aggregation without it is added up afresh.
 */
export class Sweep {
  readonly #program: ViewProgram
  readonly #events: EventColumns
  readonly #ranges: IndexRange[]
  readonly #partials: unknown[]
  readonly #values: FeatureValue[]
  #newestIndex = 0

  constructor(program: ViewProgram, events: EventColumns) {
    this.#program = program
    this.#events = events
    this.#ranges = program.windows.map(() => ({ low: 0, high: 0 }))
    this.#partials = program.aggregates.map(({ aggregation }) => aggregation.zero())
    this.#values = program.aggregates.map(({ aggregation }) => aggregation.value(aggregation.zero()))
  }

  /** Time of the newest event before the instant last read; -1 when there is none. */
  get newestBefore(): number {
    return this.#newestIndex === 0 ? -1 : this.#events.ts[this.#newestIndex - 1]!
  }

  /** Values as of `t`, never before the last `t`. The array is used again by the next call. */
  read(t: number): readonly FeatureValue[] {
    const { ts } = this.#events
    while (this.#newestIndex < ts.length && ts[this.#newestIndex]! < t) this.#newestIndex += 1
    const { windows, aggregates } = this.#program
    for (let window = 0; window < windows.length; window++) {
      const before = this.#ranges[window]!
      const after = { low: before.low, high: before.high }
      const start = windowStart(windows[window]!, t)
      const end = windowEnd(windows[window]!, t)
      while (after.high < ts.length && ts[after.high]! < end) after.high += 1
      while (after.low < after.high && ts[after.low]! < start) after.low += 1
      if (after.low === before.low && after.high === before.high) continue
      for (let index = 0; index < aggregates.length; index++) {
        if (aggregates[index]!.window === window) this.#slide(aggregates[index]!, index, { before, after })
      }
      this.#ranges[window] = after
    }
    return this.#values
  }

  #slide(
    aggregate: AggregateProgram,
    slot: number,
    { before, after }: { before: IndexRange; after: IndexRange },
  ): void {
    const { aggregation } = aggregate
    const { remove } = aggregation
    let partial = this.#partials[slot]
    if (after.low === before.low) {
      partial = addRange(aggregate, partial, this.#events, { low: before.high, high: after.high })
    } else if (remove === undefined || after.low >= before.high) {
      partial = addRange(aggregate, aggregation.zero(), this.#events, after)
    } else {
      for (let index = before.high; index < after.high; index++) {
        partial = addAt(aggregate, partial, this.#events, index)
      }
      for (let index = before.low; index < after.low; index++) {
        partial = removeAt(aggregate, remove, { partial, events: this.#events, index })
      }
    }
    this.#partials[slot] = partial
    this.#values[slot] = aggregation.value(partial)
  }
}
