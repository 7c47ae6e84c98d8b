import type { RowValue } from '../schema/decode.ts'
import type { Field } from '../schema/field.ts'
import { formatInstant } from '../schema/instant.ts'
import { makeFileValueParser } from '../dataset/file-values.ts'
import { columnsOf } from '../dataset/history.ts'
import { type Inspected, inspect } from '../plan/intake.ts'
import type { StreamPlan } from '../plan/plan.ts'
import type { TableReader, TableValue } from '../store/offline/table-file.ts'
import { rawEvent } from './raw-event.ts'

/** A row of a file as the event that it would have been. */
export type FileEvent = {
  /** Counted from 1. */
  readonly row: number
  readonly value: Uint8Array
  /** Whether its stream takes it. */
  readonly inspected: Inspected
}

type Source = { readonly path: string; readonly table: TableReader; readonly timestampMs: number }

/**
 * The rows of a file as raw events, a batch at a time. A value that does not fit its field goes into the event as it
 * is, so that the stream refuses it for the reason that it has. Columns that the stream does not declare stay behind.
 */
export async function* fileEvents(
  stream: StreamPlan,
  { path, table, timestampMs }: Source,
): AsyncGenerator<readonly FileEvent[]> {
  const columns = columnsOf(stream, table, path)
  const writers = Object.entries(stream.fields).flatMap(([name, field], index) => {
    const column = columns[index]!
    return column === null ? [] : [{ name, column, write: makeWriter(field, table.instants.has(column)) }]
  })
  let row = 0
  for await (const batch of table.read(writers.map(({ column }) => column))) {
    const events: FileEvent[] = []
    for (let index = 0; index < batch.rows; index++) {
      const event: Record<string, unknown> = {}
      writers.forEach(({ name, write }, column) => {
        event[name] = write(batch.columns[column]![index]!)
      })
      row += 1
      const value = rawEvent(stream, event)
      events.push({ row, value, inspected: inspect(stream, { value, timestampMs }) })
    }
    yield events
  }
}

/** From a file's value to what the event would have had: a form that its field reads back to the same. */
function makeWriter(field: Field, holdsInstants: boolean): (value: TableValue) => unknown {
  const parse = makeFileValueParser(field, holdsInstants)
  return (value) => {
    const parsed = parse(value)
    return parsed !== null && typeof parsed === 'object' ? asItCame(value) : jsonOf(field, parsed)
  }
}

function jsonOf({ kind, scale }: Field, value: RowValue): unknown {
  if (typeof value !== 'number') return value
  if (kind === 'timestamp') return formatInstant(value)
  return kind === 'decimal' ? decimalText(value, scale ?? 0) : value
}

/** By its digits: a number could not hold all of them. */
function decimalText(scaled: number, scale: number): string {
  const digits = String(Math.abs(scaled)).padStart(scale + 1, '0')
  const point = digits.length - scale
  const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`
  return scaled < 0 ? `-${text}` : text
}

/** What JSON has no form for becomes text, which no field but one of text takes. */
function asItCame(value: TableValue): unknown {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return Array.isArray(value) ? value.map(asItCame) : value
}
