import { NumberTable } from './number-table.ts'
import type { Segment, SegmentColumn } from './segment.ts'

/** The number of each row's key, over all segments; -1 for a key that is not numbered. */
export type KeyNumbers = { readonly numbers: Int32Array; readonly count: number }

/**
 * Numbers the keys of a partition: those of the spine, in the order in which they first come. Events of other keys are
 * of no use to anyone.
 */
export function numberKeys(
  spine: readonly Segment[],
  events: readonly Segment[],
): { readonly spine: KeyNumbers; readonly events: KeyNumbers } {
  const column = [...spine, ...events][0]?.columns[0]
  const names = column?.kind === 'text' ? new TextNames() : new NumberNames(spine)
  const spineNumbers = numbersOf(spine, (key, into) => names.add(key, into))
  const eventNumbers = numbersOf(events, (key, into) => names.find(key, into))
  return {
    spine: { numbers: spineNumbers, count: names.size },
    events: { numbers: eventNumbers, count: names.size },
  }
}

function numbersOf(segments: readonly Segment[], fill: (key: SegmentColumn, into: Int32Array) => void): Int32Array {
  const numbers = new Int32Array(segments.reduce((sum, { rows }) => sum + rows, 0))
  let at = 0
  for (const { rows, columns } of segments) {
    fill(columns[0]!, numbers.subarray(at, at + rows))
    at += rows
  }
  return numbers
}

class NumberNames {
  readonly #table: NumberTable

  constructor(spine: readonly Segment[]) {
    this.#table = new NumberTable(
      Math.min(
        100_000,
        spine.reduce((sum, { rows }) => sum + rows, 0),
      ),
    )
  }

  get size(): number {
    return this.#table.size
  }

  add(key: SegmentColumn, into: Int32Array): void {
    if (key.kind !== 'number') return
    for (let row = 0; row < into.length; row++) into[row] = this.#table.add(key.values[row]!)
  }

  find(key: SegmentColumn, into: Int32Array): void {
    if (key.kind !== 'number') return
    for (let row = 0; row < into.length; row++) into[row] = this.#table.find(key.values[row]!)
  }
}

class TextNames {
  readonly #numbers = new Map<string, number>()

  get size(): number {
    return this.#numbers.size
  }

  add(key: SegmentColumn, into: Int32Array): void {
    if (key.kind !== 'text') return
    const own = Int32Array.from(key.texts.all(), (text) => {
      const found = this.#numbers.get(text)
      if (found !== undefined) return found
      this.#numbers.set(text, this.#numbers.size)
      return this.#numbers.size - 1
    })
    for (let row = 0; row < into.length; row++) into[row] = own[key.places[row]!]!
  }

  find(key: SegmentColumn, into: Int32Array): void {
    if (key.kind !== 'text') return
    const own = Int32Array.from(key.texts.all(), (text) => this.#numbers.get(text) ?? -1)
    for (let row = 0; row < into.length; row++) into[row] = own[key.places[row]!]!
  }
}
