import { assert } from '../../base/assert.ts'
import { compareStrings } from '../../base/compare.ts'
import { type ByteReader, ByteWriter } from '../../base/bytes.ts'
import { compareTies, eventAt, type KernelEvent } from '../event-columns.ts'
import type { FoldBatch } from '../fold-batch.ts'
import { PagedEvents } from '../paged/paged-events.ts'
import { type PageChange, type PageSource, pagesInMemory } from '../paged/span-store.ts'
import { standardPaging, type ViewProgram } from '../program.ts'
import { Arena } from './arena.ts'
import { layoutOf, releaseRow, type RowLayout, tieOf, toDouble, toTie, valueOf, writeRow } from './row-layout.ts'
import { SlotTiles } from './slot-tiles.ts'
import { Texts } from './texts.ts'

/**
 * A head is 64 bytes, so that a key costs one cache line besides its events. As doubles: the newest time, how many
 * events were applied, the newest time in the base. From byte 24 on as 32-bit words: see below. From byte 48 on the
 * key, or the address of where it lies.
 */
const headBytes = 64
const headDoubles = headBytes / 8
const headWords = headBytes / 4
const wordBlock = 6
const wordStart = 7
const wordCount = 8
const wordCapacity = 9
const wordGeneration = 10
const wordKeySize = 11
const wordKeyAddress = 12
const inlineKeyAt = 48
const inlineKeyMax = headBytes - inlineKeyAt
/** In place of the size of a key: the slot is free. */
const vacant = 0xffff_ffff

/** Rows of the smallest block. Each next size is twice that. */
const capacityMin = 4

/**
 * The states of many keys of one view, each under a slot, in a few large arrays: no object per key or event.
 *
 * What is kept per key: the raw events that a window can still reach, in rows, by time and tie (without ties by time
 * and values); and one partial aggregate per lifetime aggregation over the events before them, the *base* (and one per
 * slice of time where the program has a tiling). Which events are raw follows from the set of events alone: those at or
 * after `floor`, the newest event's instant less the horizon and the span. Events that fell below it may linger as rows
 * until `settle`: an event is in the rows or in the base, never in both, and reads look at both.
 *
 * The raw events of a key that has many are not in rows but in pages (`paged`).
 */
export class Slab {
  readonly program: ViewProgram
  readonly layout: RowLayout
  readonly texts = new Texts()
  /** The events below the floor that windows can still reach, where those are not raw. */
  readonly tiles: SlotTiles
  /** The event that `apply` adds: written by `stage`, or by whoever has it in columns. */
  readonly staged: Float64Array
  readonly #arena = new Arena()
  readonly #width: number
  /** By slot; none before a first event fell below the floor. */
  readonly #bases: (unknown[] | undefined)[] = []
  /** By slot; of the few keys that have many events. */
  readonly #paged = new Map<number, PagedEvents>()
  /** Records of keys that went back to rows: still to be deleted. */
  readonly #droppedPages = new Map<number, PageChange[]>()
  readonly #pagesOf: PagesOf
  /** A key with more raw events is written in pages, one with fewer or as many in rows: whatever it was before. */
  readonly #rowsMax: number
  readonly #free: number[] = []
  #doubles = new Float64Array(headDoubles)
  #words = new Uint32Array(this.#doubles.buffer)
  #bytes = new Uint8Array(this.#doubles.buffer)
  #slots = 0

  /** @param pagesOf where the pages of a key are kept; without, all of them stay in memory. */
  constructor(program: ViewProgram, pagesOf: PagesOf = () => pagesInMemory()) {
    this.program = program
    this.#pagesOf = pagesOf
    this.#rowsMax = (program.paging ?? standardPaging).rowsMax
    this.layout = layoutOf(program)
    this.tiles = new SlotTiles(program)
    this.#width = this.layout.width
    this.staged = new Float64Array(this.layout.width)
  }

  /** Bytes held, bases and tiles left out. */
  get bytes(): number {
    return this.#bytes.length + this.#arena.bytes + this.texts.bytes
  }

