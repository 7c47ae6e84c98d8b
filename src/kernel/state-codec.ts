import { ByteReader, ByteWriter, MalformedBytes } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'
import type { ColumnType } from './aggregation.ts'
import { type KeyState, makeKeyState } from './key-state.ts'
import type { ViewProgram } from './program.ts'
import { tieOf, toTie } from './slab/row-layout.ts'
import type { Slab } from './slab/slab.ts'

/**
 * Durable form of a key's state. Canonical: states of equal sets of events are equal bytes.
 *
 *     version u8 · newest+1 · applied · baseNewest+1 · count · ts of the first, then deltas · ties · columns · base
 *
 * Whole numbers are varints. The program says which columns and partial aggregates there are, so a state is only
 * ever read with the plan that wrote it.
 */
const version = 1

export function encodeState({ columns }: ViewProgram, { slab, slot }: KeyState): Uint8Array {
  const writer = new ByteWriter(64 + slab.count(slot) * (4 + 4 * columns.length))
  writeState(slab, slot, writer)
  return writer.finish()
}

export function decodeState(program: ViewProgram, bytes: Uint8Array): KeyState {
  const state = makeKeyState(program)
  readState(state.slab, state.slot, new ByteReader(bytes))
  return state
}

/** Settles the state, for what is written depends on the set of events alone. */
export function writeState(slab: Slab, slot: number, writer: ByteWriter): void {
  slab.trim(slot)
  const { layout, texts, program } = slab
  const { width } = layout
  const rows = slab.rows(slot)
  const from = slab.rowsAt(slot)
  const count = slab.count(slot)
  const to = from + count * width
  writer.u8(version)
  writer.varint(slab.newest(slot) + 1)
  writer.varint(slab.applied(slot))
  writer.varint(slab.baseNewest(slot) + 1)
  writer.varint(count)
  let previous = 0
  for (let at = from; at < to; at += width) {
    writer.varint(rows[at]! - previous)
    previous = rows[at]!
  }
  if (layout.keepsTies) for (let at = from + 1; at < to; at += width) writeTie(writer, tieOf(texts, rows[at]!))
  for (let column = 0; column < program.columns.length; column++) {
    const { kind } = program.columns[column]!
    for (let at = from + layout.first + column; at < to; at += width) {
      writeValue(writer, kind, { slab, value: rows[at]! })
    }
  }
  const base = slab.base(slot)
  for (let index = 0; index < layout.lifetimes.length; index++) {
    const { aggregation } = layout.lifetimes[index]!
    aggregation.encode(base === undefined ? aggregation.zero() : base[index], writer)
  }
}

/** Reads all that is left, into an empty slot. After a fault the slot has no meaning. */
export function readState(slab: Slab, slot: number, reader: ByteReader): void {
  const found = reader.u8()
  if (found !== version) {
    throw new MillraceError('STATE_VERSION_UNKNOWN', { what: 'a key state', version: found, supported: version })
  }
  const { layout, texts, program } = slab
  const { width } = layout
  const newest = reader.varint() - 1
  const applied = reader.varint()
  const baseNewest = reader.varint() - 1
  const count = reader.varint()
  if (count > reader.remaining) throw new MalformedBytes(`${count} events are more than there are bytes`)
  slab.restore(slot, { newest, applied, baseNewest, count })
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
    for (let at = from + 1; at < to; at += width) {
      rows[at] = toTie(texts, reader.u8() === 1 ? reader.string() : reader.zigzag())
    }
  }
  for (let column = 0; column < program.columns.length; column++) {
    const { kind } = program.columns[column]!
    for (let at = from + layout.first + column; at < to; at += width) rows[at] = readValue(reader, kind, slab)
  }
  if (layout.lifetimes.length > 0) {
    slab.restoreBase(
      slot,
      layout.lifetimes.map(({ aggregation }) => aggregation.decode(reader)),
    )
  }
  reader.expectEnd()
}

function writeTie(writer: ByteWriter, tie: string | number): void {
  writer.u8(typeof tie === 'string' ? 1 : 0)
  if (typeof tie === 'string') writer.string(tie)
  else writer.zigzag(tie)
}

// One byte says null, false, true, or that a value follows.
const tagNull = 0
const tagFalse = 1
const tagTrue = 2
const tagValue = 3

function writeValue(
  writer: ByteWriter,
  kind: ColumnType['kind'],
  { slab, value }: { slab: Slab; value: number },
): void {
  if (Number.isNaN(value)) writer.u8(tagNull)
  else if (kind === 'boolean') writer.u8(value === 1 ? tagTrue : tagFalse)
  else {
    writer.u8(tagValue)
    if (kind === 'string') writer.string(slab.texts.at(value))
    else if (kind === 'float') writer.f64(value)
    else writer.zigzag(value)
  }
}

function readValue(reader: ByteReader, kind: ColumnType['kind'], slab: Slab): number {
  const tag = reader.u8()
  if (tag === tagNull) return Number.NaN
  if (kind === 'boolean' && (tag === tagFalse || tag === tagTrue)) return tag === tagTrue ? 1 : 0
  if (kind === 'boolean' || tag !== tagValue) throw new MalformedBytes(`${tag} is no tag of a value`)
  return kind === 'string' ? slab.texts.take(reader.string()) : kind === 'float' ? reader.f64() : reader.zigzag()
}
