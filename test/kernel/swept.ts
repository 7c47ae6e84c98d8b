import assert from 'node:assert/strict'
import type { FeatureValue } from '../../src/kernel/aggregation.ts'
import type { EventColumns } from '../../src/kernel/event-columns.ts'
import type { ViewProgram } from '../../src/kernel/program.ts'
import { interpretAggregates, sweepAggregates } from '../../src/kernel/sweep/sweep-aggregates.ts'
import { boundsAt, type SweepColumn, type SweepInput } from '../../src/kernel/sweep/sweep-input.ts'
import { valueAt } from '../../src/kernel/sweep/swept-column.ts'

export type SweptRead = { readonly t: number; readonly aggregates: readonly FeatureValue[]; readonly newest: number }

/** Events of keys and the instants of each, ascending, as a sweep takes them. */
export function sweepInput(
  program: ViewProgram,
  keys: readonly { readonly events: EventColumns; readonly instants: readonly number[] }[],
): SweepInput {
  const starts = (lengths: readonly number[]): Int32Array => {
    let sum = 0
    return Int32Array.from([0, ...lengths.map((length) => (sum += length))])
  }
  return {
    ts: Float64Array.from(keys.flatMap(({ events }) => events.ts)),
    columns: program.columns.map((type, index): SweepColumn => {
      const values = keys.flatMap(({ events }) => events.columns[index]!)
      if (type.kind !== 'string') {
        return {
          values: Float64Array.from(values, (value) => (value === null ? Number.NaN : Number(value))),
          texts: null,
        }
      }
      const texts = [...new Set(values.filter((value) => value !== null))] as string[]
      return {
        values: Float64Array.from(values, (value) => (value === null ? Number.NaN : texts.indexOf(value as string))),
        texts,
      }
    }),
    eventStarts: starts(keys.map(({ events }) => events.ts.length)),
    instants: Float64Array.from(keys.flatMap(({ instants }) => instants)),
    readStarts: starts(keys.map(({ instants }) => instants.length)),
  }
}

/** Reads one key at ascending instants, in columns; what the aggregations themselves say must be the same. */
export function sweptReads(program: ViewProgram, events: EventColumns, instants: readonly number[]): SweptRead[] {
  const input = sweepInput(program, [{ events, instants }])
  const columns = sweepAggregates(program, input)
  const interpreted = interpretAggregates(program, input)
  const newest = boundsAt(input, 0)
  return instants.map((t, read) => {
    const aggregates = columns.map((column) => valueAt(column, read))
    assert.deepEqual(
      interpreted.map((column) => valueAt(column, read)),
      aggregates,
      'loops and aggregations agree',
    )
    return { t, aggregates, newest: newest[read]! === 0 ? -1 : events.ts[newest[read]! - 1]! }
  })
}
