import type { ViewPlan } from '../plan/plan.ts'
import type { TableColumnValues } from '../store/offline/table-file.ts'
import { featureColumn, featuresOf } from './feature-columns.ts'
import type { SegmentStore } from './partitions/segment-store.ts'
import { spineBatches, type SpineSummary } from './spine.ts'
import type { TrainingOptions } from './training-options.ts'

/** Rows of the spine whose features are put together at a time. */
export const rowsPerBucket = 65_536

/** The results of a view's partitions, by bucket of rows. */
export type ViewResults = { readonly view: ViewPlan; readonly store: SegmentStore }

/** Writes the spine's columns, then one per feature, in the spine's row order. */
export async function writeRows(
  { spine, openWriter, onProgress }: TrainingOptions,
  summary: SpineSummary,
  results: readonly ViewResults[],
): Promise<void> {
  const writer = await openWriter([
    ...summary.columns,
    ...results.flatMap(({ view }) => view.features.map(featureColumn)),
  ])
  let written = 0
  let bucket = { firstRow: 0, rows: 0, columns: [] as TableColumnValues[] }
  for await (const batch of spineBatches(spine, summary)) {
    for (let from = 0; from < batch.rows; ) {
      if (written === bucket.firstRow + bucket.rows) bucket = featuresFrom(written)
      const inBucket = written - bucket.firstRow
      const rows = Math.min(batch.rows - from, bucket.rows - inBucket)
      const columns = [
        ...batch.columns.map((values) => part(values, from, from + rows)),
        ...bucket.columns.map((values) => part(values, inBucket, inBucket + rows)),
      ]
      await writer.write({ rows, columns })
      from += rows
      written += rows
      await onProgress({ phase: 'writing', done: written, total: summary.rows })
    }
  }
  await writer.close()

  function featuresFrom(firstRow: number): typeof bucket {
    const rows = Math.min(rowsPerBucket, summary.rows - firstRow)
    const range = { bucket: firstRow / rowsPerBucket, firstRow, rows }
    return { firstRow, rows, columns: results.flatMap(({ view, store }) => featuresOf(view, store, range)) }
  }
}

function part(values: TableColumnValues, from: number, to: number): TableColumnValues {
  return values instanceof Float64Array ? values.subarray(from, to) : values.slice(from, to)
}
