import type { ByteReader, ByteWriter } from '../../base/bytes.ts'
import type { Aggregation, ColumnType, ColumnValue, EventOrder } from '../aggregation.ts'
import { type Column, columnOf, readFlag, withoutNegativeZero } from './column.ts'
import { compareOrder, readOrder, writeOrder } from './event-order.ts'

/** One event, or none yet: then `present` is false and the rest means nothing. A null value is one that was added. */
export type PickState = { present: boolean; ts: number; tie: string | number; value: ColumnValue }

/**
 * The input of the event that comes last in the direction of `sign`: 1 for the newest, -1 for the oldest. The state
 * keeps where that event stands, so inputs and merges may come in any order.
 */
export function makePick(name: 'first' | 'last' | 'latest', type: ColumnType, sign: 1 | -1): Aggregation<PickState> {
  const column = columnOf(type)

  function offer(state: PickState, value: ColumnValue, order: EventOrder): void {
    if (state.present && sign * compareOrder(order, state) <= 0) return
    state.present = true
    state.ts = order.ts
    state.tie = order.tie
    state.value = value
  }

  return {
    name,

    zero: () => ({ present: false, ts: 0, tie: 0, value: null }),

    add(state, input, order) {
      offer(state, withoutNegativeZero(input), order)
      return state
    },

    isFull: sign === 1 ? ({ present }) => present : undefined,

    merge(left, right) {
      if (right.present) offer(left, right.value, right)
      return left
    },

    value: ({ value }) => (value === null ? null : column.output(value)),

    encode(state, writer) {
      writer.u8(state.present ? 1 : 0)
      if (!state.present) return
      writeOrder(writer, state)
      writeNullable(writer, state.value, column)
    },

    decode(reader) {
      if (!readFlag(reader)) return { present: false, ts: 0, tie: 0, value: null }
      return { present: true, ...readOrder(reader), value: readNullable(reader, column) }
    },
  }
}

function writeNullable(writer: ByteWriter, value: ColumnValue, column: Column): void {
  writer.u8(value === null ? 0 : 1)
  if (value !== null) column.write(writer, value)
}

function readNullable(reader: ByteReader, column: Column): ColumnValue {
  return readFlag(reader) ? column.read(reader) : null
}
