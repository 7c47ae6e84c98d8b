import { assert } from '../../base/assert.ts'
import { type ByteReader, type ByteWriter, MalformedBytes } from '../../base/bytes.ts'
import { compareStrings } from '../../base/compare.ts'
import type { ColumnType, ColumnValue, FeatureValue } from '../aggregation.ts'

/** An input that is not null. */
export type Present = Exclude<ColumnValue, null>

/** What an aggregation has to know of the column it reads, decided once. */
export interface Column {
  /** < 0, 0 or > 0: numbers by size, false before true, strings by code point. */
  readonly compare: (left: Present, right: Present) => number
  /** What a reader of the feature gets. Only decimals differ from what the column holds. */
  readonly output: (value: Present) => FeatureValue
  /** What a number stands for where booleans are numbers too. Never called for strings. */
  readonly fromNumber: (value: number) => Present
  readonly write: (writer: ByteWriter, value: Present) => void
  readonly read: (reader: ByteReader) => Present
}

/** Beyond 10^15 a power of ten is no safe integer, and a division by it would round twice. */
const scaleMax = 15

const integerColumn: Column = {
  compare: (left, right) => (left as number) - (right as number),
  output: (value) => value,
  fromNumber: withoutNegativeZero,
  write: (writer, value) => writer.zigzag(value as number),
  read: (reader) => reader.zigzag(),
}

const floatColumn: Column = {
  compare: compareNumbers,
  output: (value) => value,
  fromNumber: withoutNegativeZero,
  write: (writer, value) => writer.f64(value as number),
  read: (reader) => reader.f64(),
}

const booleanColumn: Column = {
  compare: (left, right) => Number(left) - Number(right),
  output: (value) => value,
  fromNumber: (value) => value === 1,
  write: (writer, value) => writer.u8(value === true ? 1 : 0),
  read: (reader) => readFlag(reader),
}

const stringColumn: Column = {
  compare: (left, right) => compareStrings(left as string, right as string),
  output: (value) => value,
  fromNumber: String,
  write: (writer, value) => writer.string(value as string),
  read: (reader) => reader.string(),
}

export function columnOf(type: ColumnType): Column {
  switch (type.kind) {
    case 'int':
    case 'timestamp':
      return integerColumn
    case 'decimal':
      return decimalColumn(scaleOf(type))
    case 'float':
      return floatColumn
    case 'boolean':
      return booleanColumn
    case 'string':
      return stringColumn
  }
}

/** Digits after the point that the column's integers carry; none but for decimals. */
export function scaleOf(type: ColumnType): number {
  if (type.kind !== 'decimal') return 0
  assert(Number.isInteger(type.scale) && type.scale >= 0 && type.scale <= scaleMax, 'a scale is in [0, 15]')
  return type.scale
}

/** -0 would compare equal to 0 and have other bytes. */
export function withoutNegativeZero<Value extends ColumnValue>(value: Value): Value | 0 {
  return value === 0 ? 0 : value
}

/** A boolean counts as 0 or 1. */
export function numberInput(input: ColumnValue): number {
  return typeof input === 'boolean' ? (input ? 1 : 0) : (input as number)
}

export function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8()
  if (flag > 1) throw new MalformedBytes(`a flag is ${flag}`)
  return flag === 1
}

/** Both sides of the division are exact, so the quotient is the double nearest to the decimal. */
function decimalColumn(scale: number): Column {
  const divisor = 10 ** scale
  return { ...integerColumn, output: (value) => (value as number) / divisor }
}

/** Without subtracting, which could overflow. */
function compareNumbers(left: Present, right: Present): number {
  return left < right ? -1 : left > right ? 1 : 0
}
