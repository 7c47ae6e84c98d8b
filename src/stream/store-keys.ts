import { ByteWriter } from '../base/bytes.ts'
import { sha256 } from '../base/hash.ts'

/** How the engine's parts share one online store: a byte for the kind of entry, then its own key. */
const kindCheckpoint = 0
const kindState = 1
const kindIds = 2
const kindStateOfLongKey = 3

/** Longer keys are named by their hash. With the longest name of a view this stays within what any store takes. */
const keyBytesMax = 1024

export const checkpointKey: Uint8Array = Uint8Array.of(kindCheckpoint)

/** Nothing reads a key back from here, so a long one, of several long texts, may be its SHA-256 instead. */
export function stateKey(view: string, key: Uint8Array): Uint8Array {
  const long = key.length > keyBytesMax
  const writer = new ByteWriter()
  writer.u8(long ? kindStateOfLongKey : kindState)
  writer.string(view)
  writer.bytes(long ? Buffer.from(sha256(key), 'hex') : key)
  return writer.finish()
}

/** Ids that one checkpoint added for one source partition. Segments sort by their number. */
export function idsKey(stream: string, partition: number, segment: number): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(kindIds)
  writer.string(stream)
  writer.u8(partition >>> 8)
  writer.u8(partition & 0xff)
  for (let shift = 40; shift >= 0; shift -= 8) writer.u8(Math.floor(segment / 2 ** shift) & 0xff)
  return writer.finish()
}

export const segmentMax: number = 2 ** 48 - 1
