/** Growth of a count per second over the last seconds. */
export class RateMeter {
  readonly #spanMs: number
  readonly #points: { readonly atMs: number; readonly count: number }[] = []

  constructor(spanMs: number) {
    this.#spanMs = spanMs
  }

  note(atMs: number, count: number): void {
    this.#points.push({ atMs, count })
    // One point older than the span stays: the rate is over at least the span, once there is that much.
    while (this.#points.length > 2 && this.#points[1]!.atMs < atMs - this.#spanMs) this.#points.shift()
  }

  get perSecond(): number {
    const [first, last] = [this.#points[0], this.#points.at(-1)]
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0
    return ((last.count - first.count) * 1_000) / (last.atMs - first.atMs)
  }
}

/** Percentiles of the last measurements. */
export class Percentiles {
  readonly #countMax: number
  readonly #values: number[] = []
  #next = 0

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  note(value: number): void {
    this.#values[this.#next] = value
    this.#next = (this.#next + 1) % this.#countMax
  }

  /** The value that a share of them does not exceed; null before the first. */
  at(share: number): number | null {
    const sorted = this.#values.toSorted((a, b) => a - b)
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
  }
}
