import type { Clock } from '../../src/base/clock.ts'
import type { Actor, Scheduler } from './scheduler.ts'

/** The machine's wall clock: virtual time, and every jump that somebody made it do. */
export class WallClock {
  readonly #scheduler: Scheduler
  #offsetMs: number
  /** The latest instant it ever showed: what may have been removed as expired is judged by it. */
  #newestMs: number

  constructor(scheduler: Scheduler, startMs: number) {
    this.#scheduler = scheduler
    this.#offsetMs = startMs
    this.#newestMs = startMs
  }

  now(): number {
    const nowMs = Math.floor(this.#offsetMs + this.#scheduler.nowMs)
    if (nowMs > this.#newestMs) this.#newestMs = nowMs
    return nowMs
  }

  get newestMs(): number {
    this.now()
    return this.#newestMs
  }

  jump(ms: number): void {
    this.#offsetMs += ms
  }
}

/** The clock as one process sees it. */
export function makeSimulatedClock(scheduler: Scheduler, wall: WallClock, actor: Actor): Clock {
  return {
    now: () => wall.now(),
    elapsed: () => scheduler.nowMs,
    sleep: (ms, signal) => scheduler.sleep(actor, ms, signal),
    turn: () => scheduler.step({ actor, label: 'turn' }, () => undefined),
  }
}
