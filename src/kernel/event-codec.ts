import { type ByteReader, type ByteWriter, MalformedBytes, putVarint, putZigzag } from '../base/bytes.ts'
import type { ColumnType, ColumnValue } from './aggregation.ts'
import type { EventColumns } from './event-columns.ts'
import type { ViewProgram } from './program.ts'

/**
 * Durable form of events in columns: count · ts of the first, then deltas · ties · columns. Whole numbers are varints.
 * The program says which columns there are.
 */
export function writeEvents(writer: ByteWriter, { columns }: Pick<ViewProgram, 'columns'>, events: EventColumns): void {
  writer.varint(events.ts.length)
  let previous = 0
  for (const ts of events.ts) {
    writer.varint(ts - previous)
    previous = ts
  }
  for (const tie of events.ties ?? []) writeTie(writer, tie)
  for (let column = 0; column < events.columns.length; column++) {
    const { kind } = columns[column]!
    for (const value of events.columns[column]!) writeValue(writer, kind, value)
  }
}

/** Reads into columns without events. */
export function readEvents(reader: ByteReader, { columns }: Pick<ViewProgram, 'columns'>, events: EventColumns): void {
  const count = reader.varint()
  let ts = 0
  for (let index = 0; index < count; index++) {
    ts += reader.varint()
    events.ts.push(ts)
  }
  if (events.ties !== null) for (let index = 0; index < count; index++) events.ties.push(readTie(reader))
  for (let column = 0; column < columns.length; column++) {
    const { kind } = columns[column]!
    const values = events.columns[column]!
    for (let index = 0; index < count; index++) values.push(readValue(reader, kind))
  }
}

export function writeTie(writer: ByteWriter, tie: string | number): void {
  writer.u8(typeof tie === 'string' ? 1 : 0)
  if (typeof tie === 'string') writer.string(tie)
  else writer.zigzag(tie)
}

export function readTie(reader: ByteReader): string | number {
  return reader.u8() === 1 ? reader.string() : reader.zigzag()
}

// One byte says null, false, true, or that a value follows.
const tagNull = 0
const tagFalse = 1
const tagTrue = 2
const tagValue = 3

export function writeValue(writer: ByteWriter, kind: ColumnType['kind'], value: ColumnValue): void {
  if (value === null) writer.u8(tagNull)
  else if (typeof value === 'boolean') writer.u8(value ? tagTrue : tagFalse)
  else {
    writer.u8(tagValue)
    if (typeof value === 'string') writer.string(value)
    else if (kind === 'float') writer.f64(value)
    else writer.zigzag(value)
  }
}

/** Numbers among others: those at `from`, `from + step` … below `to`. */
export type Strided = {
  readonly numbers: Float64Array
  readonly from: number
  readonly to: number
  readonly step: number
}

/** As `varint` of the first and then of the differences. They rise. */
export function writeTimes(writer: ByteWriter, { numbers, from, to, step }: Strided): void {
  const bytes = writer.reserve(8 * (to - from))
  let at = writer.size
  let previous = 0
  for (let index = from; index < to; index += step) {
    at = putVarint(bytes, at, numbers[index]! - previous)
    previous = numbers[index]!
  }
  writer.advance(at)
}

/** As `writeValue` of each, of values that are no texts: booleans are 0 and 1, null is NaN. */
export function writeNumbers(writer: ByteWriter, kind: ColumnType['kind'], { numbers, from, to, step }: Strided): void {
  if (kind === 'float') {
    for (let index = from; index < to; index += step) {
      writeValue(writer, kind, Number.isNaN(numbers[index]) ? null : numbers[index]!)
    }
    return
  }
  // A tag and up to eight bytes each.
  const bytes = writer.reserve(9 * (to - from))
  let at = writer.size
  for (let index = from; index < to; index += step) {
    const value = numbers[index]!
    if (value !== value) bytes[at++] = tagNull
    else if (kind === 'boolean') bytes[at++] = value === 1 ? tagTrue : tagFalse
    else {
      bytes[at++] = tagValue
      at = putZigzag(bytes, at, value)
    }
  }
  writer.advance(at)
}

export function readValue(reader: ByteReader, kind: ColumnType['kind']): ColumnValue {
  const tag = reader.u8()
  if (tag === tagNull) return null
  if (kind === 'boolean' && (tag === tagFalse || tag === tagTrue)) return tag === tagTrue
  if (kind === 'boolean' || tag !== tagValue) throw new MalformedBytes(`${tag} is no tag of a value`)
  return kind === 'string' ? reader.string() : kind === 'float' ? reader.f64() : reader.zigzag()
}
