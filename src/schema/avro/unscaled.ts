/** More than any decimal of a database has. */
const unscaledBytesMax = 512

/**
 * The scaled integer of a decimal field, of the digits of another scale in two's complement, highest byte first. `SCALE`:
 * it has more digits after the point than the field. `RANGE`: more than the field holds.
 */
export function unscaledNumber(bytes: Uint8Array, written: number, scale: number): number | 'RANGE' | 'SCALE' {
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
