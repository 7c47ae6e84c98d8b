import { ByteWriter } from '../base/bytes.ts'

/** How the engine's parts share one online store: a byte for the kind of entry, then its own key. */
const kindCheckpoint = 0
const kindState = 1
const kindIds = 2

export const checkpointKey: Uint8Array = Uint8Array.of(kindCheckpoint)

export function stateKey(view: string, key: Uint8Array): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(kindState)
  writer.string(view)
  writer.bytes(key)
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
