import { assert } from '../../base/assert.ts'
import { type SweptColumn, valueAt } from '../../kernel/sweep/swept-column.ts'
import type { ViewPlan } from '../../plan/plan.ts'
import { eventKinds, spineKinds } from './partition-layout.ts'
import type { BatchColumn, ColumnKind } from './row-batch.ts'
import { type Block, readPlaces, type SegmentPlace } from './segment-store.ts'
import { readSegment, SegmentWriter } from './segment.ts'
import { sweepPartition } from './sweep-partition.ts'

/** One partition of one view to sweep. Plain data: it may go to another thread. */
export type SweepJob = {
  readonly view: string
  readonly partition: number
  readonly tie: ColumnKind
  readonly events: readonly SegmentPlace[]
  readonly spine: readonly SegmentPlace[]
  readonly plusMs: number
  readonly coveredFrom: number
  /** Results are put into buckets of so many rows of the spine each. */
  readonly rowsPerBucket: number
  readonly buckets: number
}

/** The features of a partition's rows, laid out as `resultKinds` says, by bucket of rows. */
export type SweepResult = Block & { readonly warming: number }

/** Whoever sweeps: this thread, or others. Up to `width` jobs at once are of use. */
export interface Sweeper {
  readonly width: number
  sweep(job: SweepJob): Promise<SweepResult>
  close(): Promise<void>
}

export function makeInlineSweeper(views: readonly ViewPlan[]): Sweeper {
  return {
    width: 1,
    sweep: (job) => Promise.resolve(runSweep(views, job, false)),
    close: () => Promise.resolve(),
  }
}

/** @param shared whether the result has to be readable by other threads without being copied. */
export function runSweep(views: readonly ViewPlan[], job: SweepJob, shared: boolean): SweepResult {
  const view = views.find(({ name }) => name === job.view)
  assert(view !== undefined, 'a job is about a view of the plan')
  const { rows, features, warming } = sweepPartition(view, {
    events: readPlaces(job.events).map((bytes) => readSegment(bytes, eventKinds(view, job.tie))),
    spine: readPlaces(job.spine).map((bytes) => readSegment(bytes, spineKinds(view))),
    plusMs: job.plusMs,
    coveredFrom: job.coveredFrom,
  })
  const columns = [rows, ...features.map(batchColumn)]
  const places = counting(rows.length)
  const writer = new SegmentWriter()
  const offsets = [0]
  let from = 0
  for (let bucket = 0; bucket < job.buckets; bucket++) {
    let to = from
    while (to < rows.length && rows[to]! < (bucket + 1) * job.rowsPerBucket) to += 1
    if (to > from) writer.add(columns, places.subarray(from, to))
    offsets.push(writer.size)
    from = to
  }
  const bytes = writer.bytes()
  const own = new Uint8Array(shared ? new SharedArrayBuffer(bytes.length) : new ArrayBuffer(bytes.length))
  own.set(bytes)
  return { bytes: own, offsets, warming }
}

function batchColumn(column: SweptColumn): BatchColumn {
  if (column.kind === 'number' || column.kind === 'boolean') return column.values
  return Array.from(column.values, (_, row) => {
    const value = valueAt(column, row)
    return value === null || column.kind === 'text' ? (value as string | null) : JSON.stringify(value)
  })
}

function counting(count: number): Int32Array {
  const numbers = new Int32Array(count)
  for (let index = 0; index < count; index++) numbers[index] = index
  return numbers
}
