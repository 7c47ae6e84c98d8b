/** Numbers that follow from a seed (mulberry32), and the draws that a simulation makes from them. */
export class Random {
  #state: number

  /** Two generators of one seed and other purposes are independent: shrinking one part of a run leaves the others. */
  constructor(seed: number, purpose: string) {
    let state = seed >>> 0
    for (let at = 0; at < purpose.length; at++) state = Math.imul(state ^ purpose.charCodeAt(at), 0x0100_0193)
    this.#state = state >>> 0
    this.next()
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    const state = this.#state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** In [0, count). */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** In [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
}
