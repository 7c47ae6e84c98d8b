import { NumberTable } from './partitions/number-table.ts'
import type { BatchColumn } from './partitions/row-batch.ts'

/** A set of one type holds at most 2^24 values. */
const textsPerSet = 2 ** 23

/** The ids of a history that were there already. All of them are text, or all are numbers. */
export class IdSet {
  readonly #numbers = new NumberTable(1_024)
  #texts: Set<string>[] = [new Set()]

  /** Adds the ids of a column's rows; gives the rows whose id is new, null for all of them. */
  addAll(ids: BatchColumn, rows: number): Int32Array | null {
    const fresh = new Int32Array(rows)
    let count = 0
    for (let row = 0; row < rows; row++) if (this.#add(ids[row] as string | number)) fresh[count++] = row
    return count === rows ? null : fresh.subarray(0, count)
  }

  #add(id: string | number): boolean {
    const number = compact(id)
    if (typeof number === 'string') return this.#addText(number)
    const before = this.#numbers.size
    return this.#numbers.add(number) === before
  }

  #addText(id: string): boolean {
    if (this.#texts.some((texts) => texts.has(id))) return false
    if (this.#texts.at(-1)!.size === textsPerSet) this.#texts.push(new Set())
    this.#texts.at(-1)!.add(id)
    return true
  }
}

/** Text that is the plain form of a whole number as that number, which takes a fraction of the memory. */
function compact(id: string | number): string | number {
  if (typeof id !== 'string' || id.length > 15) return id
  const number = Number(id)
  return String(number) === id && Number.isSafeInteger(number) ? number : id
}
