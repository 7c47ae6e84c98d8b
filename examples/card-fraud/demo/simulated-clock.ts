import { type Clock, systemClock } from 'millrace'

/** A calendar that stands where the simulation is; waiting and measuring are real. */
export type SimulatedClock = Clock & {
  /** Moves the calendar forward. It never goes back. */
  reach(nowMs: number): void
}

export function makeSimulatedClock(startMs: number): SimulatedClock {
  let nowMs = startMs
  return {
    ...systemClock,
    now: () => nowMs,
    reach: (value) => {
      nowMs = Math.max(nowMs, value)
    },
  }
}
