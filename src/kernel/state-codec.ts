import { ByteReader, ByteWriter } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'
import { readEvents, writeEvents } from './event-codec.ts'
import { type KeyState, lifetimeAggregates, makeKeyState, settle } from './key-state.ts'
import type { ViewProgram } from './program.ts'

/**
 * Durable form of a key's state. Canonical: states of equal sets of events are equal bytes.
 *
 *     version u8 · newest+1 · applied · baseNewest+1 · events (event-codec.ts) · base
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
  writeEvents(writer, program, events)
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
  readEvents(reader, program, state.events)
  const aggregates = lifetimeAggregates(program)
  for (let index = 0; index < aggregates.length; index++) {
    state.base[index] = aggregates[index]!.aggregation.decode(reader)
  }
  reader.expectEnd()
  return state
}
