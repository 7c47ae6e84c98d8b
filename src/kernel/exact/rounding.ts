/**
 * From exact numbers to the nearest double: half way goes to the even neighbour, once, at the very end. Subnormals
 * round like the rest, and what is beyond the largest double becomes an infinity. A zero is never negative.
 */

/** An exact fraction. The denominator is positive; common factors are allowed. */
export type Ratio = { readonly numerator: bigint; readonly denominator: bigint }

/** Bits of a double's significand, the hidden one included. */
const precision = 53

/** The exponent of the smallest positive double. */
const exponentMin = -1074

/** So many bits of a quotient, and whether anything was left, decide how it rounds: two more than the result has. */
const quotientBits = precision + 2

/** The double nearest to `mantissa · 2^exponent`. */
export function roundDyadic(mantissa: bigint, exponent: number): number {
  if (mantissa < 0n) return 0 - roundDyadic(-mantissa, exponent)
  if (mantissa === 0n) return 0
  const lowest = Math.max(exponent + bitLength(mantissa) - precision, exponentMin)
  const dropped = lowest - exponent
  if (dropped <= 0) return Number(mantissa) * 2 ** exponent
  const kept = mantissa >> BigInt(dropped)
  const rest = mantissa - (kept << BigInt(dropped))
  const half = 1n << BigInt(dropped - 1)
  const up = rest > half || (rest === half && (kept & 1n) === 1n)
  // Rounding up may reach 2^53, which is a double like any other.
  return Number(up ? kept + 1n : kept) * 2 ** lowest
}

/** The double nearest to a fraction. */
export function roundRatio({ numerator, denominator }: Ratio): number {
  if (numerator < 0n) return 0 - roundRatio({ numerator: -numerator, denominator })
  const shift = Math.max(0, quotientBits + 1 + bitLength(denominator) - bitLength(numerator))
  const scaled = numerator << BigInt(shift)
  const quotient = scaled / denominator
  return roundTruncated(quotient, quotient * denominator !== scaled, -shift)
}

/** The double nearest to the square root of a fraction that is not negative. */
export function roundSquareRoot({ numerator, denominator }: Ratio): number {
  // The root has half the bits of what is under it.
  const missing = Math.max(0, 2 * quotientBits + 1 + bitLength(denominator) - bitLength(numerator))
  const shift = Math.ceil(missing / 2)
  const scaled = numerator << BigInt(2 * shift)
  const quotient = scaled / denominator
  const root = integerSquareRoot(quotient)
  const exact = root * root === quotient && quotient * denominator === scaled
  return roundTruncated(root, !exact, -shift)
}

/** Bits of a magnitude that is not negative; none for zero. */
export function bitLength(magnitude: bigint): number {
  if (magnitude === 0n) return 0
  const hex = magnitude.toString(16)
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0]!, 16)))
}

/** The largest integer whose square is at most `square`. */
export function integerSquareRoot(square: bigint): bigint {
  if (square < 2n) return square
  // Newton from above: a start of at least the root falls until it is the answer.
  let root = 1n << BigInt(Math.ceil(bitLength(square) / 2))
  for (;;) {
    const next = (root + square / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/**
 * Rounds a number of which the leading bits are known, and whether anything follows them. That rest becomes one more
 * bit: with at least `quotientBits` before it, it lies below the half way point, where any bit weighs the same.
 */
function roundTruncated(leading: bigint, inexact: boolean, exponent: number): number {
  return roundDyadic((leading << 1n) | (inexact ? 1n : 0n), exponent - 1)
}
