import { sizedArray } from './sized-array.ts'

/**
 * Signed 64-bit integers as pairs of 32-bit words, so that columns of them become numbers, and back, without one
 * bigint per value. Word order is that of the machine, little-endian, as everywhere in the Parquet libraries.
 */

/** The two words of each integer: `words[2 * i]` is the low one, `words[2 * i + 1]` the high one. */
export function wordsOf(integers: BigInt64Array): Int32Array {
  return new Int32Array(integers.buffer, integers.byteOffset, integers.length * 2)
}

/**
 * Numbers in doubles where all are safe integers; else those that are not as the exact bigint. The doubles take the
 * place of the integers, which are gone then: columns are large, and memory that is asked for and dropped costs more
 * than the conversion.
 */
export function numbersOf(integers: BigInt64Array): Float64Array | (number | bigint)[] {
  const words = wordsOf(integers)
  for (let i = 1; i < words.length; i += 2) {
    // High words of safe integers are in [-2^21, 2^21). Those of the least of them are left to the other loop: so is
    // -2^53, which is not safe.
    if (words[i]! <= -0x20_0000 || words[i]! >= 0x20_0000) return mixedNumbersOf(integers)
  }
  const doubles = new Float64Array(integers.buffer, integers.byteOffset, integers.length)
  for (let i = 0; i < doubles.length; i++) doubles[i] = words[2 * i + 1]! * 4_294_967_296 + (words[2 * i]! >>> 0)
  return doubles
}

function mixedNumbersOf(integers: BigInt64Array): (number | bigint)[] {
  const words = wordsOf(integers)
  const numbers = sizedArray<number | bigint>(integers.length)
  for (let i = 0; i < integers.length; i++) {
    const value = words[2 * i + 1]! * 4_294_967_296 + (words[2 * i]! >>> 0)
    numbers[i] = Number.isSafeInteger(value) ? value : integers[i]!
  }
  return numbers
}

/**
 * Each integer divided by `divisor` (at most 2^30) and floored, exactly, even where the integer itself is far beyond
 * 2^53, as nanoseconds are. The first guess in floating point is off by a few at most; the remainder, small enough to
 * be exact modulo 2^32, corrects it.
 */
export function flooredQuotients(integers: BigInt64Array, divisor: number): Float64Array {
  const words = wordsOf(integers)
  const quotients = new Float64Array(integers.length)
  for (let i = 0; i < integers.length; i++) {
    const low = words[2 * i]!
    let quotient = Math.floor((words[2 * i + 1]! * 4_294_967_296 + (low >>> 0)) / divisor)
    let remainder = (low - Math.imul(quotient, divisor)) | 0
    while (remainder < 0) {
      quotient -= 1
      remainder += divisor
    }
    while (remainder >= divisor) {
      quotient += 1
      remainder -= divisor
    }
    quotients[i] = quotient
  }
  return quotients
}
