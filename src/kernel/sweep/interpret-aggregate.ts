import type { FeatureValue } from '../aggregation.ts'
import type { EventColumns } from '../event-columns.ts'
import type { AggregateProgram } from '../program.ts'
import { addAt, addRange, removeAt } from '../read.ts'
import type { Ranges } from './sweep-input.ts'

/**
 * One aggregate by its aggregation: events that come in at the head of the window are added, events that fall out at
 * its tail are removed. Exact removal gives the same bits as a fresh read; an aggregation without it is added up
 * afresh.
 */
export function interpretAggregate(
  aggregate: AggregateProgram,
  events: EventColumns,
  { low: lows, high: highs }: Ranges,
): FeatureValue[] {
  const { aggregation } = aggregate
  const { remove } = aggregation
  const values: FeatureValue[] = []
  let partial = aggregation.zero()
  let value = aggregation.value(partial)
  let before = { low: 0, high: 0 }
  for (let read = 0; read < lows.length; read++) {
    const low = lows[read]!
    const high = highs[read]!
    if (low !== before.low || high !== before.high) {
      if (low === before.low) {
        partial = addRange(aggregate, partial, events, { low: before.high, high })
      } else if (remove === undefined || low >= before.high) {
        partial = addRange(aggregate, aggregation.zero(), events, { low, high })
      } else {
        for (let index = before.high; index < high; index++) partial = addAt(aggregate, partial, events, index)
        for (let index = before.low; index < low; index++) {
          partial = removeAt(aggregate, remove, { partial, events, index })
        }
      }
      value = aggregation.value(partial)
      before = { low, high }
    }
    values.push(value)
  }
  return values
}
