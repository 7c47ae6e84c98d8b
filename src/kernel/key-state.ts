import { assert } from '../base/assert.ts'
import type { AggregateProgram, ViewProgram } from './program.ts'
import {
  dropOldest,
  type EventColumns,
  insertEvent,
  type KernelEvent,
  lowerBound,
  makeEventColumns,
} from './event-columns.ts'

/**
 * What is kept per (view, key): the raw events that a window can still reach, and one partial aggregate per lifetime
 * aggregation over the events before them.
 *
 * Which events are raw follows from the set of events alone: those at or after `floor`, which is the newest event's
 * instant less the horizon and the longest window. So two processes that applied the same set in any order hold
 * states of equal bytes.
 */
export type KeyState = {
  /** Time of the newest event; -1 before the first. */
  newest: number
  /** How many events were applied, ever. */
  applied: number
  readonly events: EventColumns
  /** Time of the newest event before `floor`; -1 without one. */
  baseNewest: number
  /** One state per aggregate over a lifetime window, in program order: all events before `floor`. */
  readonly base: unknown[]
}

export function makeKeyState(program: ViewProgram): KeyState {
  return {
    newest: -1,
    applied: 0,
    events: makeEventColumns(program.columns.length, program.keepsTies),
    baseNewest: -1,
    base: lifetimeAggregates(program).map(({ aggregation }) => aggregation.zero()),
  }
}

const lifetimes = new WeakMap<ViewProgram, readonly AggregateProgram[]>()

/** The aggregates that need a base, in program order. */
export function lifetimeAggregates(program: ViewProgram): readonly AggregateProgram[] {
  let found = lifetimes.get(program)
  if (found === undefined) {
    found = program.aggregates.filter(({ window }) => program.windows[window]!.lengthMs === null)
    lifetimes.set(program, found)
  }
  return found
}

/** First instant whose events are kept raw. */
export function floorOf(program: ViewProgram, newest: number): number {
  return newest + 1 - program.horizonMs - program.spanMs
}

/** First instant that can be read exactly: one horizon before just after the newest event. */
export function readableFrom(program: ViewProgram, state: KeyState): number {
  return state.newest + 1 - program.horizonMs
}

/** Adds one accepted event. The caller guarantees that it was not added before. */
export function applyEvent(program: ViewProgram, state: KeyState, event: KernelEvent): void {
  state.applied += 1
  if (event.ts > state.newest) state.newest = event.ts
  if (event.ts >= floorOf(program, state.newest)) insertEvent(state.events, event)
  else addToBase(program, state, event)
  // Folding the oldest events down can wait: an event is in `events` or in `base`, never in both, and reads look at both.
  const { ts } = state.events
  if (ts.length >= 64 && ts[ts.length >>> 2]! < floorOf(program, state.newest)) settle(program, state)
}

/** Moves every event before the floor into the base. Afterwards equal sets of events are equal states. */
export function settle(program: ViewProgram, state: KeyState): void {
  const { events } = state
  const count = lowerBound(events.ts, floorOf(program, state.newest))
  if (count === 0) return
  for (let index = 0; index < count; index++) {
    addToBase(program, state, {
      ts: events.ts[index]!,
      tie: events.ties?.[index] ?? 0,
      values: events.columns.map((column) => column[index]!),
    })
  }
  dropOldest(events, count)
}

function addToBase(program: ViewProgram, state: KeyState, event: KernelEvent): void {
  if (event.ts > state.baseNewest) state.baseNewest = event.ts
  const aggregates = lifetimeAggregates(program)
  assert(aggregates.length === state.base.length, 'one base state per lifetime aggregate')
  for (let index = 0; index < aggregates.length; index++) {
    const { aggregation, input, filter, takesNull } = aggregates[index]!
    if (filter !== null && event.values[filter] !== true) continue
    const value = input === null ? null : event.values[input]!
    if (value === null && input !== null && !takesNull) continue
    state.base[index] = aggregation.add(state.base[index], value, event)
  }
}

/** A copy that can be changed without touching the original: for reads that try an event out. */
export function copyState(program: ViewProgram, state: KeyState): KeyState {
  return {
    newest: state.newest,
    applied: state.applied,
    events: {
      ts: [...state.events.ts],
      ties: state.events.ties === null ? null : [...state.events.ties],
      columns: state.events.columns.map((column) => [...column]),
    },
    baseNewest: state.baseNewest,
    base: lifetimeAggregates(program).map(({ aggregation }, index) =>
      aggregation.merge(aggregation.zero(), state.base[index]),
    ),
  }
}
