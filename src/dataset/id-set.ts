import { NumberTable } from './partitions/number-table.ts'
import type { BatchColumn } from './partitions/row-batch.ts'

/** A set of the language holds at most 2^24 values. */
const textsPerSet = 2 ** 23
/** Beyond it, what stands before the digits is no prefix but part of what varies. */
const prefixesMax = 1_000

/**
 * The ids of a history that were there already. All of them are text, or all are numbers.
 *
 * Ids mostly count: whole numbers, and texts that end in as many digits as others with the same beginning, take a bit
 * each where they lie close together. Other texts are kept as they are.
 */
export class IdSet {
  readonly #numbers = new WholeNumberSet()
  /** By how many digits there are and what stands before them. */
  readonly #counting = new Map<string, WholeNumberSet>()
  readonly #texts: Set<string>[] = [new Set()]

  /** Adds the ids of a column's rows; gives the rows whose id is new, null for all of them. */
  addAll(ids: BatchColumn, rows: number): Int32Array | null {
    let row = 0
    while (row < rows && this.#add(ids[row] as string | number)) row += 1
    if (row === rows) return null
    // Only from the first one on that was there already.
    const fresh = new Int32Array(rows - 1)
    for (let before = 0; before < row; before++) fresh[before] = before
    let count = row
    for (row += 1; row < rows; row++) if (this.#add(ids[row] as string | number)) fresh[count++] = row
    return fresh.subarray(0, count)
  }

  #add(id: string | number): boolean {
    if (typeof id === 'number') return this.#numbers.add(id)
    const digits = trailingDigits(id)
    // How many digits there are tells 7 from 07.
    const own = digits === 0 ? null : this.#setOf(`${digits} ${id.slice(0, id.length - digits)}`)
    return own === null ? this.#addText(id) : own.add(Number(id.slice(id.length - digits)))
  }

  #setOf(name: string): WholeNumberSet | null {
    let found = this.#counting.get(name)
    if (found === undefined) {
      if (this.#counting.size === prefixesMax) return null
      found = new WholeNumberSet()
      this.#counting.set(name, found)
    }
    return found
  }

  #addText(id: string): boolean {
    if (this.#texts.some((texts) => texts.has(id))) return false
    if (this.#texts.at(-1)!.size === textsPerSet) this.#texts.push(new Set())
    this.#texts.at(-1)!.add(id)
    return true
  }
}

/** At most 15, so that they are a safe integer. */
function trailingDigits(text: string): number {
  let count = 0
  while (count < 15 && count < text.length) {
    const code = text.charCodeAt(text.length - 1 - count)
    if (code < 0x30 || code > 0x39) break
    count += 1
  }
  return count
}

/** Safe integers, by pages of 64 bits: an eighth of a byte for each where they lie close together, else some forty. */
class WholeNumberSet {
  readonly #pages = new NumberTable(16)
  #bits = new Int32Array(64)
  /** The page of the last value, which mostly is that of the next one, and its number. */
  #page = 0
  #number = this.#pages.add(0)

  /** Whether it was not there yet. */
  add(value: number): boolean {
    const page = Math.floor(value / 64)
    if (page !== this.#page) {
      this.#page = page
      this.#number = this.#pages.add(page)
    }
    const place = value - page * 64
    const word = 2 * this.#number + (place >> 5)
    if (word >= this.#bits.length) {
      const grown = new Int32Array(this.#bits.length * 2)
      grown.set(this.#bits)
      this.#bits = grown
    }
    const bit = 1 << (place & 31)
    if ((this.#bits[word]! & bit) !== 0) return false
    this.#bits[word]! |= bit
    return true
  }
}
