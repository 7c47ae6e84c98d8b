/**
 * What a key with a string value takes in Redis 7.0, by its sources: `dictEntry` (dict.h) and a bucket of the table,
 * the key as an sds (sds.h: header, text, a zero), `redisObject` (server.h, 16 bytes), the value as an sds. Each
 * allocation is rounded up to a size class of jemalloc (jemalloc.3, "size classes": multiples of 16 up to 128, then
 * four to each doubling). Redis' own build of jemalloc has a class of 24 beside them; the packages of Debian do not.
 */
export type RedisBytes = { readonly total: number; readonly arithmetic: string }

export function redisStringBytes(keyLength: number, valueLength: number, keys: number): RedisBytes {
  const entry = sizeClass(24)
  // The table has as many buckets as the next power of two, 8 bytes each.
  const bucket = (8 * 2 ** Math.ceil(Math.log2(keys))) / keys
  const key = sizeClass(sdsBytes(keyLength))
  // Up to 44 bytes lie in one piece of 64 with the object.
  const short = valueLength <= 44
  const object = short ? 0 : sizeClass(16)
  const value = short ? 64 : sizeClass(sdsBytes(valueLength))
  const arithmetic = `entry ${entry} + bucket ${bucket.toFixed(1)} + key of ${keyLength}: ${key} + object ${object} + JSON of ${valueLength}: ${value}`
  return { total: entry + bucket + key + object + value, arithmetic }
}

function sdsBytes(length: number): number {
  const header = length < 32 ? 1 : length < 2 ** 8 ? 3 : length < 2 ** 16 ? 5 : 9
  return header + length + 1
}

/** The bytes that jemalloc sets aside for an allocation. */
export function sizeClass(bytes: number): number {
  if (bytes <= 8) return 8
  if (bytes <= 128) return Math.ceil(bytes / 16) * 16
  const step = 2 ** (Math.ceil(Math.log2(bytes)) - 3)
  return Math.ceil(bytes / step) * step
}
