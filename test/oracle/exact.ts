/** Exact fractions for the oracle: slow, obvious, and no relation of `src/kernel/exact`. */
export type Fraction = { readonly n: bigint; readonly d: bigint }

export function add(a: Fraction, b: Fraction): Fraction {
  // Only to keep the numbers short: most denominators are powers of two, of which one divides the other.
  if (a.d % b.d === 0n) return { n: a.n + b.n * (a.d / b.d), d: a.d }
  if (b.d % a.d === 0n) return { n: a.n * (b.d / a.d) + b.n, d: b.d }
  return { n: a.n * b.d + b.n * a.d, d: a.d * b.d }
}

export const subtract = (a: Fraction, b: Fraction): Fraction => add(a, { n: -b.n, d: b.d })
export const multiply = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.n, d: a.d * b.d })
export const divide = (a: Fraction, count: number): Fraction => ({ n: a.n, d: a.d * BigInt(count) })

/** Every finite double is a whole number over a power of two. */
export function fractionOf(value: number): Fraction {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is no fraction`)
  let whole = value
  let doublings = 0
  for (; !Number.isInteger(whole); doublings++) whole *= 2
  return { n: BigInt(whole), d: 1n << BigInt(doublings) }
}

/** The double nearest to a fraction, half way to even, at most the largest double in magnitude. */
export function round(exact: Fraction): number {
  if (exact.n < 0n) return 0 - round({ n: -exact.n, d: exact.d })
  return nearestDouble((x) => sign(x, exact))
}

/** The double nearest to the square root of a fraction. */
export function roundRoot(exact: Fraction): number {
  return nearestDouble((x) => sign(multiply(x, x), exact))
}

function sign(a: Fraction, b: Fraction): number {
  const difference = a.n * b.d - b.n * a.d
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/**
 * Doubles that are not negative are ordered as their bits are, so the largest one that is at most the number sought
 * is found by halving; then the nearer of it and the next. `order` says where a candidate lies: < 0 below.
 */
function nearestDouble(order: (candidate: Fraction) => number): number {
  if (order({ n: 0n, d: 1n }) === 0) return 0
  let low = 0n
  let high = 0x7ff0_0000_0000_0000n // Infinity, above everything.
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    if (order(fractionOf(doubleOf(middle))) <= 0) low = middle
    else high = middle
  }
  if (low === 0x7fef_ffff_ffff_ffffn) return doubleOf(low)
  const halfWay = order(divide(add(fractionOf(doubleOf(low)), fractionOf(doubleOf(high))), 2))
  return doubleOf(halfWay < 0 || (halfWay === 0 && low % 2n === 1n) ? high : low)
}

const view = new DataView(new ArrayBuffer(8))

function doubleOf(bits: bigint): number {
  view.setBigUint64(0, bits)
  return view.getFloat64(0)
}
