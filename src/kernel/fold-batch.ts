/**
 * Accepted events of one view on their way into its states, in columns. One batch is filled, folded and used again:
 * what a fold keeps, it copies.
 */
export type FoldBatch = {
  /** How many events it holds. All arrays below may be longer. */
  size: number
  /** The encoded keys one after the other: that of event `i` is `[keyStarts[i], keyStarts[i + 1])`. */
  keyBytes: Uint8Array
  keyStarts: Uint32Array
  /** `hashKey` of the same bytes. */
  keyHashes: Uint32Array
  ts: Float64Array
  /** Null when the program keeps no ties. */
  ties: (string | number)[] | null
  /** By column of the program. */
  readonly columns: FoldColumn[]
}

/**
 * Texts as they are, null for null. Everything else as a number: decimals scaled, timestamps in epoch milliseconds,
 * booleans 0 or 1, and NaN, which no event can hold, for null.
 */
export type FoldColumn = Float64Array | (string | null)[]

/** MurmurHash3's 32-bit finish over FNV-1a: spreads the bytes of short keys over all bits. Unsigned. */
export function hashKey(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  let hash = 0x811c_9dc5 | 0
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index]!, 0x0100_0193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
