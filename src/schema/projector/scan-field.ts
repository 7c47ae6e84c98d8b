import type { Field, TimestampUnit } from '../field.ts'
import { instantMsEnd, parseInstant } from '../instant.ts'
import { scanInstant } from './scan-instant.ts'
import { minus, plainTextEnd, point, quote, skipFalse, skipNull, skipTrue, stop } from './scan.ts'

/**
 * The values of one event by field, until the next one is projected. What is no text is a number: a decimal its scaled
 * integer, an instant its milliseconds, true 1 and false 0, and NaN for null. A text is `[starts, ends)` of the event's
 * bytes, which have it as it is; both are -1 for null.
 */
export type FieldValues = {
  readonly numbers: Float64Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

export function makeFieldValues(count: number): FieldValues {
  return { numbers: new Float64Array(count), starts: new Int32Array(count), ends: new Int32Array(count) }
}

export function setNull(values: FieldValues, index: number): void {
  values.numbers[index] = Number.NaN
  values.starts[index] = -1
  values.ends[index] = -1
}

/**
 * Reads the value of a field, at its first byte, into its place; gives the position behind it. `stop`: the field does
 * not allow it, or it is written in a way that is left to the decoder. What is read is what the decoder reads.
 */
export type FieldScanner = (bytes: Uint8Array, at: number) => number

export function makeFieldScanner(field: Field, index: number, values: FieldValues): FieldScanner {
  const scan = scannerOf(field, index, values)
  if (field.presence === 'required') return scan
  return (bytes, at) => {
    if (bytes[at] !== 0x6e) return scan(bytes, at)
    setNull(values, index)
    return skipNull(bytes, at)
  }
}

function scannerOf(field: Field, index: number, values: FieldValues): FieldScanner {
  const { numbers } = values
  switch (field.kind) {
    case 'string':
      return textScanner(index, values)
    case 'boolean':
      return (bytes, at) => {
        const isTrue = bytes[at] === 0x74
        numbers[index] = isTrue ? 1 : 0
        return isTrue ? skipTrue(bytes, at) : skipFalse(bytes, at)
      }
    case 'int':
      return (bytes, at) => {
        const end = scanNumber(bytes, at)
        if (end === stop || parts[1] !== 0) return stop
        numbers[index] = parts[0]! + 0
        return end
      }
    case 'float':
      return (bytes, at) => {
        const end = scanNumber(bytes, at)
        // Both are exact, so that their quotient is the number nearest to what is written.
        numbers[index] = parts[0]! / powersOfTen[parts[1]!]! + 0
        return end
      }
    case 'decimal':
      return decimalScanner(field.scale ?? 0, index, numbers)
    case 'timestamp':
      return instantScanner(field.unit, index, numbers)
  }
}

function textScanner(index: number, { starts, ends }: FieldValues): FieldScanner {
  return (bytes, at) => {
    if (bytes[at] !== quote) return stop
    const end = plainTextEnd(bytes, at + 1)
    starts[index] = at + 1
    ends[index] = end
    return end === stop ? stop : end + 1
  }
}

/** The decoder takes any number up to here for the decimal it is nearest to; beyond it looks at the digits. */
const scaledMax = 1e15

function decimalScanner(scale: number, index: number, numbers: Float64Array): FieldScanner {
  const store = (end: number): number => {
    if (end === stop || parts[1]! > scale) return stop
    const scaled = parts[0]! * powersOfTen[scale - parts[1]!]!
    if (scaled > scaledMax || scaled < -scaledMax) return stop
    numbers[index] = scaled + 0
    return end
  }
  return (bytes, at) => {
    if (bytes[at] !== quote) return store(scanNumber(bytes, at))
    const end = store(scanNumber(bytes, at + 1))
    return end !== stop && bytes[end] === quote ? end + 1 : stop
  }
}

function instantScanner(unit: TimestampUnit | null, index: number, numbers: Float64Array): FieldScanner {
  const store = (ms: number | null, end: number): number => {
    if (ms === null) return stop
    numbers[index] = ms
    return end
  }
  return (bytes, at) => {
    if (bytes[at] === quote) {
      const end = scanInstant(bytes, at + 1, parts)
      return end === stop || bytes[end] !== quote ? stop : store(parts[0]!, end + 1)
    }
    if (unit === null) return stop
    const end = scanNumber(bytes, at)
    if (end === stop) return stop
    const whole = parts[0]!
    if (unit === 'ms' && parts[1] === 0) return whole >= 0 && whole < instantMsEnd ? store(whole + 0, end) : stop
    return store(parseInstant(whole / powersOfTen[parts[1]!]!, unit), end)
  }
}

/** All of the digits that were read last, as an integer with its sign, and how many of them came after the point. */
const parts = new Float64Array(2)

/** So many digits are exact in a double, whatever they are. */
const digitsMax = 15

const powersOfTen: readonly number[] = Array.from({ length: digitsMax + 1 }, (_, power) => Number(`1e${power}`))

/**
 * A number of JSON's grammar with at most fifteen digits and no exponent, into `parts`. With text around it, a
 * decimal's grammar differs only in what is left out here.
 */
function scanNumber(bytes: Uint8Array, at: number): number {
  const negative = bytes[at] === minus
  const first = negative ? at + 1 : at
  let end = scanDigits(bytes, first)
  const count = end - first
  if (count === 0 || count > digitsMax || (count > 1 && bytes[first] === 0x30)) return stop
  let value = digits[0]!
  let fraction = 0
  if (bytes[end] === point) {
    const start = end + 1
    end = scanDigits(bytes, start)
    fraction = end - start
    if (fraction === 0 || count + fraction > digitsMax) return stop
    value = value * powersOfTen[fraction]! + digits[0]!
  }
  if ((bytes[end]! | 0x20) === 0x65) return stop
  parts[0] = negative ? -value : value
  parts[1] = fraction
  return end
}

const digits = new Float64Array(1)

/** The integer that up to fifteen digits stand for, into `digits`. Stops after sixteen. */
function scanDigits(bytes: Uint8Array, at: number): number {
  // Nine of them are a small integer, which is the faster kind.
  let head = 0
  let p = at
  let digit = 0
  for (const end = at + 9; p < end && (digit = bytes[p]! ^ 0x30) < 10; p++) head = head * 10 + digit
  digits[0] = head
  if (p < at + 9 || (bytes[p]! ^ 0x30) >= 10) return p
  let tail = 0
  for (const end = at + 16; p < end && (digit = bytes[p]! ^ 0x30) < 10; p++) tail = tail * 10 + digit
  digits[0] = head * powersOfTen[p - at - 9]! + tail
  return p
}
