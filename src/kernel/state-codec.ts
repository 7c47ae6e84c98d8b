import { ByteReader, ByteWriter, MalformedBytes } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'
import type { ColumnType, ColumnValue } from './aggregation.ts'
import { type KeyState, lifetimeAggregates, makeKeyState, settle } from './key-state.ts'
import type { ViewProgram } from './program.ts'

/**
 * Durable form of a key's state. Canonical: states of equal sets of events are equal bytes.
 *
 *     version u8 · newest+1 · applied · baseNewest+1 · count · ts of the first, then deltas · ties · columns · base
 *
 * Whole numbers are varints. The program says which columns and partial aggregates there are, so a state is only
 * ever read with the plan that wrote it.
 */
const version = 1

export function encodeState(program: ViewProgram, state: KeyState): Uint8Array {
  settle(program, state)
  const { events } = state
  const writer = new ByteWriter()
  writer.u8(version)
  writer.varint(state.newest + 1)
  writer.varint(state.applied)
  writer.varint(state.baseNewest + 1)
  writer.varint(events.ts.length)
  let previous = 0
  for (const ts of events.ts) {
    writer.varint(ts - previous)
    previous = ts
  }
  for (const tie of events.ties ?? []) {
    writer.u8(typeof tie === 'string' ? 1 : 0)
    if (typeof tie === 'string') writer.string(tie)
    else writer.zigzag(tie)
  }
  for (let column = 0; column < events.columns.length; column++) {
    const { kind } = program.columns[column]!
    for (const value of events.columns[column]!) writeValue(writer, kind, value)
  }
  const aggregates = lifetimeAggregates(program)
  for (let index = 0; index < aggregates.length; index++) {
    aggregates[index]!.aggregation.encode(state.base[index], writer)
  }
  return writer.finish()
}

export function decodeState(program: ViewProgram, bytes: Uint8Array): KeyState {
  const reader = new ByteReader(bytes)
  const found = reader.u8()
  if (found !== version) {
    throw new MillraceError('STATE_VERSION_UNKNOWN', { what: 'a key state', version: found, supported: version })
  }
  const state = makeKeyState(program)
  state.newest = reader.varint() - 1
  state.applied = reader.varint()
  state.baseNewest = reader.varint() - 1
  const count = reader.varint()
  let ts = 0
  for (let index = 0; index < count; index++) {
    ts += reader.varint()
    state.events.ts.push(ts)
  }
  if (state.events.ties !== null) {
    for (let index = 0; index < count; index++) {
      state.events.ties.push(reader.u8() === 1 ? reader.string() : reader.zigzag())
    }
  }
  for (let column = 0; column < program.columns.length; column++) {
    const { kind } = program.columns[column]!
    const values = state.events.columns[column]!
    for (let index = 0; index < count; index++) values.push(readValue(reader, kind))
  }
  const aggregates = lifetimeAggregates(program)
  for (let index = 0; index < aggregates.length; index++) {
    state.base[index] = aggregates[index]!.aggregation.decode(reader)
  }
  reader.expectEnd()
  return state
}

// One byte says null, false, true, or that a value follows.
const tagNull = 0
const tagFalse = 1
const tagTrue = 2
const tagValue = 3

function writeValue(writer: ByteWriter, kind: ColumnType['kind'], value: ColumnValue): void {
  if (value === null) writer.u8(tagNull)
  else if (typeof value === 'boolean') writer.u8(value ? tagTrue : tagFalse)
  else {
    writer.u8(tagValue)
    if (typeof value === 'string') writer.string(value)
    else if (kind === 'float') writer.f64(value)
    else writer.zigzag(value)
  }
}

function readValue(reader: ByteReader, kind: ColumnType['kind']): ColumnValue {
  const tag = reader.u8()
  switch (tag) {
    case tagNull:
      return null
    case tagFalse:
      return false
    case tagTrue:
      return true
    case tagValue:
      return kind === 'string' ? reader.string() : kind === 'float' ? reader.f64() : reader.zigzag()
    default:
      throw new MalformedBytes(`${tag} is no tag of a value`)
  }
}
