import type { Clock } from '../../base/clock.ts'

/** Lets so many begin in a second, evenly, and so many be under way at once. */
export class Pace {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #atOnce: number
  #next = Number.NEGATIVE_INFINITY
  #underWay = 0
  #waiting: (() => void)[] = []

  constructor(clock: Clock, { perSecond, atOnce }: { readonly perSecond: number; readonly atOnce: number }) {
    this.#clock = clock
    this.#everyMs = 1_000 / perSecond
    this.#atOnce = atOnce
  }

  /** Nothing begins for so long. */
  hold(ms: number): void {
    this.#next = Math.max(this.#next, this.#clock.elapsed() + ms)
  }

  /** Runs `work` when its turn has come; resolves with null when `signal` aborted before. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
    while (this.#underWay >= this.#atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#underWay += 1
    try {
      for (;;) {
        if (signal.aborted) return null
        const now = this.#clock.elapsed()
        if (now >= this.#next) break
        await this.#clock.sleep(Math.max(1, this.#next - now), signal)
      }
      this.#next = this.#clock.elapsed() + this.#everyMs
      return await work()
    } finally {
      this.#underWay -= 1
      this.#waiting.shift()?.()
    }
  }
}
