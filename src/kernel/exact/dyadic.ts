import { type ByteReader, type ByteWriter, MalformedBytes } from '../../base/bytes.ts'
import { readInteger, writeInteger } from './integer-codec.ts'
import { bitLength } from './rounding.ts'

/**
 * An exact binary fraction, `mantissa · 2^exponent`. Every double is one, and so are their sums and products. Many
 * pairs mean the same number; only the encoding picks one. Zero always has the exponent 0.
 */
export type Dyadic = { mantissa: bigint; exponent: number }

const scratch = new DataView(new ArrayBuffer(8))

export function makeDyadic(): Dyadic {
  return { mantissa: 0n, exponent: 0 }
}

/** The exact value of a finite double. */
export function dyadicOf(value: number): Dyadic {
  if (Number.isSafeInteger(value)) return { mantissa: BigInt(value), exponent: 0 }
  scratch.setFloat64(0, value)
  const high = scratch.getUint32(0)
  const biased = (high >>> 20) & 0x7ff
  const fraction = (high & 0xf_ffff) * 2 ** 32 + scratch.getUint32(4)
  // Subnormals lack the hidden bit and share the exponent of the smallest normal numbers.
  const significand = biased === 0 ? fraction : fraction + 2 ** 52
  return { mantissa: BigInt(value < 0 ? -significand : significand), exponent: Math.max(biased, 1) - 1075 }
}

/** Adds another exact number, which stays as it is. The exponent becomes the smaller of the two. */
export function addDyadic(sum: Dyadic, other: Dyadic): void {
  const shift = other.exponent - sum.exponent
  if (sum.mantissa === 0n || shift === 0) {
    sum.mantissa += other.mantissa
    sum.exponent = other.exponent
  } else if (shift > 0) {
    sum.mantissa += other.mantissa << BigInt(shift)
  } else if (other.mantissa !== 0n) {
    sum.mantissa = (sum.mantissa << BigInt(-shift)) + other.mantissa
    sum.exponent = other.exponent
  }
  if (sum.mantissa === 0n) sum.exponent = 0
}

export function subtractDyadic(sum: Dyadic, other: Dyadic): void {
  addDyadic(sum, { mantissa: -other.mantissa, exponent: other.exponent })
}

export function squareDyadic({ mantissa, exponent }: Dyadic): Dyadic {
  return { mantissa: mantissa * mantissa, exponent: 2 * exponent }
}

/** The mantissa, made odd, then its exponent. A number has only one odd mantissa. Zero is the mantissa alone. */
export function encodeDyadic({ mantissa, exponent }: Dyadic, writer: ByteWriter): void {
  if (mantissa === 0n) {
    writeInteger(writer, 0)
    return
  }
  const lowestBit = bitLength(mantissa & -mantissa) - 1
  writeInteger(writer, mantissa >> BigInt(lowestBit))
  writer.zigzag(exponent + lowestBit)
}

export function decodeDyadic(reader: ByteReader): Dyadic {
  const mantissa = BigInt(readInteger(reader))
  if (mantissa === 0n) return makeDyadic()
  if ((mantissa & 1n) === 0n) throw new MalformedBytes('the mantissa of an exact number is even')
  const exponent = reader.zigzag()
  if (Math.abs(exponent) > exponentAbsMax) throw new MalformedBytes(`${exponent} is no exponent of an exact number`)
  return { mantissa, exponent }
}

/** Squares of doubles go down to 2^-2148; a damaged exponent must not ask for a shift of gigabytes. */
const exponentAbsMax = 4_096
