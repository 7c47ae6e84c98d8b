/**
 * Time and timers, handed in. Nothing outside this file, `app/` and `cli/` reads the machine's clock, so that a
 * test, the simulator and a demo that runs faster than real time can each bring their own.
 */
export interface Clock {
  /** Epoch milliseconds. Decides *when* something runs and the default instant of a read; never a verdict. */
  now(): number
  /** Milliseconds that never go back, with fractions: for measuring how long something took. */
  elapsed(): number
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Resolves after everything that already waits has had its turn: what a long loop calls now and then. */
  turn(): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve()
        return
      }
      const done = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
  turn: () => new Promise((resolve) => setImmediate(resolve)),
}

/** A clock set by hand. Sleeping moves it forward and yields once, so that nothing ever waits for real. */
export function makeManualClock(startMs: number): Clock & { set(nowMs: number): void } {
  let nowMs = startMs
  return {
    now: () => nowMs,
    elapsed: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms
      await Promise.resolve()
    },
    turn: () => Promise.resolve(),
    set: (value) => {
      nowMs = value
    },
  }
}
