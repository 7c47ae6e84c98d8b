import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { assert } from '../base/assert.ts'
import { reach } from '../base/crash-points.ts'
import { MillraceError } from '../base/faults.ts'
import type { IdBytes } from '../kernel/id-chunk.ts'
import { type Id, idOf, IdTable, isNumberId } from '../kernel/id-table.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { idsKey, segmentMax } from './store-keys.ts'

const version = 1
/** About: an id of a dozen letters, its time and its hash. */
const bytesPerId = 28

/** What of an event decides about others later. */
export type RememberedId = { readonly id: Id; readonly ts: number; readonly hash: number }

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

  /**
   * Reads all segments; later ones win, as they did when the ids were accepted. What the table gets then is new.
   *
   * @param chunk how many ids are forgotten together.
   */
  restore(store: OnlineStore, chunk?: number): IdTable {
    const seen = new IdTable(chunk)
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
    seen.keepUntilTaken()
    return seen
  }

  /** What a checkpoint writes: the ids that are new, and deletions of segments older than `oldestTs` throughout. */
  changes(seen: IdTable, oldestTs: number): StoreChange[] {
    const changes: StoreChange[] = []
    while (this.#segments[0] !== undefined && this.#segments[0].newestTs < oldestTs) {
      changes.push([idsKey(this.#place, this.#segments.shift()!.segment), null])
      reach('engine.ids.expired')
    }
    if (seen.untaken > 0) {
      assert(this.#next < segmentMax, 'segments of ids are numbered within 48 bits')
      const { bytes, newestTs } = encodeUntaken(seen)
      changes.push([idsKey(this.#place, this.#next), bytes])
      this.#segments.push({ segment: this.#next, newestTs })
      this.#next += 1
    }
    return changes
  }
}

/** A segment: a version, how many ids, and for each its kind, itself, its time and the hash of its payload. */
class SegmentWriter {
  readonly #writer: ByteWriter
  newestTs = -1

  constructor(count: number) {
    this.#writer = new ByteWriter(32 + count * bytesPerId)
    this.#writer.u8(version)
    this.#writer.varint(count)
  }

  add(id: Id | IdBytes, ts: number, hash: number): void {
    const writer = this.#writer
    writer.u8(typeof id === 'number' ? 0 : 1)
    if (typeof id === 'number') writer.zigzag(id)
    else if (typeof id === 'string') writer.string(id)
    else writer.bytesBetween(id.bytes, id.start, id.end)
    writer.varint(ts)
    writer.varint(hash >>> 0)
    if (ts > this.newestTs) this.newestTs = ts
  }

  finish(): Uint8Array {
    return this.#writer.finish()
  }
}

/** Straight from the table: that of a text is what a writer would make of it. */
function encodeUntaken(seen: IdTable): { bytes: Uint8Array; newestTs: number } {
  const writer = new SegmentWriter(seen.untaken)
  seen.take((id, ts, hash) => {
    writer.add(isNumberId(id) ? idOf(id) : id, ts, hash)
  })
  return { bytes: writer.finish(), newestTs: writer.newestTs }
}

export function encodeIds(ids: readonly RememberedId[]): Uint8Array {
  const writer = new SegmentWriter(ids.length)
  for (const { id, ts, hash } of ids) writer.add(id, ts, hash)
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
