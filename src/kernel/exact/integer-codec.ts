import { type ByteReader, type ByteWriter, MalformedBytes } from '../../base/bytes.ts'

/** The largest integer an exact state can hold is a sum of 2^53 squares of floats, aligned: below 4,200 bits. */
const integerSizeMax = 640

/**
 * Writes an integer of any size as a zigzag varint. Safe integers, whether number or bigint, take the bytes of
 * `ByteWriter.zigzag`, so equal integers have equal bytes.
 */
export function writeInteger(writer: ByteWriter, value: number | bigint): void {
  if (typeof value === 'number') {
    writer.zigzag(value)
    return
  }
  let rest = value < 0n ? -2n * value - 1n : 2n * value
  while (rest >= 0x80n) {
    writer.u8(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  writer.u8(Number(rest))
}

/** Reads what `writeInteger` wrote: a number when it is safe, else a bigint. */
export function readInteger(reader: ByteReader): number | bigint {
  let low = 0
  let scale = 1
  // Seven bytes hold 49 bits, which is safe before and after the sign is taken out.
  for (let size = 1; size <= 7; size++) {
    const byte = reader.u8()
    low += (byte & 0x7f) * scale
    scale *= 0x80
    if (byte < 0x80) {
      if (byte === 0 && size > 1) throw new MalformedBytes('an integer is longer than it has to be')
      return low % 2 === 1 ? -(low + 1) / 2 : low / 2
    }
  }
  return readLong(reader, BigInt(low))
}

function readLong(reader: ByteReader, low: bigint): number | bigint {
  let bits = low
  for (let size = 8; size <= integerSizeMax; size++) {
    const byte = reader.u8()
    bits |= BigInt(byte & 0x7f) << BigInt(7 * (size - 1))
    if (byte >= 0x80) continue
    if (byte === 0) throw new MalformedBytes('an integer is longer than it has to be')
    return narrow((bits & 1n) === 1n ? -(bits + 1n) / 2n : bits / 2n)
  }
  throw new MalformedBytes(`an integer is longer than ${integerSizeMax} bytes`)
}

/** The number of a safe integer, else the bigint itself. */
function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
}
