import type { AggregationSpec, ColumnType, ColumnValue } from '../../src/kernel/aggregation.ts'
import { makeAggregation } from '../../src/kernel/aggregations/make-aggregation.ts'
import type { KernelEvent } from '../../src/kernel/event-columns.ts'
import type { AggregateProgram, ViewProgram, WindowProgram } from '../../src/kernel/program.ts'
import { spanOf } from '../../src/kernel/tiling.ts'

type Slot = { readonly spec: AggregationSpec; readonly window: number; readonly filter?: number }

type Parts = {
  readonly columns: readonly ColumnType[]
  readonly windows: readonly WindowProgram[]
  /** Inputs are column 0, except for `count`, which has none. */
  readonly slots: readonly Slot[]
  readonly horizonMs: number
}

/** A program as the plan would make it. */
export function makeProgram({ columns, windows, slots, horizonMs }: Parts): ViewProgram {
  const aggregates = slots.map(({ spec, window, filter }): AggregateProgram => {
    const input = spec.name === 'count' ? null : 0
    return {
      spec,
      aggregation: makeAggregation(spec),
      input,
      filter: filter ?? null,
      window,
      takesNull: spec.name === 'latest',
    }
  })
  return {
    columns,
    windows,
    aggregates,
    keepsTies: slots.some(({ spec }) => ['first', 'last', 'lastK', 'latest'].includes(spec.name)),
    horizonMs,
    ...spanOf({ windows, aggregates }),
  }
}

export const event = (ts: number, tie: string | number, ...values: ColumnValue[]): KernelEvent => ({ ts, tie, values })
