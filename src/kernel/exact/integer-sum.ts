import type { ByteReader, ByteWriter } from '../../base/bytes.ts'
import { readInteger, writeInteger } from './integer-codec.ts'
import { type Ratio, roundRatio } from './rounding.ts'

/**
 * An exact sum of integers. While it is a safe integer, `small` is the sum and `wide` is null, and nothing is
 * allocated; beyond, `wide` is the sum and `small` is 0. So equal sums are equal states.
 */
export type IntegerSum = { small: number; wide: bigint | null }

const safeMax = Number.MAX_SAFE_INTEGER

export function makeIntegerSum(): IntegerSum {
  return { small: 0, wide: null }
}

/** Adds a safe integer; a negated one takes it back. */
export function addInteger(sum: IntegerSum, value: number): void {
  // Rounding cannot bring a sum from outside the safe range back inside, so the comparison may look at the result.
  const next = sum.small + value
  if (sum.wide === null && next <= safeMax && next >= -safeMax) sum.small = next
  else addWideInteger(sum, BigInt(value))
}

export function addWideInteger(sum: IntegerSum, value: bigint): void {
  const next = integerOf(sum) + value
  const safe = next <= safeMax && next >= -safeMax
  sum.small = safe ? Number(next) : 0
  sum.wide = safe ? null : next
}

/** The sum that a pass over doubles found; null where it went beyond what doubles add exactly. */
export function integerSumOf({
  sum,
  magnitude,
}: {
  readonly sum: number
  readonly magnitude: number
}): IntegerSum | null {
  return magnitude <= safeMax ? { small: sum, wide: null } : null
}

/** Adds another sum, which stays as it is. */
export function addIntegerSum(sum: IntegerSum, other: IntegerSum): void {
  if (other.wide === null) addInteger(sum, other.small)
  else addWideInteger(sum, other.wide)
}

export function integerOf(sum: IntegerSum): bigint {
  return sum.wide ?? BigInt(sum.small)
}

/**
 * The double nearest to `sum / (count · 10^scale)`. A plain division of two numbers that are exact is correctly
 * rounded by itself.
 */
export function divideInteger(sum: IntegerSum, count: number, scale: number): number {
  const divisor = count * powerOfTen(scale)
  if (sum.wide === null && divisor <= safeMax) return sum.small / divisor
  return roundRatio(ratioOf(sum, count, scale))
}

export function encodeIntegerSum(sum: IntegerSum, writer: ByteWriter): void {
  writeInteger(writer, sum.wide ?? sum.small)
}

export function decodeIntegerSum(reader: ByteReader): IntegerSum {
  const value = readInteger(reader)
  return typeof value === 'number' ? { small: value, wide: null } : { small: 0, wide: value }
}

function ratioOf(sum: IntegerSum, count: number, scale: number): Ratio {
  return { numerator: integerOf(sum), denominator: BigInt(count) * 10n ** BigInt(scale) }
}

const powersOfTen = Array.from({ length: 16 }, (_, scale) => Number(`1e${scale}`))

/** Exact up to 10^15; beyond, a number that no fast path accepts. */
function powerOfTen(scale: number): number {
  return powersOfTen[scale] ?? Number.POSITIVE_INFINITY
}
