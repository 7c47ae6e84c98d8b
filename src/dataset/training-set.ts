import { join } from 'node:path'
import { MillraceError } from '../base/faults.ts'
import { coveredFromTheStart } from '../plan/coverage.ts'
import type { Forgotten } from '../plan/forgotten.ts'
import type { StreamPlan, ViewPlan } from '../plan/plan.ts'
import type { TableColumn, TableColumnValues, TableWriter } from '../store/offline/table-file.ts'
import { featureColumn, featuresOf } from './feature-columns.ts'
import type { History, HistorySummary } from './history.ts'
import { partitionCount } from './partitions/partition-of.ts'
import { type MemoryBudget, SegmentStore } from './partitions/segment-store.ts'
import type { Sweeper, SweepJob } from './partitions/sweeper.ts'
import { readSpine, type Spine, spineBatches, spineKeyName, type SpineSummary } from './spine.ts'
import { tieKind, ViewEvents } from './view-events.ts'

export type Progress = { readonly phase: string; readonly done: number; readonly total: number | null }

export type TrainingOptions = {
  readonly views: readonly ViewPlan[]
  readonly spine: Spine
  readonly histories: readonly { readonly stream: StreamPlan; readonly history: History }[]
  /** Entities whose past counts nowhere any more. */
  readonly forgotten: Forgotten
  /** Whether events of the instant's own millisecond count: `ts <= instant` instead of `ts < instant`. */
  readonly inclusive: boolean
  readonly budget: MemoryBudget
  /** Where what exceeds the budget goes. Exists. */
  readonly folder: string
  readonly sweeper: Sweeper
  readonly openWriter: (columns: readonly TableColumn[]) => Promise<TableWriter>
  readonly onProgress: (progress: Progress) => Promise<void>
}

export type TrainingSummary = {
  readonly rows: number
  readonly histories: readonly HistorySummary[]
  readonly views: readonly ViewCounts[]
}

export type ViewCounts = {
  readonly view: string
  readonly applied: number
  readonly filtered: number
  readonly unkeyed: number
  readonly forgotten: number
  /** Rows with a value that events would change which the history does not have: before it begins, or not in yet. */
  readonly warming: number
}

/** Rows of the spine whose features are put together at a time. */
const rowsPerBucket = 65_536

/**
 * Builds and writes a training set: for every row of the spine the features as of its instant.
 *
 * 1. Spine and histories are read once. Rows and accepted events go, view by view, into partitions by their key.
 * 2. Partition by partition: sort events and rows by (key, time), sweep both in one pass with the kernel of serving.
 *    What comes out is put into buckets by row.
 * 3. The spine is read again. Bucket by bucket its columns and then one per feature are written, in its row order.
 *
 * No value depends on how many partitions there are, who sweeps them in which order, or what lies in files meanwhile.
 */
export async function buildTrainingSet(options: TrainingOptions): Promise<TrainingSummary> {
  const { spine, views, sweeper } = options
  const partitions = partitionCount(sizeOf(options))
  const rowStores = new Map(
    views.map((view): [string, SegmentStore] => [spineKeyName(view), makeStore(options, partitions)]),
  )
  const read = (done: number): void =>
    void options.onProgress({ phase: 'reading the spine', done, total: spine.table.rowCount })
  const summary = await readSpine(spine, { views, stores: rowStores, onRead: read })
  checkColumnNames(views, summary)
  const events = new Map(
    options.histories.flatMap(({ stream }) =>
      views
        .filter((view) => view.stream === stream.name)
        .map((view): [ViewPlan, Events] => {
          const store = makeStore(options, partitions)
          return [view, { store, stream, sink: new ViewEvents(view, stream, store) }]
        }),
    ),
  )
  const histories = await readHistories(options, events)
  const counts: ViewCounts[] = []
  const results = new Map<ViewPlan, SegmentStore>()
  for (const view of views) {
    const { store, sink, stream } = events.get(view)!
    const result = makeStore(options, Math.ceil(summary.rows / rowsPerBucket))
    const own = histories.find(({ stream: name }) => name === view.stream)
    const warming = await sweepView(view, { options, summary, result, jobs: jobs() })
    store.close()
    results.set(view, result)
    counts.push({ view: view.name, ...sink.counts, warming })

    function* jobs(): Generator<SweepJob> {
      const rows = rowStores.get(spineKeyName(view))!
      for (let partition = 0; partition < partitions; partition++) {
        yield {
          view: view.name,
          partition,
          tie: tieKind(stream),
          events: store.places(partition),
          spine: rows.places(partition),
          plusMs: options.inclusive ? 1 : 0,
          coveredFrom: own?.coveredFromMs ?? coveredFromTheStart,
          rowsPerBucket,
          buckets: result.buckets,
        }
      }
    }
  }
  await sweeper.close()
  for (const store of rowStores.values()) store.close()
  await writeRows(options, { summary, results })
  for (const store of results.values()) store.close()
  return { rows: summary.rows, histories, views: counts }
}

