import { assert } from '../../base/assert.ts'
import { MalformedBytes } from '../../base/bytes.ts'
import type { Aggregation, ColumnType, EventOrder } from '../aggregation.ts'
import { columnOf, type Present, withoutNegativeZero } from './column.ts'
import { compareOrder, readOrder, writeOrder } from './event-order.ts'

/** Never changed once made: states share them. */
type Entry = EventOrder & { readonly value: Present }

/** Newest first, at most `k`. */
type LastKState = { entries: Entry[] }

/** A state holds this many events at most. */
export const lastKMax = 1_000

/** The inputs of the `k` newest events, newest first. */
export function makeLastK(type: ColumnType, k: number): Aggregation<LastKState> {
  assert(Number.isInteger(k) && k >= 1 && k <= lastKMax, 'k is in [1, 1000]')
  const column = columnOf(type)
  return {
    name: 'lastK',

    zero: () => ({ entries: [] }),

    add(state, input, { ts, tie }) {
      insert(state.entries, { ts, tie, value: withoutNegativeZero(input as Present) }, k)
      return state
    },

    isFull: ({ entries }) => entries.length === k,

    merge(left, right) {
      left.entries = mergeNewest(left.entries, right.entries, k)
      return left
    },

    value: ({ entries }) => entries.map((entry) => column.output(entry.value)),

    encode({ entries }, writer) {
      writer.varint(entries.length)
      for (const entry of entries) {
        writeOrder(writer, entry)
        column.write(writer, entry.value)
      }
    },

    decode(reader) {
      const length = reader.varint()
      if (length > k) throw new MalformedBytes(`${length} events are more than the last ${k}`)
      const entries: Entry[] = []
      for (let index = 0; index < length; index++) {
        entries.push({ ...readOrder(reader), value: column.read(reader) })
      }
      return { entries }
    },
  }
}

/** Events mostly come in order of time, so the place is mostly the front. */
function insert(entries: Entry[], entry: Entry, k: number): void {
  let index = 0
  while (index < entries.length && compareOrder(entry, entries[index]!) < 0) index++
  if (index === k) return
  if (entries.length === k) entries.pop()
  entries.splice(index, 0, entry)
}

function mergeNewest(left: readonly Entry[], right: readonly Entry[], k: number): Entry[] {
  const merged: Entry[] = []
  let leftIndex = 0
  let rightIndex = 0
  while (merged.length < k) {
    const a = left[leftIndex]
    const b = right[rightIndex]
    if (a !== undefined && (b === undefined || compareOrder(a, b) > 0)) {
      merged.push(a)
      leftIndex++
    } else if (b !== undefined) {
      merged.push(b)
      rightIndex++
    } else {
      break
    }
  }
  return merged
}
