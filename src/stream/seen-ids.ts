import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { assert } from '../base/assert.ts'
import { reach } from '../base/crash-points.ts'
import { MillraceError } from '../base/faults.ts'
import type { SeenIds } from '../kernel/verdict.ts'
import type { RememberedId } from '../plan/intake.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { idsKey, segmentMax } from './store-keys.ts'

const version = 1

/** A source of a track; its topics are numbered. */
export type IdsPlace = { readonly track: number; readonly topic: number; readonly partition: number }

/**
 * The durable side of a partition's remembered ids: each checkpoint writes only the ids that are new, as one more
 * segment, and deletes whole segments that can no longer decide a verdict.
 */
export class SeenIdSegments {
  readonly #place: IdsPlace
  readonly #segments: { readonly segment: number; readonly newestTs: number }[] = []
  #next = 0

  constructor(place: IdsPlace) {
    this.#place = place
  }

  /** Reads all segments; later ones win, as they did when the ids were accepted. */
  restore(store: OnlineStore): SeenIds {
    const seen: SeenIds = new Map()
    for (const [key, value] of store.range(idsKey(this.#place, 0), idsKey(this.#place, segmentMax))) {
      const ids = decodeIds(value)
      let newestTs = -1
      for (const { id, ts, hash } of ids) {
        seen.set(id, { ts, hash })
        newestTs = Math.max(newestTs, ts)
      }
      const segment = Number(BigInt(`0x${Buffer.from(key.slice(-6)).toString('hex')}`))
      this.#segments.push({ segment, newestTs })
      this.#next = segment + 1
    }
    return seen
  }

  /** What a checkpoint writes: the new ids, and deletions of segments older than `oldestTs` throughout. */
  changes(added: readonly RememberedId[], oldestTs: number): StoreChange[] {
    const changes: StoreChange[] = []
    while (this.#segments[0] !== undefined && this.#segments[0].newestTs < oldestTs) {
      changes.push([idsKey(this.#place, this.#segments.shift()!.segment), null])
      reach('engine.ids.expired')
    }
    if (added.length > 0) {
      assert(this.#next < segmentMax, 'segments of ids are numbered within 48 bits')
      changes.push([idsKey(this.#place, this.#next), encodeIds(added)])
      const newestTs = added.reduce((newest, { ts }) => Math.max(newest, ts), -1)
      this.#segments.push({ segment: this.#next, newestTs })
      this.#next += 1
    }
    return changes
  }
}

export function encodeIds(ids: readonly RememberedId[]): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(version)
  writer.varint(ids.length)
  for (const { id, ts, hash } of ids) {
    writer.u8(typeof id === 'string' ? 1 : 0)
    if (typeof id === 'string') writer.string(id)
    else writer.zigzag(id)
    writer.varint(ts)
    writer.varint(hash >>> 0)
  }
  return writer.finish()
}

export function decodeIds(bytes: Uint8Array): RememberedId[] {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new MillraceError('STATE_VERSION_UNKNOWN', { what: 'a segment of ids', version: found, supported: version })
  }
  return Array.from({ length: reader.varint() }, () => {
    const id = reader.u8() === 1 ? reader.string() : reader.zigzag()
    return { id, ts: reader.varint(), hash: reader.varint() | 0 }
  })
}
