import { assert } from '../../base/assert.ts'

/**
 * The normal distribution's quantile: Acklam's rational approximation, made exact to some 1e-15 by one step of Halley's
 * method on the tail below.
 */
export function normalQuantile(probability: number): number {
  assert(probability > 0 && probability < 1, 'a probability is between 0 and 1')
  const start = acklam(probability)
  const error = normalBelow(start) - probability
  const step = error * Math.sqrt(2 * Math.PI) * Math.exp((start * start) / 2)
  return start - step / (1 + (start * step) / 2)
}

/** Probability that a standard normal lies below. */
export function normalBelow(value: number): number {
  const half = gammaTail(0.5, (value * value) / 2) / 2
  return value < 0 ? half : 1 - half
}

/** Probability that a chi-square of so many degrees of freedom lies above. */
export function chiSquareTail(value: number, degrees: number): number {
  return value <= 0 ? 1 : gammaTail(degrees / 2, value / 2)
}

/**
 * The upper regularised incomplete gamma function Q(a, x): its series below a + 1, Lentz's continued fraction above
 * (Numerical Recipes, §6.2).
 */
function gammaTail(a: number, x: number): number {
  if (x <= 0) return 1
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a))
  if (x < a + 1) {
    let term = 1 / a
    let sum = term
    for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-16 && n < stepsMax; n++) {
      term *= x / (a + n)
      sum += term
    }
    return 1 - scale * sum
  }
  const tiny = 1e-300
  let b = x + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let fraction = d
  for (let n = 1; n < stepsMax; n++) {
    const numerator = -n * (n - a)
    b += 2
    d = 1 / nonZero(numerator * d + b, tiny)
    c = nonZero(b + numerator / c, tiny)
    const change = d * c
    fraction *= change
    if (Math.abs(change - 1) < 1e-16) break
  }
  return scale * fraction
}

const stepsMax = 10_000

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value
}

/** Lanczos's approximation with g = 7 and nine terms. */
function logGamma(value: number): number {
  if (value < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * value)) - logGamma(1 - value)
  const x = value - 1
  const base = x + 7.5
  const sum = lanczos.reduce((total, term, index) => total + (index === 0 ? term : term / (x + index)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (x + 0.5) * Math.log(base) - base + Math.log(sum)
}

const lanczos = [
  0.999_999_999_999_809_9, 676.520_368_121_885_1, -1_259.139_216_722_402_8, 771.323_428_777_653_1,
  -176.615_029_162_140_6, 12.507_343_278_686_905, -0.138_571_095_265_720_12, 9.984_369_578_019_572e-6,
  1.505_632_735_149_311_6e-7,
]

function acklam(probability: number): number {
  const edge = 0.02425
  if (probability > 1 - edge) return -acklam(1 - probability)
  if (probability < edge) {
    const q = Math.sqrt(-2 * Math.log(probability))
    return polynomial(tailTop, q) / (q * polynomial(tailBottom, q) + 1)
  }
  const q = probability - 0.5
  const r = q * q
  return (q * polynomial(middleTop, r)) / (r * polynomial(middleBottom, r) + 1)
}

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)
}

const middleTop = [
  -39.696_830_286_653_76, 220.946_098_424_520_5, -275.928_510_446_968_7, 138.357_751_867_269, -30.664_798_066_147_16,
  2.506_628_277_459_239,
]
const middleBottom = [
  -54.476_098_798_224_06, 161.585_836_858_040_9, -155.698_979_859_886_6, 66.801_311_887_719_72, -13.280_681_552_885_72,
]
const tailTop = [
  -0.007_784_894_002_430_293, -0.322_396_458_041_136_5, -2.400_758_277_161_838, -2.549_732_539_343_734,
  4.374_664_141_464_968, 2.938_163_982_698_783,
]
const tailBottom = [0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996, 3.754_408_661_907_416]
