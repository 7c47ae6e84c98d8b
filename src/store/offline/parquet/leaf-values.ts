import type { DecodedArray, SchemaElement } from 'hyparquet'
import { parseFloat16 } from 'hyparquet/src/convert.js'
import type { TableValue } from '../table-file.ts'
import { flooredQuotients, numbersOf } from './int64.ts'
import { sizedArray } from './sized-array.ts'

/** Turns stored values (no nulls among them) into table values, a page at a time. May return its input. */
export type LeafConversion = (stored: DecodedArray) => ArrayLike<TableValue>

/** What the port cannot carry, in words that complete "the column … holds". */
export type Unsupported = { readonly unsupported: string }

const dayMs = 86_400_000
/** Day of 1 January 1970 in the Julian count of INT96 timestamps. */
const julianDayEpoch = 2_440_588n

/**
 * The conversion of a leaf of the schema, chosen once per column. Works on what is stored, not on what the library
 * makes of it: its decimals are multiplied by a rounded power of ten and its timestamps are one Date each.
 *
 * Instants become epoch milliseconds, floored. A timestamp without a zone is taken as UTC, a date as its midnight.
 */
export function leafConversion(element: SchemaElement): LeafConversion | Unsupported {
  const logical = element.logical_type?.type
  const converted = element.converted_type
  if (logical === 'DECIMAL' || converted === 'DECIMAL') return decimals(element)
  if (logical === 'TIMESTAMP' || converted === 'TIMESTAMP_MILLIS' || converted === 'TIMESTAMP_MICROS') {
    return timestamps(element)
  }
  if (logical === 'DATE' || converted === 'DATE') return (days) => each(days, (day: number) => day * dayMs)
  if (logical === 'TIME' || converted === 'TIME_MILLIS' || converted === 'TIME_MICROS') return refused('times of day')
  if (logical === 'FLOAT16') return (stored) => each(stored, (bytes: Uint8Array) => parseFloat16(bytes) ?? null)
  if (logical === 'UUID') return (stored) => each(stored, uuid)
  if (logical === 'INTERVAL' || converted === 'INTERVAL') return refused('intervals')
  if (logical === 'BSON' || converted === 'BSON') return refused('BSON')
  switch (element.type) {
    case 'BOOLEAN':
    case 'FLOAT':
    case 'DOUBLE':
      return asStored
    case 'INT32':
      return unsigned(element) ? (stored) => each(stored, (value: number) => value >>> 0) : asStored
    case 'INT64':
      return unsigned(element) ? unsignedNumbers : (stored) => numbersOf(stored as BigInt64Array)
    case 'INT96':
      return (stored) => each(stored, instantOfInt96)
    case 'BYTE_ARRAY':
      return strings()
    case 'FIXED_LEN_BYTE_ARRAY':
      return refused('bytes of a fixed length')
    case undefined:
    default:
      return refused(`values of type ${element.type}`)
  }
}

function refused(what: string): Unsupported {
  return { unsupported: what }
}

function asStored(stored: DecodedArray): ArrayLike<TableValue> {
  return stored as ArrayLike<TableValue>
}

function each<Stored>(stored: DecodedArray, convert: (value: Stored) => TableValue): TableValue[] {
  const from = stored as ArrayLike<Stored>
  const values = sizedArray<TableValue>(from.length)
  for (let i = 0; i < from.length; i++) values[i] = convert(from[i]!)
  return values
}

/** Whether a column's numbers are instants by the file's own word, and so come out as epoch milliseconds. */
export function isInstant({ type, logical_type, converted_type }: SchemaElement): boolean {
  const kinds: readonly (string | undefined)[] = ['TIMESTAMP', 'DATE', 'TIMESTAMP_MILLIS', 'TIMESTAMP_MICROS']
  return (
    type === 'INT96' ||
    kinds.includes(logical_type?.type) ||
    (converted_type !== undefined && kinds.includes(converted_type))
  )
}

function timestamps(element: SchemaElement): LeafConversion | Unsupported {
  if (element.type !== 'INT64') return refused(`timestamps stored as ${element.type}`)
  const logical = element.logical_type
  const unit =
    logical?.type === 'TIMESTAMP' ? logical.unit : element.converted_type === 'TIMESTAMP_MICROS' ? 'MICROS' : 'MILLIS'
  const perMs = { MILLIS: 1, MICROS: 1_000, NANOS: 1_000_000 }[unit]
  if (perMs === 1) return (stored) => numbersOf(stored as BigInt64Array)
  return (stored) => flooredQuotients(stored as BigInt64Array, perMs)
}

function instantOfInt96(value: bigint): number {
  const days = (value >> 64n) - julianDayEpoch
  return Number(days) * dayMs + Number((value & 0xffff_ffff_ffff_ffffn) / 1_000_000n)
}

function unsigned(element: SchemaElement): boolean {
  const logical = element.logical_type
  if (logical?.type === 'INTEGER') return !logical.isSigned
  return element.converted_type?.startsWith('UINT_') === true
}

function unsignedNumbers(stored: DecodedArray): ArrayLike<TableValue> {
  const numbers: (number | bigint)[] = Array.from(numbersOf(stored as BigInt64Array))
  for (let i = 0; i < numbers.length; i++) if (numbers[i]! < 0) numbers[i] = BigInt.asUintN(64, BigInt(numbers[i]!))
  return numbers
}

/** The number nearest to the decimal: what its digits would read as in JSON. */
function decimals(element: SchemaElement): LeafConversion {
  const logical = element.logical_type
  const scale = (logical?.type === 'DECIMAL' ? logical.scale : element.scale) ?? 0
  // Dividing two exact numbers rounds once, so it gives the nearest number. Powers of ten are exact up to 10^22.
  const divisor = scale <= 22 ? 10 ** scale : null
  const value = (unscaled: number | bigint): number =>
    typeof unscaled === 'number' && divisor !== null ? unscaled / divisor : Number(`${unscaled}e-${scale}`)
  if (element.type === 'INT32') return (stored) => each(stored, value)
  if (element.type === 'INT64') {
    return (stored) => Array.from<number | bigint, number>(numbersOf(stored as BigInt64Array), value)
  }
  return (stored) =>
    each(stored, (bytes: Uint8Array) => {
      const unscaled = bigEndianInteger(bytes)
      const small = Number(unscaled)
      return value(Number.isSafeInteger(small) ? small : unscaled)
    })
}

function bigEndianInteger(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(bytes.length * 8, value)
}

/** Text. Bytes that are no UTF-8 are an error of the decoder, never a replacement character. */
function strings(): LeafConversion {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  return (stored) => each(stored, (bytes: Uint8Array) => decoder.decode(bytes))
}

function uuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
