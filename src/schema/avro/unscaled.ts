/** More than any decimal of a database has. */
const unscaledBytesMax = 512

/**
 * The scaled integer of a decimal field, of the digits of another scale in two's complement, highest byte first. `SCALE`:
 * it has more digits after the point than the field. `RANGE`: more than the field holds.
 */
export function unscaledNumber(bytes: Uint8Array, written: number, scale: number): number | 'RANGE' | 'SCALE' {
  return (written === scale ? smallNumber(bytes) : null) ?? wideNumber(bytes, written, scale)
}

/** What fits into six bytes, whatever else repeats its sign; null: it does not. */
function smallNumber(bytes: Uint8Array): number | null {
  const { length } = bytes
  if (length === 0 || length > 16) return null
  // The sign is kept apart, so that bytes that only repeat it can go.
  const sign = bytes[0]! >= 0x80 ? 0xff : 0
  let at = 0
  while (length - at > 6 && bytes[at] === sign) at += 1
  if (length - at > 6) return null
  let value = sign === 0 ? 0 : -1
  for (; at < length; at++) value = value * 256 + bytes[at]!
  return value
}

function wideNumber(bytes: Uint8Array, written: number, scale: number): number | 'RANGE' | 'SCALE' {
  if (bytes.length > unscaledBytesMax || Math.abs(written) > 1_000) return 'RANGE'
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  value = BigInt.asIntN(bytes.length * 8, value)
  if (scale >= written) value *= 10n ** BigInt(scale - written)
  else {
    const factor = 10n ** BigInt(written - scale)
    if (value % factor !== 0n) return 'SCALE'
    value /= factor
  }
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : 'RANGE'
}
