import { assert } from '../../base/assert.ts'
import { type ByteReader, type ByteWriter, MalformedBytes } from '../../base/bytes.ts'
import { addDyadic, type Dyadic, dyadicOf, makeDyadic } from './dyadic.ts'
import { roundRatio } from './rounding.ts'

/**
 * An exact sum of doubles, as an *expansion*: `parts[0, size)` are doubles whose exact sum it is. They rise in
 * magnitude, none is zero, and no two share a bit position. What stands in `parts` from `size` on is left over and
 * means nothing.
 *
 * Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates" (1997), §2.
 * 1. Adding `x` carries it through the parts from the smallest: each step replaces (x, part) by their rounded sum and
 *    the exact error of that rounding. Errors that are not zero stay as parts, the sum is carried on.
 * 2. Nothing is ever lost, so adding `-x` takes back `x`, and the sum of the parts does not depend on any order.
 * 3. The *parts* do depend on the order. `encodeFloatSum` therefore writes other ones, which do not.
 *
 * Sums of like numbers have two or three parts; none has more than forty.
 */
export type FloatSum = { readonly parts: number[]; size: number }

/**
 * The largest magnitude that may be added. It leaves 2^64 additions of room below the largest double, so that no
 * intermediate overflows. Sums of doubles never underflow.
 */
export const floatAbsMax = 2 ** 960

export function makeFloatSum(): FloatSum {
  return { parts: [], size: 0 }
}

/** Adds a double of at most `floatAbsMax`; a negated one takes it back. */
export function addFloat(sum: FloatSum, value: number): void {
  assert(value <= floatAbsMax && value >= -floatAbsMax, 'a float in a sum is finite and at most 2^960')
  grow(sum, value)
}

/** Adds another sum, which stays as it is. */
export function addFloatSum(sum: FloatSum, other: FloatSum): void {
  for (let index = 0; index < other.size; index++) grow(sum, other.parts[index]!)
}

/**
 * The double nearest to the sum.
 *
 * 1. Add the parts from the largest down, until an addition leaves an error. The result is then the nearest double to
 *    these parts, and all further parts are smaller than the last bit of the error.
 * 2. So they matter only when the error is exactly half of the result's last bit and was rounded to even: a further
 *    part of the error's sign means that the sum is beyond half way, and the other neighbour is the nearest.
 */
export function roundFloatSum({ parts, size }: FloatSum): number {
  if (size === 0) return 0
  let index = size - 1
  let high = parts[index]!
  let error = 0
  while (index > 0 && error === 0) {
    index--
    const before = high
    const part = parts[index]!
    high = before + part
    error = part - (high - before)
  }
  const below = index > 0 ? parts[index - 1]! : 0
  if ((error > 0 && below > 0) || (error < 0 && below < 0)) {
    const neighbour = high + error * 2
    if (neighbour - high === error * 2) return neighbour
  }
  return high
}

/** The double nearest to `sum / count`, rounded once. */
export function divideFloat(sum: FloatSum, count: number): number {
  // A sum that is a double divides correctly rounded by itself. Adding 0 turns a quotient that underflows to -0 into 0.
  if (sum.size <= 1) return roundFloatSum(sum) / count + 0
  const quick = quickQuotient(sum, count)
  if (quick !== null) return quick
  const { mantissa, exponent } = dyadicOfSum(sum)
  const shift = BigInt(Math.abs(exponent))
  return exponent < 0
    ? roundRatio({ numerator: mantissa, denominator: BigInt(count) << shift })
    : roundRatio({ numerator: mantissa << shift, denominator: BigInt(count) })
}

/**
 * The quotient by divisions of doubles, where it can be shown to be the nearest; null where it cannot.
 *
 * 1. A first quotient comes from the rounded sum. What the exact sum leaves of it, over the count, corrects it.
 * 2. What is left then is at most a few last bits of the sum, so its own rounding errors are smaller by 2^50. If it is
 *    well within half of the quotient's last bit times the count, no other double is nearer.
 *
 * About one quotient in fifty is too near to half way to tell, and goes the long way.
 */
