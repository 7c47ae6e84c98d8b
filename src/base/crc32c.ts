/**
 * CRC-32C (Castagnoli) of `bytes[start, end)`, as an unsigned number.
 *
 * Slicing by eight: eight bytes a step through eight tables of 256. `tables[k * 256 + b]` is what byte `b` contributes
 * when `k` more bytes follow it in the same step.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let at = start
  const lastStep = end - 8
  while (at <= lastStep) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      tables[1792 + (crc & 255)]! ^
      tables[1536 + ((crc >>> 8) & 255)]! ^
      tables[1280 + ((crc >>> 16) & 255)]! ^
      tables[1024 + (crc >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^
      tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!
    at += 8
  }
  for (; at < end; at++) crc = tables[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}

const polynomialReflected = 0x82f6_3b78

const tables = makeTables()

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomialReflected : crc >>> 1
    made[byte] = crc
  }
  for (let index = 256; index < made.length; index++) {
    const shorter = made[index - 256]!
    made[index] = made[shorter & 255]! ^ (shorter >>> 8)
  }
  return made
}
