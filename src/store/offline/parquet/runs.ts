/** Where the runs lie in `bytes`: [start, end). */
export type RunsRange = { readonly start: number; readonly end: number; readonly bitWidth: number }

/**
 * Fills `into` from the hybrid of runs and bit-packed groups that levels and dictionary positions are stored in.
 * Reads nothing outside the range and writes nothing outside `into`, whatever the bytes say: a run of a damaged file
 * may claim two billion values.
 *
 * https://parquet.apache.org/docs/file-format/data-pages/encodings/#run-length-encoding--bit-packing-hybrid-rle--3
 */
export function decodeRuns(
  bytes: Uint8Array,
  { start, end, bitWidth }: RunsRange,
  into: Uint8Array | Int32Array,
): void {
  if (bitWidth > bitWidthMax) throw new Error(`values of ${bitWidth} bits, of at most ${bitWidthMax}`)
  let position = start
  let filled = 0
  while (filled < into.length) {
    let header = 0
    for (let shift = 0; ; shift += 7) {
      if (position >= end || shift > 28) throw new Error(`${filled} of ${into.length} levels or positions`)
      const byte = bytes[position++]!
      header |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    const remaining = into.length - filled
    if ((header & 1) === 0) {
      const count = Math.min(header >>> 1, remaining)
      if (position + Math.ceil(bitWidth / 8) > end) throw new Error('a run that ends after its page')
      let value = 0
      for (let shift = 0; shift < bitWidth; shift += 8) value |= bytes[position++]! << shift
      into.fill(value, filled, filled + count)
      filled += count
    } else {
      const groups = header >>> 1
      const count = Math.min(groups * 8, remaining)
      if (position + Math.ceil((count * bitWidth) / 8) > end) throw new Error('a group that ends after its page')
      unpack(bytes, { position, bitWidth }, into.subarray(filled, filled + count))
      filled += count
      position += groups * bitWidth
    }
  }
}

/** So that a value and the seven bits before it fit in 31 bits. */
const bitWidthMax = 24

function unpack(bytes: Uint8Array, from: { position: number; bitWidth: number }, into: Uint8Array | Int32Array): void {
  const { bitWidth } = from
  const mask = (1 << bitWidth) - 1
  let position = from.position
  let pending = 0
  let pendingBits = 0
  for (let i = 0; i < into.length; i++) {
    while (pendingBits < bitWidth) {
      pending |= bytes[position++]! << pendingBits
      pendingBits += 8
    }
    into[i] = pending & mask
    pending >>>= bitWidth
    pendingBits -= bitWidth
  }
}
