import { assert } from '../base/assert.ts'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'

/**
 * Names the record that this one stands in for: the offset of an earlier record of the same partition. Only the replay
 * of a rejected event sets it; neither HTTP nor the library takes headers from a sender.
 */
export const standInHeader = 'millrace.replay-of'

type Headers = readonly (readonly [name: string, value: Uint8Array])[]

/** The offset that a record stands in for; null for an event of its own, as nearly all are. */
export function standsInFor(headers: Headers): number | null {
  for (const [name, value] of headers) {
    if (name !== standInHeader) continue
    const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
    return /^\d{1,15}$/.test(text) ? Number(text) : null
  }
  return null
}

/** How many of a partition's rejections can be stood in for: the newest so many. What a storm of poison may cost. */
export const openRejectionsMax = 10_000

const version = 1

/**
 * The rejections of one source partition that nothing stands in for yet, by offset.
 *
 * They are what makes a replay count once, with an id or without: a stand-in is judged only while its original is
 * open, and an accepted one closes it. A record that was accepted in its own place, because other definitions read it
 * now, was never open to them, so its stand-in is a duplicate there.
 */
export class OpenRejections {
  readonly #offsets: number[]
  /** What lies before was displaced by newer ones, and does not come back when some of those are closed. */
  #first = 0
  #displacedTo: number
  #changed = false

  private constructor(offsets: number[], displacedTo: number) {
    this.#offsets = offsets
    this.#displacedTo = displacedTo
  }

  static none(): OpenRejections {
    return new OpenRejections([], 0)
  }

  /** Throws `STATE_VERSION_UNKNOWN`. */
  static decode(bytes: Uint8Array): OpenRejections {
    const reader = new ByteReader(bytes)
    const found = reader.u8()
    if (found !== version) {
      throw new MillraceError('STATE_VERSION_UNKNOWN', { what: 'open rejections', version: found, supported: version })
    }
    const displacedTo = reader.varint()
    const count = reader.varint()
    let offset = displacedTo - 1
    const offsets = Array.from({ length: count }, () => (offset += 1 + reader.varint()))
    return new OpenRejections(offsets, displacedTo)
  }

  encode(): Uint8Array {
    const writer = new ByteWriter()
    writer.u8(version)
    writer.varint(this.#displacedTo)
    writer.varint(this.size)
    let before = this.#displacedTo - 1
    for (let index = this.#first; index < this.#offsets.length; index++) {
      writer.varint(this.#offsets[index]! - before - 1)
      before = this.#offsets[index]!
    }
    return writer.finish()
  }

  get size(): number {
    return this.#offsets.length - this.#first
  }

  /** Rejections below this offset were displaced by newer ones: of a record there nobody knows whether it was one. */
  get displacedTo(): number {
    return this.#displacedTo
  }

  has(offset: number): boolean {
    return this.#find(offset) >= 0
  }

  add(offset: number): void {
    assert(offset > (this.#offsets.at(-1) ?? -1), 'rejections come in offset order')
    this.#offsets.push(offset)
    this.#changed = true
    if (this.size > openRejectionsMax) {
      this.#displacedTo = this.#offsets[this.#first]! + 1
      this.#first += 1
    }
    if (this.#first < openRejectionsMax) return
    // Once in so many rejections, so that each costs no more than its own place.
    this.#offsets.splice(0, this.#first)
    this.#first = 0
  }

  close(offset: number): void {
    const index = this.#find(offset)
    assert(index >= 0, 'only an open rejection is closed')
    this.#offsets.splice(index, 1)
    this.#changed = true
  }

  /** The encoded form when it is another one than at the last call, else null. */
  takeChange(): Uint8Array | null {
    if (!this.#changed) return null
    this.#changed = false
    return this.encode()
  }

  /** By halves: the index of an open one, else -1. */
  #find(offset: number): number {
    let [low, high] = [this.#first, this.#offsets.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#offsets[middle]! < offset) low = middle + 1
      else high = middle
    }
    return this.#offsets[low] === offset ? low : -1
  }
}