  /** Bytes that states take, out of those held: what falls when keys are let go. */
  get usedBytes(): number {
    return (this.#slots - this.#free.length) * headBytes + this.#arena.usedBytes + this.texts.bytes
  }

  /** Slots lie below this. */
  get slotsEnd(): number {
    return this.#slots
  }

  // Slots and their keys.

  /** A slot for a key, whose bytes are those in `[start, end)`, without any event. */
  allocate(key: Uint8Array, start = 0, end: number = key.length): number {
    const slot = this.#free.pop() ?? this.#slots++
    if (slot * headBytes >= this.#bytes.length) this.#growHeads()
    const size = end - start
    const word = slot * headWords
    this.#words[word + wordKeySize] = size
    if (size > inlineKeyMax) this.#words[word + wordKeyAddress] = this.#arena.allocate(doublesOf(size))
    const { bytes, at } = this.#keyPlace(slot)
    for (let index = 0; index < size; index++) bytes[at + index] = key[start + index]!
    this.#reset(slot)
    return slot
  }

  /** Whoever held the slot must not use it any more: it goes to another key. */
  release(slot: number): void {
    this.clear(slot)
    const word = slot * headWords
    const size = this.#words[word + wordKeySize]!
    if (size > inlineKeyMax) this.#arena.free(this.#words[word + wordKeyAddress]!, doublesOf(size))
    this.#words[word + wordKeySize] = vacant
    this.#free.push(slot)
  }

  /** Drops all events of a key, and in the store its pages (`takePageChanges`); the key stays. */
  forget(slot: number): void {
    const paged = this.paged(slot)
    if (paged !== undefined) this.#dropPages(slot, paged)
    const dropped = this.#droppedPages.get(slot)
    this.clear(slot)
    if (dropped !== undefined) this.#droppedPages.set(slot, dropped)
  }

  /** Drops all that is in memory of the events of a key; the key stays. */
  clear(slot: number): void {
    this.#dropRows(slot, this.count(slot))
    this.#resize(slot, 0)
    this.#reset(slot)
  }

  /** Whether the slot is a key's. */
  holds(slot: number): boolean {
    return this.#words[slot * headWords + wordKeySize] !== vacant
  }

  hasKey(slot: number, key: Uint8Array, start: number, end: number): boolean {
    const size = end - start
    if (this.#words[slot * headWords + wordKeySize] !== size) return false
    if (size > inlineKeyMax) return this.#hasLongKey(slot, key, start)
    const bytes = this.#bytes
    const at = slot * headBytes + inlineKeyAt
    for (let index = 0; index < size; index++) if (bytes[at + index] !== key[start + index]) return false
    return true
  }

  // Reading these brings places of memory near before they are needed. What they give means nothing.

  touchHead(slot: number): number {
    const word = slot < 0 ? 0 : slot * headWords
    return this.#words[word]! ^ this.#words[word + headWords - 1]!
  }

  /** Where the next row goes. */
  touchRows(slot: number): number {
    const word = slot * headWords
    const count = this.#words[word + wordCount]!
    if (count === 0) return 0
    const block = this.#words[word + wordBlock]!
    const last = this.#words[word + wordStart]! + count - 1
    return this.#arena.chunkOf(block)[this.#arena.offsetOf(block) + last * this.#width]!
  }

  /** A copy. */
  key(slot: number): Uint8Array {
    const { bytes, at } = this.#keyPlace(slot)
    return bytes.slice(at, at + this.#words[slot * headWords + wordKeySize]!)
  }

  /** Changes when a slot is cleared or handed out anew. */
  generation(slot: number): number {
    return this.#words[slot * headWords + wordGeneration]!
  }

  // What a state is made of.

  /** Time of the newest event; -1 before the first. */
  newest(slot: number): number {
    return this.#doubles[slot * headDoubles]!
  }

  /** How many events were applied, ever. */
  applied(slot: number): number {
    return this.#doubles[slot * headDoubles + 1]!
  }

  /** Time of the newest event in the base; -1 without one. */
  baseNewest(slot: number): number {
    return this.#doubles[slot * headDoubles + 2]!
  }

  /** One partial aggregate per lifetime aggregation; undefined: those of no events. */
  base(slot: number): readonly unknown[] | undefined {
    return this.#bases[slot]
  }

  /** The raw events of a key that has many; then it has no rows. */
  paged(slot: number): PagedEvents | undefined {
    return this.#paged.size === 0 ? undefined : this.#paged.get(slot)
  }

  /** How many events are kept raw in rows. */
  count(slot: number): number {
    return this.#words[slot * headWords + wordCount]!
  }

  /** The array that the rows of a slot lie in. Both are good until the next change of any state. */
  rows(slot: number): Float64Array {
    return this.count(slot) === 0 ? noRows : this.#arena.chunkOf(this.#words[slot * headWords + wordBlock]!)
  }

  /** Where in `rows` the first row lies. */
  rowsAt(slot: number): number {
    const word = slot * headWords
    return this.#arena.offsetOf(this.#words[word + wordBlock]!) + this.#words[word + wordStart]! * this.#width
  }

  /** Number of the first row at or after an instant. */
  lowerBound(slot: number, instant: number): number {
    const rows = this.rows(slot)
    const at = this.rowsAt(slot)
    const width = this.#width
    let from = 0
    let to = this.count(slot)
    while (from < to) {
      const middle = (from + to) >>> 1
      if (rows[at + middle * width]! < instant) from = middle + 1
      else to = middle
    }
    return from
  }

  /** First instant whose events are raw. */
  floor(slot: number): number {
    return floorOf(this.program, this.newest(slot))
  }

  // Changes.

  stage(event: KernelEvent): void {
    writeRow(this.layout, this.texts, event, this.staged)
  }

  stageOf(batch: FoldBatch, index: number): void {
    const { staged, texts } = this
    const { first, keepsTies } = this.layout
    const { columns } = batch
    staged[0] = batch.ts[index]!
    if (keepsTies) staged[1] = toTie(texts, batch.ties![index]!)
    for (let column = 0; column < columns.length; column++) {
      const value = columns[column]![index]!
      staged[first + column] = typeof value === 'number' ? value : toDouble(texts, value)
    }
  }

  /** Adds the staged event, which was accepted and was not added before. */
  apply(slot: number): void {
    const ts = this.staged[0]!
    const head = slot * headDoubles
    this.#doubles[head + 1]! += 1
    if (ts > this.#doubles[head]!) this.#doubles[head] = ts
    if (ts < floorOf(this.program, this.#doubles[head]!)) this.#takeToBase(slot, this.staged, 0)
    else if (this.#paged.size > 0 && this.#paged.has(slot)) {
      this.#paged.get(slot)!.insert(this.#eventAt(this.staged, 0))
      releaseRow(this.layout, this.texts, this.staged, 0)
    } else {
      this.#insert(slot)
      // Before it is written, a key may have twice as many.
      if (this.count(slot) > 2 * this.#rowsMax) this.#toPages(slot)
    }
  }

  /** Moves every event before the floor into the base. Afterwards equal sets of events are equal states. */
  settle(slot: number): void {
    this.tiles.settle(slot, this.newest(slot))
    const paged = this.paged(slot)
    if (paged !== undefined) {
      this.#settlePages(slot, paged)
      return
    }
    const count = this.lowerBound(slot, this.floor(slot))
    if (count === 0) return
    const rows = this.rows(slot)
    const at = this.rowsAt(slot)
    for (let index = 0; index < count; index++) this.#addToBase(slot, rows, at + index * this.#width)
    this.#dropRows(slot, count)
  }

  /** Settles, and gives back memory that the events of the key have not needed for long. */
  trim(slot: number): void {
    this.settle(slot)
    if (this.count(slot) > this.#rowsMax) this.#toPages(slot)
    const paged = this.paged(slot)
    if (paged !== undefined && paged.count <= this.#rowsMax) this.#toRows(slot, paged)
    const count = this.count(slot)
    const capacity = this.#words[slot * headWords + wordCapacity]!
    if (count === 0) this.#resize(slot, 0)
    else if (capacity > capacityMin && count * 4 <= capacity) this.#resize(slot, capacityFor(count))
  }

  /**
   * Makes an empty slot a state that was read back: `count` rows, which the caller fills, in order. Gives nothing:
   * `rows` and `rowsAt` say where.
   */
  restore(slot: number, state: { newest: number; applied: number; baseNewest: number; count: number }): void {
    const head = slot * headDoubles
    this.#doubles[head] = state.newest
    this.#doubles[head + 1] = state.applied
    this.#doubles[head + 2] = state.baseNewest
    if (state.count === 0) return
    this.#resize(slot, capacityFor(state.count))
    this.#words[slot * headWords + wordCount] = state.count
  }

  restoreBase(slot: number, base: unknown[]): void {
    this.#bases[slot] = base
  }

  /** The pages of an empty slot, read back. */
  restorePages(slot: number, reader: ByteReader): void {
    this.#paged.set(slot, PagedEvents.decode(this.program, reader, this.#pagesOf(this.key(slot))))
  }

  /** Records of pages that belong to what `writeState` wrote last. */
  takePageChanges(slot: number): PageChange[] {
    const dropped = this.#droppedPages.get(slot) ?? []
    this.#droppedPages.delete(slot)
    const changes = this.paged(slot)?.takeChanges() ?? []
    return dropped.length === 0 ? changes : [...dropped, ...changes]
  }

  /** The store has the pages that were taken: they need not stay in memory. */
  releasePages(): void {
    for (const paged of this.#paged.values()) paged.release()
  }

  /** Puts pages made anew from the events in the place of a slot's own. Gives how many records they are. */
  pagesAgain(slot: number): number {
    const own = this.#paged.get(slot)!
    const again = PagedEvents.empty(this.program, pagesInMemory())
    for (const page of own.pages()) {
      for (let index = 0; index < page.ts.length; index++) again.insert(eventAt(page, index))
    }
    this.#paged.set(slot, again)
    again.encode(new ByteWriter())
    return again.takeChanges().length
  }

  #settlePages(slot: number, paged: PagedEvents): void {
    const floor = this.floor(slot)
    const newest = paged.newestBefore(floor)
    if (newest < 0) return
    const head = slot * headDoubles
    if (newest > this.#doubles[head + 2]!) this.#doubles[head + 2] = newest
    const { lifetimes } = this.layout
    if (lifetimes.length > 0) {
      const base = (this.#bases[slot] ??= lifetimes.map(({ aggregation }) => aggregation.zero()))
      lifetimes.forEach((aggregate, index) => {
        const number = this.program.aggregates.indexOf(aggregate)
        base[index] = paged.addRange(number, base[index], { low: 0, high: floor })
      })
    }
    this.tiles.addBefore(slot, { floor, pages: paged.pages() }, this.newest(slot))
    paged.dropBefore(floor)
  }

  #toPages(slot: number): void {
    this.settle(slot)
    const count = this.count(slot)
    if (count <= this.#rowsMax) return
    const paged = PagedEvents.empty(this.program, this.#pagesOf(this.key(slot)))
    const rows = this.rows(slot)
    const at = this.rowsAt(slot)
    for (let index = 0; index < count; index++) paged.insert(this.#eventAt(rows, at + index * this.#width))
    this.#dropRows(slot, count)
    this.#resize(slot, 0)
    this.#paged.set(slot, paged)
  }

  #toRows(slot: number, paged: PagedEvents): void {
    this.#paged.delete(slot)
    for (const page of paged.pages()) {
      for (let index = 0; index < page.ts.length; index++) {
        this.stage(eventAt(page, index))
        this.#insert(slot)
      }
    }
    this.#dropPages(slot, paged)
  }

  #dropPages(slot: number, paged: PagedEvents): void {
    paged.forget()
    const before = this.#droppedPages.get(slot) ?? []
    this.#droppedPages.set(slot, [...before, ...paged.takeChanges()])
  }

  #eventAt(rows: Float64Array, at: number): KernelEvent {
    const { kinds, first, keepsTies } = this.layout
    return {
      ts: rows[at]!,
      tie: keepsTies ? tieOf(this.texts, rows[at + 1]!) : 0,
      values: kinds.map((kind, column) => valueOf(kind, this.texts, rows[at + first + column]!)),
    }
  }

  #insert(slot: number): void {
    const word = slot * headWords
    if (this.#words[word + wordStart]! + this.#words[word + wordCount]! === this.#words[word + wordCapacity]!) {
      this.#makeRoom(slot)
    }
    const count = this.#words[word + wordCount]!
    const block = this.#words[word + wordBlock]!
    const rows = this.#arena.chunkOf(block)
    const width = this.#width
    const first = this.#arena.offsetOf(block) + this.#words[word + wordStart]! * width
    const end = first + count * width
    let at = end
    if (count > 0 && rows[end - width]! >= this.staged[0]!) {
      at = this.#placeOf(slot, rows, first)
      rows.copyWithin(at + width, at, end)
    }
    for (let index = 0; index < width; index++) rows[at + index] = this.staged[index]!
    this.#words[word + wordCount] = count + 1
  }

  /** Where the staged event belongs among the rows. */
  #placeOf(slot: number, rows: Float64Array, first: number): number {
    const width = this.#width
    // Times are whole milliseconds.
    let at = first + this.lowerBound(slot, this.staged[0]! + 1) * width
    while (at > first && rows[at - width] === this.staged[0]! && this.#isAfter(rows, at - width)) at -= width
    return at
  }

  /** Whether a row of the same time comes after the staged event. */
  #isAfter(rows: Float64Array, at: number): boolean {
    const { layout, staged, texts } = this
    if (layout.keepsTies) return compareTies(tieOf(texts, rows[at + 1]!), tieOf(texts, staged[1]!)) > 0
    for (let column = 0; column < layout.kinds.length; column++) {
      const left = rows[at + layout.first + column]!
      const right = staged[layout.first + column]!
      if (left === right || (Number.isNaN(left) && Number.isNaN(right))) continue
      if (Number.isNaN(left) || Number.isNaN(right)) return Number.isNaN(right)
      if (layout.kinds[column] !== 'text') return left > right
      const order = compareStrings(texts.at(left), texts.at(right))
      if (order !== 0) return order > 0
    }
    return false
  }

  /** Moves one row to the base, and gives back its texts. */
  #takeToBase(slot: number, rows: Float64Array, at: number): void {
    this.#addToBase(slot, rows, at)
    releaseRow(this.layout, this.texts, rows, at)
  }

  #addToBase(slot: number, rows: Float64Array, at: number): void {
    const ts = rows[at]!
    const head = slot * headDoubles
    if (ts > this.#doubles[head + 2]!) this.#doubles[head + 2] = ts
    const { lifetimes, kinds, first, keepsTies } = this.layout
    if (this.program.tiling !== undefined) this.tiles.add(slot, this.#eventAt(rows, at), this.newest(slot))
    if (lifetimes.length === 0) return
    const base = (this.#bases[slot] ??= lifetimes.map(({ aggregation }) => aggregation.zero()))
    const order = { ts, tie: keepsTies ? tieOf(this.texts, rows[at + 1]!) : 0 }
    for (let index = 0; index < lifetimes.length; index++) {
      const { aggregation, input, filter, takesNull } = lifetimes[index]!
      if (filter !== null && rows[at + first + filter] !== 1) continue
      const value = input === null ? null : valueOf(kinds[input]!, this.texts, rows[at + first + input]!)
      if (value === null && input !== null && !takesNull) continue
      base[index] = aggregation.add(base[index], value, order)
    }
  }

  /** Drops the oldest rows without a trace. */
  #dropRows(slot: number, count: number): void {
    if (count === 0) return
    if (this.layout.texts.length > 0 || this.layout.keepsTies) {
      const rows = this.rows(slot)
      const at = this.rowsAt(slot)
      for (let index = 0; index < count; index++) releaseRow(this.layout, this.texts, rows, at + index * this.#width)
    }
    const word = slot * headWords
    this.#words[word + wordCount]! -= count
    this.#words[word + wordStart] = this.#words[word + wordCount] === 0 ? 0 : this.#words[word + wordStart]! + count
  }

  /**
   * Room for one row behind the last. Rows move to the front of their block where at least a quarter of it is free
   * there, so that a key whose window slides moves a row three times at most for each that comes.
   */
  #makeRoom(slot: number): void {
    this.settle(slot)
    const word = slot * headWords
    const capacity = this.#words[word + wordCapacity]!
    const count = this.#words[word + wordCount]!
    if (count === 0 && capacity > 0) return
    if (count * 4 > capacity * 3 || capacity === 0) {
      this.#resize(slot, Math.max(capacityMin, capacity * 2))
      return
    }
    const block = this.#words[word + wordBlock]!
    const from = this.rowsAt(slot)
    this.#arena.chunkOf(block).copyWithin(this.#arena.offsetOf(block), from, from + count * this.#width)
    this.#words[word + wordStart] = 0
  }

  /** Moves the rows of a slot to the front of a block for `capacity` rows; 0: none. */
  #resize(slot: number, capacity: number): void {
    const word = slot * headWords
    const before = this.#words[word + wordCapacity]!
    if (capacity === before) return
    const size = this.count(slot) * this.#width
    assert(size <= capacity * this.#width, 'rows fit their block')
    const rows = this.rows(slot)
    const at = this.rowsAt(slot)
    const old = this.#words[word + wordBlock]!
    if (capacity > 0) {
      const block = this.#arena.allocate(capacity * this.#width)
      const target = this.#arena.chunkOf(block)
      const offset = this.#arena.offsetOf(block)
      for (let index = 0; index < size; index++) target[offset + index] = rows[at + index]!
      this.#words[word + wordBlock] = block
    }
    if (before > 0) this.#arena.free(old, before * this.#width)
    this.#words[word + wordCapacity] = capacity
    this.#words[word + wordStart] = 0
  }

  /** No events, and no block. */
  #reset(slot: number): void {
    this.#doubles[slot * headDoubles] = -1
    this.#doubles[slot * headDoubles + 1] = 0
    this.#doubles[slot * headDoubles + 2] = -1
    const word = slot * headWords
    this.#words[word + wordStart] = 0
    this.#words[word + wordCount] = 0
    this.#words[word + wordCapacity] = 0
    this.#words[word + wordGeneration]! += 1
    if (this.#bases[slot] !== undefined) this.#bases[slot] = undefined
    if (this.#paged.size > 0) this.#paged.delete(slot)
    if (this.#droppedPages.size > 0) this.#droppedPages.delete(slot)
    this.tiles.drop(slot)
  }

  #keyPlace(slot: number): { bytes: Uint8Array; at: number } {
    const word = slot * headWords
    if (this.#words[word + wordKeySize]! <= inlineKeyMax) {
      return { bytes: this.#bytes, at: slot * headBytes + inlineKeyAt }
    }
    const address = this.#words[word + wordKeyAddress]!
    return { bytes: this.#arena.bytesOf(address), at: this.#arena.offsetOf(address) * 8 }
  }

  #hasLongKey(slot: number, key: Uint8Array, start: number): boolean {
    const { bytes, at } = this.#keyPlace(slot)
    const size = this.#words[slot * headWords + wordKeySize]!
    for (let index = 0; index < size; index++) if (bytes[at + index] !== key[start + index]) return false
    return true
  }

  #growHeads(): void {
    const doubles = new Float64Array(this.#doubles.length * 2)
    doubles.set(this.#doubles)
    this.#doubles = doubles
    this.#words = new Uint32Array(doubles.buffer)
    this.#bytes = new Uint8Array(doubles.buffer)
  }
}

const noRows = new Float64Array(0)

export type PagesOf = (key: Uint8Array) => PageSource

/** First instant whose events are kept raw. */
export function floorOf(program: ViewProgram, newest: number): number {
  return newest + 1 - program.horizonMs - program.spanMs
}

/** Rows of the smallest block that holds `count`. */
function capacityFor(count: number): number {
  let capacity = capacityMin
  while (capacity < count) capacity *= 2
  return capacity
}

function doublesOf(bytes: number): number {
  return Math.ceil(bytes / 8)
}