type Events = { readonly store: SegmentStore; readonly stream: StreamPlan; readonly sink: ViewEvents }

let stores = 0

function makeStore({ budget, folder }: TrainingOptions, buckets: number): SegmentStore {
  stores += 1
  return new SegmentStore(buckets, { budget, path: join(folder, `${stores}.segments`) })
}

/** The largest number of rows that come together in one view, as far as it is known; files of text do not say. */
function sizeOf({ spine, histories }: TrainingOptions): number {
  const unknown = 1_000_000
  return Math.max(...histories.map(({ history }) => history.size ?? unknown)) + (spine.table.rowCount ?? unknown)
}

async function readHistories(
  { histories, forgotten, onProgress }: TrainingOptions,
  events: ReadonlyMap<ViewPlan, Events>,
): Promise<HistorySummary[]> {
  const summaries: HistorySummary[] = []
  for (const { stream, history } of histories) {
    const sinks = [...events.values()].filter((one) => one.stream === stream).map(({ sink }) => sink)
    const phase = `reading ${stream.name}`
    const onRead = (done: number): void => void onProgress({ phase, done, total: history.size })
    if (history.readBatches !== undefined && forgotten.all.length === 0) {
      summaries.push(await history.readBatches((batch) => sinks.forEach((sink) => sink.addBatch(batch)), onRead))
    } else {
      summaries.push(
        await history.read((event, { place: topic, partition, offset }) => {
          for (const sink of sinks) {
            if (forgotten.coversEvent(sink.view, event, { topic, partition, offset })) sink.counts.forgotten += 1
            else sink.add(event)
          }
        }, onRead),
      )
    }
    for (const sink of sinks) sink.close()
  }
  return summaries
}

type ViewSweep = {
  readonly options: TrainingOptions
  readonly summary: SpineSummary
  readonly result: SegmentStore
  readonly jobs: Iterable<SweepJob>
}

/** As many jobs at once as the sweeper has use for. Gives the rows that are warming. */
async function sweepView(view: ViewPlan, { options, summary, result, jobs }: ViewSweep): Promise<number> {
  const { sweeper, onProgress } = options
  const phase = `computing ${view.name}`
  let warming = 0
  let done = 0
  const queue = jobs[Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const job = next.value
      if (job.spine.length === 0) continue
      const { bytes, offsets, warming: own } = await sweeper.sweep(job)
      result.append({ bytes, offsets }, true)
      warming += own
      done += 1
      await onProgress({ phase, done: Math.min(summary.rows, done), total: null })
    }
  }
  await Promise.all(Array.from({ length: sweeper.width }, work))
  return warming
}

type Rows = { readonly summary: SpineSummary; readonly results: ReadonlyMap<ViewPlan, SegmentStore> }

async function writeRows(
  { spine, openWriter, onProgress }: TrainingOptions,
  { summary, results }: Rows,
): Promise<void> {
  const features = [...results.keys()].flatMap((view) => view.features.map(featureColumn))
  const writer = await openWriter([...summary.columns, ...features])
  let written = 0
  let bucket = { firstRow: 0, rows: 0, columns: [] as TableColumnValues[] }
  for await (const batch of spineBatches(spine, summary)) {
    for (let from = 0; from < batch.rows; ) {
      const inBucket = written - bucket.firstRow
      if (inBucket === bucket.rows) {
        const range = {
          bucket: written / rowsPerBucket,
          firstRow: written,
          rows: Math.min(rowsPerBucket, summary.rows - written),
        }
        const columns = [...results].flatMap(([view, store]) => featuresOf(view, store, range))
        bucket = { ...range, columns }
        continue
      }
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
}

function part(values: TableColumnValues, from: number, to: number): TableColumnValues {
  return values instanceof Float64Array ? values.subarray(from, to) : values.slice(from, to)
}

function checkColumnNames(views: readonly ViewPlan[], spine: SpineSummary): void {
  const taken = new Set(spine.columns.map(({ name }) => name))
  for (const view of views) {
    const clash = view.features.find(({ name }) => taken.has(name))
    if (clash === undefined) continue
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `the spine has a column "${clash.name}", which is also a feature of view "${view.name}"`,
      allowed: 'Rename the column of the spine: a training set has one column per name.',
    })
  }
}
