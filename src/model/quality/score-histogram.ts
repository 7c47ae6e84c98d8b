/** Scores in a bin, of `[low, high)`. */
export type ScoreBin = { readonly low: number; readonly high: number; readonly count: number }

const binsMax = 64
const exponentMin = -20
const binMax = 2 ** 50

/**
 * How scores of any size are spread: exact counts in at most 64 bins of one width. The width is the least power of two
 * that does for all that came, so that the bins depend on what came and not on its order.
 */
export class ScoreHistogram {
  #counts = new Map<number, number>()
  #width = 2 ** exponentMin
  #count = 0
  #sum = 0
  #low = Number.POSITIVE_INFINITY
  #high = Number.NEGATIVE_INFINITY

  get count(): number {
    return this.#count
  }

  get mean(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count
  }

  /** Whether all of them may be probabilities; of none as well. */
  get isProbability(): boolean {
    return this.#count === 0 || (this.#low >= 0 && this.#high <= 1)
  }

  /** @param score finite. */
  add(score: number): void {
    this.#count += 1
    this.#sum += score
    if (score < this.#low || score > this.#high) {
      this.#low = Math.min(this.#low, score)
      this.#high = Math.max(this.#high, score)
      this.#widen()
    }
    const bin = Math.floor(score / this.#width)
    this.#counts.set(bin, (this.#counts.get(bin) ?? 0) + 1)
  }

  /** From the least to the highest one, those between them that are empty included. */
  bins(): ScoreBin[] {
    if (this.#count === 0) return []
    const [first, last] = [Math.floor(this.#low / this.#width), Math.floor(this.#high / this.#width)]
    return Array.from({ length: last - first + 1 }, (_, index) => ({
      low: (first + index) * this.#width,
      high: (first + index + 1) * this.#width,
      count: this.#counts.get(first + index) ?? 0,
    }))
  }

  #widen(): void {
    const before = this.#width
    const fits = (): boolean => {
      const [first, last] = [Math.floor(this.#low / this.#width), Math.floor(this.#high / this.#width)]
      // Beyond that the bin of a number is not told apart from the next one.
      return last - first < binsMax && Math.max(Math.abs(first), Math.abs(last)) < binMax
    }
    while (!fits()) this.#width *= 2
    if (this.#width === before) return
    const counts = new Map<number, number>()
    for (const [bin, count] of this.#counts) {
      const wider = Math.floor(bin * (before / this.#width))
      counts.set(wider, (counts.get(wider) ?? 0) + count)
    }
    this.#counts = counts
  }
}
