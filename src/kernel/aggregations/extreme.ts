import type { Aggregation, ColumnType } from '../aggregation.ts'
import { columnOf, type Present, readFlag, withoutNegativeZero } from './column.ts'

export type ExtremeState = { best: Present | null }

/**
 * The one input that no other goes beyond, in the direction of `sign`: 1 for the largest, -1 for the smallest. It
 * cannot be taken back, because the second best is not kept.
 */
export function makeExtreme(name: 'min' | 'max', type: ColumnType, sign: 1 | -1): Aggregation<ExtremeState> {
  const column = columnOf(type)

  function offer(state: ExtremeState, value: Present): void {
    if (state.best === null || sign * column.compare(value, state.best) > 0) state.best = value
  }

  const part = sign === 1 ? 'greatest' : 'least'

  return {
    name,

    zero: () => ({ best: null }),

    add(state, input) {
      offer(state, withoutNegativeZero(input as Present))
      return state
    },

    tally: {
      needs: [part],
      state: (tally) => ({ best: tally.count === 0 ? null : column.fromNumber(tally[part]) }),
    },

    merge(left, right) {
      if (right.best !== null) offer(left, right.best)
      return left
    },

    value: ({ best }) => (best === null ? null : column.output(best)),

    encode({ best }, writer) {
      writer.u8(best === null ? 0 : 1)
      if (best !== null) column.write(writer, best)
    },

    decode: (reader) => ({ best: readFlag(reader) ? column.read(reader) : null }),
  }
}
