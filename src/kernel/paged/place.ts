import { type ByteReader, ByteWriter } from '../../base/bytes.ts'
import { sha256Bytes } from '../../base/hash.ts'
import type { ColumnValue } from '../aggregation.ts'
import { readTie, readValue, writeTie, writeValue } from '../event-codec.ts'
import { compareAt, compareColumnValues, compareTies, type EventColumns, type KernelEvent } from '../event-columns.ts'
import type { Paging, ViewProgram } from '../program.ts'

/**
 * An event by its place in the order, and what of it that needs: with ties no values, else no tie. Equal events, which
 * there are only without ties, are told apart by how many equal ones come before.
 */
export type Place = KernelEvent & { readonly ordinal: number }

/** How many events equal to the one at `index` come before it. `ofFirst` is the answer for the first of these events. */
export function ordinalAt(events: EventColumns, index: number, { event, ofFirst }: Ordinals): number {
  if (events.ties !== null) return 0
  let first = index
  while (first > 0 && compareAt(events, first - 1, event) === 0) first -= 1
  // The events at the start may go on a run of equal ones from the page before.
  return index - first + (first === 0 ? ofFirst : 0)
}

type Ordinals = { readonly event: KernelEvent; readonly ofFirst: number }

export function placeOf({ ts, tie, values }: KernelEvent, ordinal: number, keepsTies: boolean): Place {
  return keepsTies ? { ts, tie, values: [], ordinal: 0 } : { ts, tie: 0, values: [...values], ordinal }
}

/** Equal events count as equal whatever their ordinals. */
export function comparePlace(place: Place, event: KernelEvent, keepsTies: boolean): number {
  if (place.ts !== event.ts) return place.ts - event.ts
  if (keepsTies) return compareTies(place.tie, event.tie)
  for (let column = 0; column < place.values.length; column++) {
    const order = compareColumnValues(place.values[column]!, event.values[column]!)
    if (order !== 0) return order
  }
  return 0
}

/**
 * Whether an event of this hash opens a page (1 or more), and nodes up to which level; 0: it opens nothing. That follows
 * from the event alone, so equal sets of events are cut into equal pages whatever their order of arrival.
 */
export function levelOf(hash: number, { pageBits, nodeBits }: Paging): number {
  let rest = hash
  let bitsLeft = 32 - pageBits
  if (rest % 2 ** pageBits !== 0) return 0
  rest >>>= pageBits
  let level = 1
  while (bitsLeft >= nodeBits && rest % 2 ** nodeBits === 0) {
    level += 1
    bitsLeft -= nodeBits
    rest >>>= nodeBits
  }
  return level
}

export function writePlace(writer: ByteWriter, place: Place, { columns, keepsTies }: ViewProgram): void {
  if (keepsTies) {
    writeTie(writer, place.tie)
    return
  }
  writer.varint(place.ordinal)
  for (let column = 0; column < columns.length; column++) {
    writeValue(writer, columns[column]!.kind, place.values[column]!)
  }
}

export function readPlace(reader: ByteReader, ts: number, { columns, keepsTies }: ViewProgram): Place {
  if (keepsTies) return { ts, tie: readTie(reader), values: [], ordinal: 0 }
  const ordinal = reader.varint()
  return { ts, tie: 0, values: columns.map(({ kind }) => readValue(reader, kind)), ordinal }
}

/** Names sort by time; the rest is of the opener's own bytes, and nobody can make two of them alike. */
export const pageNameBytes = 23

/** What a record is stored under, among those of its key: time (6 bytes) · hash of the place (16) · level (1). */
export function nameOfRecord(opener: Place, level: number, program: ViewProgram): Uint8Array {
  const writer = new ByteWriter()
  writePlace(writer, opener, program)
  const name = new Uint8Array(pageNameBytes)
  for (let index = 0; index < 6; index++) name[index] = Math.floor(opener.ts / 2 ** (40 - 8 * index)) & 0xff
  name.set(sha256Bytes(writer.finish()).subarray(0, 16), 6)
  name[22] = level
  return name
}

const scratch = new Float64Array(1)
const halves = new Uint32Array(scratch.buffer)

/** MurmurHash3 over the parts of a place, unsigned. */
export function hashPlace({ ts, tie, values }: KernelEvent, ordinal: number, keepsTies: boolean): number {
  let hash = mixValue(0, ts)
  if (keepsTies) hash = mixValue(hash, tie)
  else {
    hash = mixValue(hash, ordinal)
    for (let column = 0; column < values.length; column++) hash = mixValue(hash, values[column]!)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function mixValue(hash: number, value: ColumnValue): number {
  if (typeof value === 'number') {
    scratch[0] = value
    return mix(mix(hash, halves[0]!), halves[1]!)
  }
  if (typeof value !== 'string') return mix(hash, value === null ? 1 : value ? 3 : 2)
  let text = 0x811c_9dc5 | 0
  for (let index = 0; index < value.length; index++) text = Math.imul(text ^ value.charCodeAt(index), 0x0100_0193)
  return mix(mix(hash, text), value.length)
}

function mix(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e_2d51)
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b87_3593)
  mixed ^= hash
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe654_6b64) | 0
}
