/**
 * Zigzag variable-length integers, as Kafka's records use them: seven bits a byte, lowest first.
 *
 * Reading never leaves `[cursor.at, cursor.end)` and gives null when the number is cut, longer than its type allows,
 * or no safe integer. A null leaves the cursor anywhere.
 */
export type Cursor = { readonly bytes: Uint8Array; at: number; readonly end: number }

/** A signed 32-bit number of one to five bytes. */
export function readVarint(cursor: Cursor): number | null {
  const { bytes, end } = cursor
  let raw = 0
  for (let shift = 0; shift < 35; shift += 7) {
    if (cursor.at >= end) return null
    const byte = bytes[cursor.at++]!
    // The fifth byte holds the top four bits; anything above them is no 32-bit number.
    if (shift === 28 && byte > 15) return null
    raw |= (byte & 127) << shift
    if (byte < 128) return (raw >>> 1) ^ -(raw & 1)
  }
  return null
}

/** A signed 64-bit number of one to ten bytes, if it is a safe integer. */
export function readVarlong(cursor: Cursor): number | null {
  const start = cursor.at
  const { bytes, end } = cursor
  let raw = 0
  for (let shift = 0; shift < 28; shift += 7) {
    if (cursor.at >= end) return null
    const byte = bytes[cursor.at++]!
    raw |= (byte & 127) << shift
    if (byte < 128) return (raw >>> 1) ^ -(raw & 1)
  }
  cursor.at = start
  return readLongVarlong(cursor)
}

function readLongVarlong(cursor: Cursor): number | null {
  let raw = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    if (cursor.at >= cursor.end) return null
    const byte = cursor.bytes[cursor.at++]!
    if (shift === 63n && byte > 1) return null
    raw |= BigInt(byte & 127) << shift
    if (byte < 128) {
      const value = Number((raw >> 1n) ^ -(raw & 1n))
      return Number.isSafeInteger(value) ? value : null
    }
  }
  return null
}

/** Bytes that `writeVarlong` takes. */
export function varlongBytes(value: number): number {
  if (fitsOneWord(value)) {
    const raw = zigzag(value)
    if (raw < 0x80) return 1
    if (raw < 0x4000) return 2
    if (raw < 0x20_0000) return 3
    return raw < 0x1000_0000 ? 4 : 5
  }
  let raw = zigzagLong(value)
  let bytes = 1
  while (raw >= 128n) {
    raw >>= 7n
    bytes++
  }
  return bytes
}

/**
 * Writes a safe integer at `at` and returns the position after it. A 32-bit number has the same bytes as a varint and
 * as a varlong, so one function writes both.
 */
export function writeVarlong(target: Uint8Array, at: number, value: number): number {
  let position = at
  if (fitsOneWord(value)) {
    let raw = zigzag(value)
    while (raw >= 128) {
      target[position++] = (raw & 127) | 128
      raw >>>= 7
    }
    target[position++] = raw
    return position
  }
  let raw = zigzagLong(value)
  while (raw >= 128n) {
    target[position++] = Number(raw & 127n) | 128
    raw >>= 7n
  }
  target[position++] = Number(raw)
  return position
}

function fitsOneWord(value: number): boolean {
  return value === (value | 0)
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0
}

function zigzagLong(value: number): bigint {
  const wide = BigInt(value)
  return wide >= 0n ? wide << 1n : (-wide << 1n) - 1n
}
