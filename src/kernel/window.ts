import type { WindowProgram } from './program.ts'

/**
 * First instant inside a window as of `t`; minus infinity for a lifetime. With a hop it is rounded down to a multiple
 * of the hop, so a sawtooth window covers its length and less than one hop more.
 */
export function windowStart({ lengthMs, offsetMs, hopMs }: WindowProgram, t: number): number {
  if (lengthMs === null) return Number.NEGATIVE_INFINITY
  const start = t - offsetMs - lengthMs
  // Exact below 2^53: a quotient of such integers is never rounded up to the next whole number.
  return hopMs === undefined ? start : Math.floor(start / hopMs) * hopMs
}

/** First instant after a window as of `t`. Exact whatever the hop: no event at or after the instant is ever used. */
export function windowEnd({ offsetMs }: WindowProgram, t: number): number {
  return t - offsetMs
}

/** How far before an instant a bounded window's oldest event can lie; 0 for a lifetime. */
export function windowReach({ lengthMs, offsetMs, hopMs }: WindowProgram): number {
  return lengthMs === null ? 0 : offsetMs + lengthMs + (hopMs ?? 0)
}
