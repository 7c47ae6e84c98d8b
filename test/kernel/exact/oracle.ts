import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Ratio } from '../../../src/kernel/exact/rounding.ts'

// Exact arithmetic in its plainest form, sharing nothing with src/: doubles become fractions by doubling them until
// they are whole, and a result is checked against its two neighbours instead of being rounded a second time.

/** A finite double as a fraction. */
export function exactly(value: number): Ratio {
  let whole = value
  let denominator = 1n
  while (!Number.isInteger(whole)) {
    whole *= 2
    denominator *= 2n
  }
  return { numerator: BigInt(whole), denominator }
}

export function plus(left: Ratio, right: Ratio): Ratio {
  return {
    numerator: left.numerator * right.denominator + right.numerator * left.denominator,
    denominator: left.denominator * right.denominator,
  }
}

export function times(left: Ratio, right: Ratio): Ratio {
  return { numerator: left.numerator * right.numerator, denominator: left.denominator * right.denominator }
}

export function over(ratio: Ratio, divisor: bigint): Ratio {
  return { numerator: ratio.numerator, denominator: ratio.denominator * divisor }
}

/** Fractions of doubles have powers of two below, so cancelling twos keeps them short. */
export function total(values: readonly Ratio[]): Ratio {
  let sum: Ratio = { numerator: 0n, denominator: 1n }
  for (const value of values) {
    const denominator = sum.denominator > value.denominator ? sum.denominator : value.denominator
    const numerator =
      sum.numerator * (denominator / sum.denominator) + value.numerator * (denominator / value.denominator)
    sum = { numerator, denominator }
  }
  return sum
}

/** `count² · variance` of the population, by its definition: with the mean first, then the deviations from it. */
export function squaredDeviations(values: readonly Ratio[]): Ratio {
  const mean = over(total(values), BigInt(values.length))
  return values.reduce<Ratio>(
    (sum, value) => {
      const deviation = plus(value, { numerator: -mean.numerator, denominator: mean.denominator })
      return plus(sum, times(deviation, deviation))
    },
    { numerator: 0n, denominator: 1n },
  )
}

export function compareRatios(left: Ratio, right: Ratio): number {
  const difference = left.numerator * right.denominator - right.numerator * left.denominator
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** Fails unless no double is nearer to `ratio` than `actual`, and of two equally near ones it is the even one. */
export function assertNearest(actual: number, ratio: Ratio): void {
  assertBetweenMidpoints(actual, (midpoint) => compareRatios(midpoint, ratio))
}

/** The same for the square root of `ratio`: its midpoints are compared squared. */
export function assertNearestRoot(actual: number, ratio: Ratio): void {
  assert.ok(actual >= 0)
  assertBetweenMidpoints(actual, (midpoint) =>
    midpoint.numerator < 0n ? -1 : compareRatios(times(midpoint, midpoint), ratio),
  )
}

/** `compare` says on which side of the exact value a midpoint lies. */
function assertBetweenMidpoints(actual: number, compare: (midpoint: Ratio) => number): void {
  assert.ok(Number.isFinite(actual) && !Object.is(actual, -0), `${actual} is no value`)
  const half = (neighbour: number): Ratio => over(plus(exactly(actual), exactly(neighbour)), 2n)
  const below = compare(half(next(actual, -1)))
  const above = compare(half(next(actual, 1)))
  const even = bitsOf(actual) % 2n === 0n
  assert.ok(below < 0 || (below === 0 && even), `a smaller double than ${actual} is nearer`)
  assert.ok(above > 0 || (above === 0 && even), `a larger double than ${actual} is nearer`)
}

/** The neighbouring double in a direction. */
export function next(value: number, direction: 1 | -1): number {
  if (value === 0) return direction * Number.MIN_VALUE
  return fromBits(bitsOf(value) + (value > 0 === direction > 0 ? 1n : -1n))
}

export function bitsOf(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0]!
}

export function fromBits(bits: bigint): number {
  return new Float64Array(BigUint64Array.of(bits).buffer)[0]!
}

const positive = (value: number): number => value + 0

/** Doubles up to 2^960 where trouble lives: all sizes, subnormals, halves of last bits, money, small integers. */
export const anyFloat: fc.Arbitrary<number> = fc
  .oneof(
    fc.double({ noNaN: true, min: -(2 ** 960), max: 2 ** 960 }),
    fc.integer({ min: -100, max: 100 }).map((count) => count * Number.MIN_VALUE),
    fc.tuple(fc.integer({ min: -1074, max: 960 }), fc.constantFrom(1, -1)).map(([e, sign]) => sign * 2 ** e),
    fc.tuple(fc.integer({ min: -60, max: 60 }), fc.integer({ min: -9, max: 9 })).map(([e, m]) => m * 2 ** e),
    fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => cents / 100),
    fc.constantFrom(1e288, -1e288, 2 ** 960, -(2 ** 960), 2 ** 53, 2 ** 53 - 1, 2 ** -1022, 0.1, 0),
  )
  .map(positive)

/** Lists in which values also appear negated, so that sums cancel down to their last bits. */
export const cancelling: fc.Arbitrary<number[]> = fc
  .array(fc.tuple(anyFloat, fc.boolean()), { maxLength: 12 })
  .chain((pairs) =>
    fc.shuffledSubarray(
      pairs.flatMap(([value, negated]) => (negated ? [value, positive(-value)] : [value])),
      { minLength: 0 },
    ),
  )
