/** Numbers the different values that come, from 0, in the order in which they first come. Open addressing. */
export class NumberTable {
  #keys: Float64Array
  #numbers: Int32Array
  #size = 0

  constructor(expected: number) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 2)))
    this.#keys = new Float64Array(capacity)
    this.#numbers = new Int32Array(capacity).fill(-1)
  }

  get size(): number {
    return this.#size
  }

  /** The number of a value; -1 when it never came. */
  find(key: number): number {
    return this.#numbers[this.#slot(key)]!
  }

  /** The number of a value, which may be a new one. */
  add(key: number): number {
    const slot = this.#slot(key)
    const found = this.#numbers[slot]!
    if (found !== -1) return found
    this.#keys[slot] = key
    this.#numbers[slot] = this.#size
    this.#size += 1
    if (this.#size * 2 > this.#keys.length) this.#grow()
    return this.#size - 1
  }

  #slot(key: number): number {
    const keys = this.#keys
    const numbers = this.#numbers
    const mask = keys.length - 1
    let slot = hashOf(key) & mask
    while (numbers[slot]! !== -1 && keys[slot]! !== key) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const keys = this.#keys
    const numbers = this.#numbers
    this.#keys = new Float64Array(keys.length * 2)
    this.#numbers = new Int32Array(keys.length * 2).fill(-1)
    for (let at = 0; at < keys.length; at++) {
      if (numbers[at]! === -1) continue
      const slot = this.#slot(keys[at]!)
      this.#keys[slot] = keys[at]!
      this.#numbers[slot] = numbers[at]!
    }
  }
}

const scratch = new Float64Array(1)
const words = new Int32Array(scratch.buffer)

/** Low bits, and other ones than those that choose a partition. */
function hashOf(key: number): number {
  scratch[0] = key + 0
  const hash = Math.imul(words[0]! ^ Math.imul(words[1]!, 0x85eb_ca6b), 0x9e37_79b1)
  return hash ^ (hash >>> 15)
}
