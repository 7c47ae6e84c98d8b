/**
 * Seeded randomness that is the same on every machine, bit for bit. Only integer operations, `+ - * /` and `Math.sqrt`
 * are used, which IEEE 754 rounds exactly; `Math.log`, `exp` and `cos` may differ between engines and are avoided.
 */
export type Random = () => number

/**
 * Uniform numbers in [0, 1) with 53 bits. Each purpose has a stream of its own, so that drawing more for one of them
 * leaves the others as they were. The generator is sfc32 (Doty-Humphrey, PractRand).
 */
export function makeRandom(seed: number, purpose: string): Random {
  const name = `${seed}/${purpose}`
  let a = hash(name, 0x9e3779b9)
  let b = hash(name, 0x7f4a7c15)
  let c = hash(name, 0x94d049bb)
  let counter = 1
  const next = (): number => {
    const out = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + out
    return out
  }
  // The first words still show the seed; a dozen rounds mix it into all of the state.
  for (let round = 0; round < 12; round++) next()
  return () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000
}

/** FNV-1a over the characters, then the finaliser of murmur3, so that near names give far states. */
function hash(text: string, start: number): number {
  let word = start
  for (let index = 0; index < text.length; index++) word = Math.imul(word ^ text.charCodeAt(index), 0x01000193)
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return word ^ (word >>> 16)
}

/** A whole number in [0, count). */
export function drawIndex(random: Random, count: number): number {
  return Math.floor(random() * count)
}

/** As many different whole numbers of [0, count) as asked for; all of them when there are no more. */
export function drawDistinct(random: Random, draws: number, count: number): ReadonlySet<number> {
  const drawn = new Set<number>()
  while (drawn.size < Math.min(draws, count)) drawn.add(drawIndex(random, count))
  return drawn
}

/** Normal with mean 0 and deviation 1, by Marsaglia's polar method. */
export function drawNormal(random: Random): number {
  for (;;) {
    const u = 2 * random() - 1
    const v = 2 * random() - 1
    const square = u * u + v * v
    if (square > 0 && square < 1) return u * Math.sqrt((-2 * naturalLog(square)) / square)
  }
}

/** Poisson: how many arrivals fall into `mean` when the gaps are exponential with mean 1. Costs O(mean). */
export function drawPoisson(random: Random, mean: number): number {
  let count = 0
  let elapsed = -naturalLog(1 - random())
  while (elapsed < mean) {
    count++
    elapsed -= naturalLog(1 - random())
  }
  return count
}

/**
 * ln(x) for x in (0, 1], to about one part in 10^15. With x = m·2^-k and m in [0.75, 1.5),
 * ln(m) = 2·(s + s³/3 + s⁵/5 + …) where s = (m - 1)/(m + 1); |s| <= 1/5, so 13 terms reach the last bit.
 */
export function naturalLog(x: number): number {
  let mantissa = x
  let halvings = 0
  while (mantissa < 0.75) {
    mantissa *= 2
    halvings++
  }
  const s = (mantissa - 1) / (mantissa + 1)
  const square = s * s
  let series = 0
  for (let odd = 25; odd >= 1; odd -= 2) series = series * square + 1 / odd
  return 2 * s * series - halvings * 0.6931471805599453
}
