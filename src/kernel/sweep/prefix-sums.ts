import type { FloatSum } from '../exact/float-sum.ts'

/**
 * Exact sums of everything before each place, so that the sum of any range is one subtraction. Longer than the values
 * by one.
 */
export type IntegerPrefixes = { readonly kind: 'integer'; readonly sums: Float64Array }

/**
 * The same of floats, in two parts that together are the exact sum. `high` holds multiples of a unit, `low` what is
 * left, at most about half a unit. Differences of each part are exact, so a range's sum is the sum of two doubles.
 */
export type FloatPrefixes = { readonly kind: 'float'; readonly high: Float64Array; readonly low: Float64Array }

/** Up to here the difference of two prefixes is a safe integer. */
const integerAbsMax = 2 ** 52

/** Of safe integers, where `included`. Null: they add up to too much. */
export function integerPrefixes(values: Float64Array, included: Uint8Array): IntegerPrefixes | null {
  const sums = new Float64Array(values.length + 1)
  let sum = 0
  for (let index = 0; index < values.length; index++) {
    if (included[index] === 1) {
      sum += values[index]!
      if (sum > integerAbsMax || sum < -integerAbsMax) return null
    }
    sums[index + 1] = sum
  }
  return { kind: 'integer', sums }
}

/**
 * Of floats, where `included`. Null: the bits from the lowest of any value to the highest of the sum are more than the
 * two parts hold together, or too near to either end of the doubles.
 *
 * 1. Let all values be multiples of 2^e, and the unit be 2^(e+51). A value is split into the nearest multiple of the
 *    unit and the rest, which is a multiple of 2^e of at most half a unit: both are exact.
 * 2. `low` adds up the rests, and hands whole units on to `high`: it never has more than 52 bits.
 * 3. `high` adds up units, fewer than 2^51 of them by the check below: it never has more than 52 bits either.
 */
export function floatPrefixes(values: Float64Array, included: Uint8Array): FloatPrefixes | null {
  const extent = extentOf(values, included)
  if (extent === null) return null
  const unit = 2 ** (extent.lowestBit + 51)
  // A number of this size has the unit as its last bit: adding it rounds to units, subtracting it leaves them.
  const rounder = 1.5 * 2 ** 52 * unit
  const high = new Float64Array(values.length + 1)
  const low = new Float64Array(values.length + 1)
  let units = 0
  let rest = 0
  for (let index = 0; index < values.length; index++) {
    if (included[index] === 1) {
      const value = values[index]!
      const whole = value + rounder - rounder
      const sum = rest + (value - whole)
      const carried = sum + rounder - rounder
      rest = sum - carried
      units += whole + carried
    }
    high[index + 1] = units
    low[index + 1] = rest
  }
  return { kind: 'float', high, low }
}

/** The lowest bit of any value, as its exponent; null where the two parts are too small for the values or their sum. */
function extentOf(values: Float64Array, included: Uint8Array): { readonly lowestBit: number } | null {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2)
  let lowestBit = Number.POSITIVE_INFINITY
  let greatest = 0
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!
    if (included[index] !== 1 || value === 0) continue
    const low = words[2 * index]!
    const high = words[2 * index + 1]!
    const exponent = (high >>> 20) & 0x7ff
    if (exponent === 0) return null
    const trailing = low !== 0 ? trailingZeros(low) : 32 + trailingZeros((high & 0xf_ffff) | 0x10_0000)
    if (exponent - 1075 + trailing < lowestBit) lowestBit = exponent - 1075 + trailing
    const magnitude = value < 0 ? -value : value
    if (magnitude > greatest) greatest = magnitude
  }
  if (greatest === 0) return { lowestBit: 0 }
  if (lowestBit < -900 || lowestBit > 800) return null
  return values.length * greatest < 2 ** (lowestBit + 101) ? { lowestBit } : null
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word)
}

/** The double nearest to the sum of a range: two exact differences, rounded together once. */
export function rangeSum({ high, low }: FloatPrefixes, from: number, to: number): number {
  return high[to]! - high[from]! + (low[to]! - low[from]!)
}

/** The exact sum of a range as an expansion, into one that is used again. */
export function rangeExpansion(
  { high, low }: FloatPrefixes,
  range: { from: number; to: number },
  into: FloatSum,
): void {
  const { from, to } = range
  const large = high[to]! - high[from]!
  const small = low[to]! - low[from]!
  const sum = large + small
  const added = sum - large
  const error = large - (sum - added) + (small - added)
  let size = 0
  if (error !== 0) into.parts[size++] = error
  if (sum !== 0) into.parts[size++] = sum
  into.size = size
}
