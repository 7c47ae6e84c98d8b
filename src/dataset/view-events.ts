import type { AcceptedEvent, StreamPlan, ViewPlan } from '../plan/plan.ts'
import type { RowValue } from '../schema/decode.ts'
import type { AcceptedBatch } from './history.ts'
import { BlockWriter } from './partitions/block-writer.ts'
import { keyColumn, keyOf, rowValue } from './partitions/key-column.ts'
import { columnKind, eventKinds } from './partitions/partition-layout.ts'
import { type BatchColumn, type ColumnKind, makeColumn, numberOf } from './partitions/row-batch.ts'
import type { SegmentStore } from './partitions/segment-store.ts'

/** What breaks ties of time in a stream: the id, or else a number made of where an event lies. */
export function tieKind({ id, fields }: StreamPlan): ColumnKind {
  return id === null ? 'number' : columnKind(Object.values(fields)[id]!.kind)
}

/** What became of the accepted events of a view's stream. */
export type EventCounts = {
  readonly applied: number
  readonly filtered: number
  readonly unkeyed: number
  readonly forgotten: number
}

/** The accepted events of a stream as one view has them, on their way into its partitions. */
export class ViewEvents {
  readonly view: ViewPlan
  readonly counts: { -readonly [Name in keyof EventCounts]: number } = {
    applied: 0,
    filtered: 0,
    unkeyed: 0,
    forgotten: 0,
  }
  readonly #stream: StreamPlan
  readonly #writer: BlockWriter

  constructor(view: ViewPlan, stream: StreamPlan, store: SegmentStore) {
    this.view = view
    this.#stream = stream
    this.#writer = new BlockWriter(eventKinds(view, tieKind(stream)), store)
  }

  add({ row, ts, tie }: AcceptedEvent): void {
    const { keys, where, columns: evaluators } = this.view.projection
    const kinds = this.view.keys.map(({ field }) => field.kind)
    const key = keyOf(kinds, (index) => row[keys[index]!]!)
    if (key === null || Number.isNaN(key)) {
      this.counts.unkeyed += 1
      return
    }
    if (where !== null && where(row) !== true) {
      this.counts.filtered += 1
      return
    }
    this.counts.applied += 1
    const next = this.#writer.next()
    let column = 0
    const put = (value: RowValue): void => {
      const into = next.columns[column++]!
      if (into instanceof Float64Array) into[next.row] = numberOf(value as number | boolean | null)
      else into[next.row] = value as string | null
    }
    put(key)
    put(ts)
    if (this.view.program.keepsTies) put(tie)
    for (const evaluate of evaluators) put(evaluate(row))
  }

  addBatch(batch: AcceptedBatch): void {
    const { program, projection } = this.view
    const key = keyColumn(
      this.view,
      projection.keys.map((field) => batch.columns[field]!),
    )
    const rowAt = rowReader(this.#stream, batch)
    const kept = this.#keep(batch, key, rowAt)
    const columns = projection.columns.map((evaluate, index): BatchColumn => {
      const field = projection.fields[index]!
      if (field !== null) return batch.columns[field]!
      const computed = makeColumn(columnKind(program.columns[index]!.kind), batch.rows)
      for (let index = 0; index < (kept?.length ?? batch.rows); index++) {
        const row = kept === null ? index : kept[index]!
        const value = evaluate(rowAt(row))
        if (computed instanceof Float64Array) computed[row] = numberOf(value as number | boolean | null)
        else computed[row] = value as string | null
      }
      return computed
    })
    this.#writer.add([key, batch.ts, ...(program.keepsTies ? [batch.ties] : []), ...columns], kept)
  }

  /** Call once, after the last event. */
  close(): void {
    this.#writer.flush()
  }

  /** The places of the rows that the view applies; null: all of them. */
  #keep(batch: AcceptedBatch, key: BatchColumn, rowAt: (row: number) => RowValue[]): Int32Array | null {
    const { where } = this.view.projection
    const count = batch.accepted?.length ?? batch.rows
    const kept = new Int32Array(count)
    let applied = 0
    for (let index = 0; index < count; index++) {
      const row = batch.accepted === null ? index : batch.accepted[index]!
      const value = key[row]!
      if (value === null || Number.isNaN(value)) this.counts.unkeyed += 1
      else if (where !== null && where(rowAt(row)) !== true) this.counts.filtered += 1
      else kept[applied++] = row
    }
    this.counts.applied += applied
    return applied === batch.rows ? null : kept.subarray(0, applied)
  }
}

/** Rows of a batch as filters and computed columns take them: only made for views that have any. */
function rowReader({ fields }: StreamPlan, { columns }: AcceptedBatch): (row: number) => RowValue[] {
  const kinds = Object.values(fields).map(({ kind }) => kind)
  return (row) => kinds.map((kind, field) => rowValue(kind, columns[field]!, row))
}
