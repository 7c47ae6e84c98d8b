import { ByteReader, ByteWriter, MalformedBytes } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'
import { type KeyState, makeKeyState } from './key-state.ts'
import { readTie, readValue, writeNumbers, writeTie, writeTimes, writeValue } from './event-codec.ts'
import type { PageSource } from './paged/span-store.ts'
import type { ViewProgram } from './program.ts'
import { tieOf, toDouble, toTie, valueOf } from './slab/row-layout.ts'
import type { Slab } from './slab/slab.ts'
import { Tiles } from './tiles.ts'

/**
 * Durable form of a key's state. Canonical: states of equal sets of events are equal bytes.
 *
 *     version u8 · newest+1 · applied · baseNewest+1 · raw events · base · tiles (tiles.ts)
 *
 * Raw events are, in version 1, count · ts of the first, then deltas · ties · columns. In version 2, for keys with more
 * than 256 of them, they are the head of `PagedEvents`, and records of their own besides (`takePageChanges`). Tiles are
 * there where the program has a tiling.
 *
 * Whole numbers are varints. The program says which columns and partial aggregates there are, so a state is only
 * ever read with the plan that wrote it.
 */
const [versionRows, versionPages] = [1, 2]

export function encodeState({ columns }: ViewProgram, { slab, slot }: KeyState): Uint8Array {
  const writer = new ByteWriter(64 + slab.count(slot) * (4 + 4 * columns.length))
  writeState(slab, slot, writer)
  return writer.finish()
}

/** @param pages where the pages of this key are; without, only what the head knows can be read. */
export function decodeState(program: ViewProgram, bytes: Uint8Array, pages?: PageSource): KeyState {
  const state = pages === undefined ? makeKeyState(program) : makeKeyState(program, () => pages)
  readState(state.slab, state.slot, new ByteReader(bytes))
  return state
}

/**
 * What a state is written as, with pages made anew from the events in its own: equal bytes only if these are whole, and
 * cut where they must be. Gives how many records of pages belong to it.
 */
export function againInMemory(program: ViewProgram, state: KeyState): { bytes: Uint8Array; pages: number } {
  const { slab, slot } = state
  const copied = slab.paged(slot) === undefined ? 0 : slab.pagesAgain(slot)
  return { bytes: encodeState(program, state), pages: copied }
}

/** Settles the state, for what is written depends on the set of events alone. */
export function writeState(slab: Slab, slot: number, writer: ByteWriter): void {
  slab.trim(slot)
  const { layout } = slab
  const paged = slab.paged(slot)
  writer.u8(paged === undefined ? versionRows : versionPages)
  writer.varint(slab.newest(slot) + 1)
  writer.varint(slab.applied(slot))
  writer.varint(slab.baseNewest(slot) + 1)
  if (paged === undefined) writeRows(slab, slot, writer)
  else paged.encode(writer)
  const base = slab.base(slot)
  for (let index = 0; index < layout.lifetimes.length; index++) {
    const { aggregation } = layout.lifetimes[index]!
    aggregation.encode(base === undefined ? aggregation.zero() : base[index], writer)
  }
  const { tiling } = slab.program
  if (tiling !== undefined) (slab.tiles.of(slot) ?? new Tiles(tiling)).encode(writer)
}

function writeRows(slab: Slab, slot: number, writer: ByteWriter): void {
  const { layout, texts, program } = slab
  const { width } = layout
  const rows = slab.rows(slot)
  const from = slab.rowsAt(slot)
  const count = slab.count(slot)
  const to = from + count * width
  writer.varint(count)
  writeTimes(writer, { numbers: rows, from, to, step: width })
  if (layout.keepsTies) for (let at = from + 1; at < to; at += width) writeTie(writer, tieOf(texts, rows[at]!))
  for (let column = 0; column < program.columns.length; column++) {
    const { kind } = program.columns[column]!
    const rowKind = layout.kinds[column]!
    const first = from + layout.first + column
    if (rowKind === 'text') {
      for (let at = first; at < to; at += width) writeValue(writer, kind, valueOf(rowKind, texts, rows[at]!))
    } else writeNumbers(writer, kind, { numbers: rows, from: first, to, step: width })
  }
}

/** Reads all that is left, into an empty slot. After a fault the slot has no meaning. */
export function readState(slab: Slab, slot: number, reader: ByteReader): void {
  const found = reader.u8()
  if (found !== versionRows && found !== versionPages) {
    throw new MillraceError('STATE_VERSION_UNKNOWN', { what: 'a key state', version: found, supported: versionPages })
  }
  const newest = reader.varint() - 1
  const applied = reader.varint()
  const baseNewest = reader.varint() - 1
  if (found === versionPages) {
    slab.restore(slot, { newest, applied, baseNewest, count: 0 })
    slab.restorePages(slot, reader)
  } else readRows(slab, slot, { newest, applied, baseNewest, reader })
  const { lifetimes } = slab.layout
  if (lifetimes.length > 0) {
    slab.restoreBase(
      slot,
      lifetimes.map(({ aggregation }) => aggregation.decode(reader)),
    )
  }
  const { tiling } = slab.program
  if (tiling !== undefined) slab.tiles.restore(slot, Tiles.decode(tiling, reader))
  reader.expectEnd()
}

type Rows = {
  readonly newest: number
  readonly applied: number
  readonly baseNewest: number
  readonly reader: ByteReader
}

function readRows(slab: Slab, slot: number, { reader, ...head }: Rows): void {
  const { layout, texts, program } = slab
  const { width } = layout
  const count = reader.varint()
  if (count > reader.remaining) throw new MalformedBytes(`${count} events are more than there are bytes`)
  slab.restore(slot, { ...head, count })
  const rows = slab.rows(slot)
  const from = slab.rowsAt(slot)
  const to = from + count * width
  // No texts yet: should the bytes end early, there is nothing to give back.
  rows.fill(Number.NaN, from, to)
  let ts = 0
  for (let at = from; at < to; at += width) {
    ts += reader.varint()
    rows[at] = ts
    if (layout.keepsTies) rows[at + 1] = 0
  }
  if (layout.keepsTies) {
    for (let at = from + 1; at < to; at += width) rows[at] = toTie(texts, readTie(reader))
  }
  for (let column = 0; column < program.columns.length; column++) {
    const { kind } = program.columns[column]!
    for (let at = from + layout.first + column; at < to; at += width) {
      rows[at] = toDouble(texts, readValue(reader, kind))
    }
  }
}