function quickQuotient(sum: FloatSum, count: number): number | null {
  const total = roundFloatSum(sum)
  const magnitude = Math.abs(total)
  // Away from both ends of the doubles, so that nothing below over- or underflows.
  if (!(magnitude > 2 ** -400 && magnitude < 2 ** 900)) return null
  const first = total / count
  // Halving moves no bits: the sum was rounded once, and the quotient is exact. Half-way cases are common here (two
  // prices add up to a double and a half of its last bit), and would all take the long way.
  if (Number.isInteger(Math.log2(count))) return first
  const quotient = first + leftOf(sum, first, count) / count
  const absolute = Math.abs(quotient)
  // Zero when the quotient is a power of two, whose neighbours are not equally far.
  const lastBit = absolute + absolute * 2 ** -53 - absolute
  return Math.abs(leftOf(sum, quotient, count)) < 0.49 * lastBit * count ? quotient : null
}

/** The sum less `quotient · count`, which is exactly `product + error` (Dekker, 1971). */
function leftOf({ parts, size }: FloatSum, quotient: number, count: number): number {
  const product = quotient * count
  const quotientHigh = highHalf(quotient)
  const quotientLow = quotient - quotientHigh
  const countHigh = highHalf(count)
  const countLow = count - countHigh
  const error =
    quotientLow * countLow - (product - quotientHigh * countHigh - quotientLow * countHigh - quotientHigh * countLow)
  let below = 0
  for (let index = 0; index < size - 1; index++) below += parts[index]!
  return parts[size - 1]! - product + (below - error)
}

/** The upper 26 bits of a double (Veltkamp's split). */
function highHalf(value: number): number {
  const scaled = value * 134_217_729
  return scaled - (scaled - value)
}

/**
 * The number of parts, then the *greedy* parts, largest first: each is the double nearest to what the ones before it
 * leave of the sum. That rule mentions the sum alone, so equal sums have equal bytes, whatever they were made of. Each
 * part is at most half of the last bit of the one before, so they are an expansion too and can be added to.
 */
export function encodeFloatSum(sum: FloatSum, writer: ByteWriter): void {
  const rest = { parts: sum.parts.slice(0, sum.size), size: sum.size }
  const greedy: number[] = []
  while (rest.size > 0) {
    const part = roundFloatSum(rest)
    greedy.push(part)
    grow(rest, -part)
  }
  writer.varint(greedy.length)
  for (const part of greedy) writer.f64(part)
}

export function decodeFloatSum(reader: ByteReader): FloatSum {
  const size = reader.varint()
  if (size * 8 > reader.remaining) throw new MalformedBytes(`a sum of ${size} parts is cut short`)
  const parts: number[] = []
  for (let index = 0; index < size; index++) {
    const part = reader.f64()
    // At most half of the last bit of the part before it. That also keeps damaged bytes from making a sum that is none.
    const most = index === 0 ? Number.MAX_VALUE : Math.abs(parts[index - 1]!) * 2 ** -53
    if (part === 0 || !(Math.abs(part) <= most)) throw new MalformedBytes(`${part} is no part ${index} of a sum`)
    parts.push(part)
  }
  parts.reverse()
  return { parts, size }
}

function grow(sum: FloatSum, value: number): void {
  const { parts, size } = sum
  let carried = value
  let kept = 0
  for (let index = 0; index < size; index++) {
    const part = parts[index]!
    const next = carried + part
    const rounded = next - carried
    const error = carried - (next - rounded) + (part - rounded)
    if (error !== 0) parts[kept++] = error
    carried = next
  }
  if (carried !== 0) parts[kept++] = carried
  sum.size = kept
}

function dyadicOfSum({ parts, size }: FloatSum): Dyadic {
  const exact = makeDyadic()
  for (let index = 0; index < size; index++) addDyadic(exact, dyadicOf(parts[index]!))
  return exact
}
