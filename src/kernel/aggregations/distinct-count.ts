import { assert } from '../../base/assert.ts'
import { type ByteReader, MalformedBytes } from '../../base/bytes.ts'
import type { Aggregation, ColumnType } from '../aggregation.ts'
import { type Column, columnOf, type Present, readFlag, withoutNegativeZero } from './column.ts'

/** How often each value occurs. Every count is positive, so the size is the answer. */
type MultisetState = { readonly counts: Map<Present, number> }

/** The values that occur; null once there were more than the cap, and then for ever. */
type CappedState = { values: Set<Present> | null }

/** How many different inputs there are: all of them, or at most `cap`. */
export function makeDistinctCount(
  type: ColumnType,
  cap: number | null,
): Aggregation<MultisetState> | Aggregation<CappedState> {
  if (cap === null) return makeUnbounded(columnOf(type))
  assert(Number.isSafeInteger(cap) && cap > 0, 'a cap is a positive integer')
  return makeCapped(columnOf(type), cap)
}

function makeUnbounded(column: Column): Aggregation<MultisetState> {
  return {
    name: 'distinctCount',

    zero: () => ({ counts: new Map() }),

    add(state, input) {
      addTo(state.counts, withoutNegativeZero(input as Present), 1)
      return state
    },

    remove(state, input) {
      addTo(state.counts, withoutNegativeZero(input as Present), -1)
      return state
    },

    merge(left, right) {
      for (const [value, count] of right.counts) addTo(left.counts, value, count)
      return left
    },

    value: ({ counts }) => counts.size,

    encode({ counts }, writer) {
      writer.varint(counts.size)
      for (const value of sorted(counts.keys(), column)) {
        column.write(writer, value)
        writer.varint(counts.get(value)!)
      }
    },

    decode(reader) {
      const counts = new Map<Present, number>()
      for (const value of readAscending(reader, column)) {
        const count = reader.varint()
        if (count === 0) throw new MalformedBytes('a value occurs zero times')
        counts.set(value, count)
      }
      return { counts }
    },
  }
}

/**
 * Nothing can be taken back from it: beyond the cap the values are gone, and below it keeping counts only to remove
 * would make the state larger.
 */
function makeCapped(column: Column, cap: number): Aggregation<CappedState> {
  function include(state: CappedState, value: Present): void {
    if (state.values === null) return
    state.values.add(value)
    if (state.values.size > cap) state.values = null
  }

  return {
    name: 'distinctCount',

    zero: () => ({ values: new Set() }),

    add(state, input) {
      include(state, withoutNegativeZero(input as Present))
      return state
    },

    isFull: ({ values }) => values === null,

    merge(left, right) {
      if (right.values === null) left.values = null
      else for (const value of right.values) include(left, value)
      return left
    },

    value: ({ values }) => values?.size ?? cap,

    encode({ values }, writer) {
      writer.u8(values === null ? 1 : 0)
      if (values === null) return
      writer.varint(values.size)
      for (const value of sorted(values, column)) column.write(writer, value)
    },

    decode: (reader) => ({ values: readFlag(reader) ? null : new Set(readAscending(reader, column)) }),
  }
}

function addTo(counts: Map<Present, number>, value: Present, change: number): void {
  const count = (counts.get(value) ?? 0) + change
  assert(count >= 0, 'only what was added is removed')
  if (count === 0) counts.delete(value)
  else counts.set(value, count)
}

/** A set has no order of its own: equal ones have equal bytes because the values are written sorted. */
function sorted(values: Iterable<Present>, column: Column): Present[] {
  return [...values].sort(column.compare)
}

/** Yields after each value, so that the caller can read what belongs to it. */
function* readAscending(reader: ByteReader, column: Column): Generator<Present, void> {
  const size = reader.varint()
  let before: Present | null = null
  for (let index = 0; index < size; index++) {
    const value = column.read(reader)
    if (before !== null && column.compare(before, value) >= 0) throw new MalformedBytes('values are out of order')
    yield value
    before = value
  }
}
