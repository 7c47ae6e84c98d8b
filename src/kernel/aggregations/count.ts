import type { Aggregation } from '../aggregation.ts'

type CountState = { count: number }

/** How many events there are, whatever they hold. */
export const count: Aggregation<CountState> = {
  name: 'count',

  zero: () => ({ count: 0 }),

  add(state) {
    state.count += 1
    return state
  },

  remove(state) {
    state.count -= 1
    return state
  },

  tally: { needs: [], state: (tally) => ({ count: tally.count }) },

  merge(left, right) {
    left.count += right.count
    return left
  },

  value: (state) => state.count,

  encode(state, writer) {
    writer.varint(state.count)
  },

  decode: (reader) => ({ count: reader.varint() }),
}
