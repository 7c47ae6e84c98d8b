import { groupBy, partitionsOf } from './partition-of.ts'
import { type BatchColumn, type ColumnKind, makeColumn } from './row-batch.ts'
import type { SegmentStore } from './segment-store.ts'
import { SegmentWriter } from './segment.ts'

/** Enough that the segments of a block are worth reading one by one. */
const segmentRows = 2_048

/** Gathers rows, the key in the first column, and hands them to a store by the partition of their key, a block at a time. */
export class BlockWriter {
  readonly #store: SegmentStore
  readonly #columns: readonly BatchColumn[]
  readonly #rowsMax: number
  readonly #bytes = new SegmentWriter()
  #rows = 0

  constructor(kinds: readonly ColumnKind[], store: SegmentStore) {
    this.#store = store
    this.#rowsMax = Math.max(65_536, store.buckets * segmentRows)
    this.#columns = kinds.map((kind) => makeColumn(kind, this.#rowsMax))
  }

  /** The place for another row: whoever calls fills all columns there. */
  next(): { readonly columns: readonly BatchColumn[]; readonly row: number } {
    if (this.#rows === this.#rowsMax) this.flush()
    this.#rows += 1
    return { columns: this.#columns, row: this.#rows - 1 }
  }

  /** Adds the rows at these places of columns of the same kinds; null: all of them. */
  add(columns: readonly BatchColumn[], places: Int32Array | null): void {
    const count = places?.length ?? columns[0]!.length
    for (let from = 0; from < count; ) {
      if (this.#rows === this.#rowsMax) this.flush()
      const to = Math.min(count, from + this.#rowsMax - this.#rows)
      for (const [column, values] of columns.entries()) {
        copyInto(this.#columns[column]!, this.#rows, { values, places, from, to })
      }
      this.#rows += to - from
      from = to
    }
  }

  flush(): void {
    if (this.#rows === 0) return
    const buckets = partitionsOf(this.#columns[0]!, this.#rows, this.#store.buckets)
    const { order, starts } = groupBy(buckets, this.#store.buckets)
    const offsets = [0]
    this.#bytes.clear()
    for (let bucket = 0; bucket < this.#store.buckets; bucket++) {
      if (starts[bucket + 1]! > starts[bucket]!) {
        this.#bytes.add(this.#columns, order.subarray(starts[bucket], starts[bucket + 1]))
      }
      offsets.push(this.#bytes.size)
    }
    this.#store.append({ bytes: this.#bytes.bytes(), offsets })
    this.#rows = 0
  }
}

type Rows = {
  readonly values: BatchColumn
  readonly places: Int32Array | null
  readonly from: number
  readonly to: number
}

function copyInto(into: BatchColumn, at: number, { values, places, from, to }: Rows): void {
  if (into instanceof Float64Array && values instanceof Float64Array) {
    if (places === null) into.set(values.subarray(from, to), at)
    else for (let row = from; row < to; row++) into[at + row - from] = values[places[row]!]!
  } else {
    const texts = into as (string | null)[]
    for (let row = from; row < to; row++) {
      texts[at + row - from] = values[places === null ? row : places[row]!] as string | null
    }
  }
}
