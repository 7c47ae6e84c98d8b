/** A `Map` takes up to 2^24 entries; texts beyond half of that are kept as often as they come. */
const namedMax = 2 ** 23

/**
 * Texts under numbers, so that columns of numbers can hold them. Equal numbers are equal texts; the reverse holds only
 * mostly. A text goes when as many were released as were taken.
 */
export class Texts {
  readonly #texts: string[] = []
  readonly #numbers = new Map<string, number>()
  readonly #free: number[] = []
  #holders = new Uint32Array(4)
  #units = 0

  /** About what they take: one byte per character, and what the engine puts around each. */
  get bytes(): number {
    return this.#units + 32 * (this.#texts.length - this.#free.length) + 4 * this.#holders.length
  }

  /** The number of a text that is likely to come again. */
  take(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) {
      this.#holders[known]! += 1
      return known
    }
    const number = this.takeOnce(text)
    if (this.#numbers.size < namedMax) this.#numbers.set(text, number)
    return number
  }

  /** The number of a text that hardly comes again, such as an id: spares looking for it. */
  takeOnce(text: string): number {
    const number = this.#free.pop() ?? this.#texts.length
    this.#texts[number] = text
    this.#units += text.length
    if (number >= this.#holders.length) {
      const grown = new Uint32Array(this.#holders.length * 2)
      grown.set(this.#holders)
      this.#holders = grown
    }
    this.#holders[number] = 1
    return number
  }

  at(number: number): string {
    return this.#texts[number]!
  }

  release(number: number): void {
    this.#holders[number]! -= 1
    if (this.#holders[number] !== 0) return
    const text = this.#texts[number]!
    if (this.#numbers.get(text) === number) this.#numbers.delete(text)
    this.#texts[number] = ''
    this.#units -= text.length
    this.#free.push(number)
  }
}
