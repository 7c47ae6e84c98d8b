/**
 * The hash by which the Java Kafka client places a keyed record: 32-bit murmur2 with Kafka's seed, as a signed number.
 * Other producers may place differently (librdkafka's default does).
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  const wholeWords = length & ~3
  let hash = seed ^ length
  for (let at = 0; at < wholeWords; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, multiplier)
    word = Math.imul(word ^ (word >>> 24), multiplier)
    hash = Math.imul(hash, multiplier) ^ word
  }
  const rest = length - wholeWords
  if (rest > 2) hash ^= bytes[wholeWords + 2]! << 16
  if (rest > 1) hash ^= bytes[wholeWords + 1]! << 8
  if (rest > 0) hash = Math.imul(hash ^ bytes[wholeWords]!, multiplier)
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}

/** Whether the first byte of a word in memory is its lowest, as nearly everywhere. */
const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** The same of the first so many bytes of an array, as words: a load for each instead of four. */
export function murmur2OfWords(words: Int32Array, length: number): number {
  if (!isLittleEndian) return murmur2(new Uint8Array(words.buffer, words.byteOffset, length))
  const wholeWords = length >> 2
  let hash = seed ^ length
  for (let at = 0; at < wholeWords; at++) {
    const word = Math.imul(words[at]!, multiplier)
    hash = Math.imul(hash, multiplier) ^ Math.imul(word ^ (word >>> 24), multiplier)
  }
  const rest = (length & 3) << 3
  if (rest > 0) hash = Math.imul(hash ^ (words[wholeWords]! & ((1 << rest) - 1)), multiplier)
  hash = Math.imul(hash ^ (hash >>> 13), multiplier)
  return hash ^ (hash >>> 15)
}

/** The partition of `[0, partitions)` that the Java client picks for a key. */
export function partitionFor(key: Uint8Array, partitions: number): number {
  // Clearing the sign bit, not taking the magnitude: that is what Kafka's toPositive does.
  return (murmur2(key) & 0x7fff_ffff) % partitions
}

const seed = 0x9747_b28c | 0
const multiplier = 0x5bd1_e995
