import type { AggregateProgram, ViewProgram } from '../program.ts'

/** What is aggregated over which events: the same for all windows that ask for it. */
export type Channels = {
  /** The first aggregate of each. */
  readonly list: readonly AggregateProgram[]
  /** The channel of each aggregate of the program. */
  readonly ofAggregate: readonly number[]
}

const known = new WeakMap<ViewProgram, Channels>()

export function channelsOf(program: ViewProgram): Channels {
  let found = known.get(program)
  if (found === undefined) {
    const list: AggregateProgram[] = []
    const ofAggregate = program.aggregates.map((one) => {
      const index = list.findIndex(
        (other) =>
          other.aggregation === one.aggregation &&
          other.input === one.input &&
          other.filter === one.filter &&
          other.takesNull === one.takesNull,
      )
      return index >= 0 ? index : list.push(one) - 1
    })
    found = { list, ofAggregate }
    known.set(program, found)
  }
  return found
}
