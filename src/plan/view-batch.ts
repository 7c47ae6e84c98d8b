import { ByteWriter } from '../base/bytes.ts'
import type { ColumnValue } from '../kernel/aggregation.ts'
import { type FoldBatch, type FoldColumn, hashKey } from '../kernel/fold-batch.ts'
import type { RowValue } from '../schema/decode.ts'
import type { FieldKind } from '../schema/field.ts'
import { writeKeyBoolean, writeKeyNumber, writeKeyTextTag } from '../schema/key-codec.ts'
import type { ProjectedEvent } from './event-format.ts'
import type { ViewPlan } from './plan.ts'

const sizeMin = 64

/**
 * Accepted events of one view, from what a projector found in their bytes to a batch that is folded at once: what
 * `ViewPlan.project` does to rows, in columns.
 */
export class ViewBatch {
  readonly batch: FoldBatch
  readonly #view: ViewPlan
  readonly #kinds: readonly FieldKind[]
  readonly #keys = new ByteWriter(1_024)
  /** Of the event at hand, as far as filters and computed columns read it. */
  readonly #row: RowValue[] = []

  constructor(view: ViewPlan) {
    this.#view = view
    this.#kinds = view.keys.map(({ field }) => field.kind)
    const { columns, keepsTies } = view.program
    this.batch = {
      size: 0,
      keyBytes: new Uint8Array(),
      keyStarts: new Uint32Array(sizeMin + 1),
      keyHashes: new Uint32Array(sizeMin),
      ts: new Float64Array(sizeMin),
      ties: keepsTies ? [] : null,
      columns: columns.map(({ kind }) => (kind === 'string' ? [] : new Float64Array(sizeMin))),
    }
  }

  /** Whether `add` needs what breaks ties. */
  get keepsTies(): boolean {
    return this.batch.ties !== null
  }

  clear(): void {
    this.batch.size = 0
    this.#keys.reset()
  }

  /** Adds the event that the projector holds, unless it is none of the view's. */
  add(projector: ProjectedEvent, ts: number, tie: string | number): 'applied' | 'filtered' | 'unkeyed' {
    const { batch } = this
    const { projection } = this.#view
    const start = this.#keys.size
    if (!this.#addKey(projector, projection.keys)) {
      this.#keys.truncate(start)
      return 'unkeyed'
    }
    for (const index of projection.reads) this.#row[index] = projector.value(index)
    if (projection.where !== null && projection.where(this.#row) !== true) {
      this.#keys.truncate(start)
      return 'filtered'
    }
    const { size } = batch
    if (size === batch.ts.length) this.#grow()
    // Writing may have moved them.
    batch.keyBytes = this.#keys.written
    batch.keyStarts[size] = start
    batch.keyStarts[size + 1] = this.#keys.size
    batch.keyHashes[size] = hashKey(batch.keyBytes, start, this.#keys.size)
    batch.ts[size] = ts
    if (batch.ties !== null) batch.ties[size] = tie
    const { numbers } = projector.values
    for (let column = 0; column < batch.columns.length; column++) {
      const target = batch.columns[column]!
      const field = projection.fields[column]!
      if (field === null) put(target, size, projection.columns[column]!(this.#row))
      else if (target instanceof Float64Array) target[size] = numbers[field]!
      else target[size] = projector.value(field) as string | null
    }
    batch.size = size + 1
    return 'applied'
  }

  /** The key of the event that was added last. Valid until the next one is. */
  get lastKey(): Uint8Array {
    const { size, keyStarts } = this.batch
    return this.batch.keyBytes.subarray(keyStarts[size - 1], keyStarts[size])
  }

  /** Takes away the event that was added last. */
  dropLast(): void {
    this.batch.size -= 1
    this.#keys.truncate(this.batch.keyStarts[this.batch.size]!)
  }

  /** As `encodeKey`. False: a part of it is null. */
  #addKey(projector: ProjectedEvent, fields: readonly number[]): boolean {
    const { numbers, starts, ends } = projector.values
    for (let index = 0; index < fields.length; index++) {
      const field = fields[index]!
      const kind = this.#kinds[index]!
      if (kind === 'string') {
        if (starts[field]! < 0) return false
        writeKeyTextTag(this.#keys)
        this.#keys.bytesBetween(projector.text.bytes, starts[field]!, ends[field]!)
      } else {
        const number = numbers[field]!
        if (number !== number) return false
        if (kind === 'boolean') writeKeyBoolean(this.#keys, number === 1)
        else writeKeyNumber(this.#keys, kind, number)
      }
    }
    return true
  }

  #grow(): void {
    const { batch } = this
    const length = batch.ts.length * 2
    const grown = <Numbers extends { set(from: Numbers): void }>(from: Numbers, to: Numbers): Numbers => {
      to.set(from)
      return to
    }
    batch.keyStarts = grown(batch.keyStarts, new Uint32Array(length + 1))
    batch.keyHashes = grown(batch.keyHashes, new Uint32Array(length))
    batch.ts = grown(batch.ts, new Float64Array(length))
    for (const [index, column] of batch.columns.entries()) {
      if (column instanceof Float64Array) batch.columns[index] = grown(column, new Float64Array(length))
    }
  }
}

function put(column: FoldColumn, index: number, value: ColumnValue): void {
  if (column instanceof Float64Array) column[index] = value === null ? Number.NaN : Number(value)
  else column[index] = value as string | null
}

const batches = new WeakMap<ViewPlan, ViewBatch>()

/** One per view, empty. It is filled and folded without a pause in between, by whichever partition is at it. */
export function emptyBatchOf(view: ViewPlan): ViewBatch {
  let found = batches.get(view)
  if (found === undefined) {
    found = new ViewBatch(view)
    batches.set(view, found)
  }
  found.clear()
  return found
}
