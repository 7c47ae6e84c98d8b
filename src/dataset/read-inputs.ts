import { MillraceError } from '../base/faults.ts'
import type { ViewPlan } from '../plan/plan.ts'
import { featureColumn } from './feature-columns.ts'
import type { HistorySummary } from './history.ts'
import { partitionCount } from './partitions/partition-of.ts'
import { type FiledBlock, SegmentStore } from './partitions/segment-store.ts'
import { readSpine, spineKeyName, type SpineSummary } from './spine.ts'
import type { TrainingOptions } from './training-options.ts'
import { type EventCounts, ViewEvents } from './view-events.ts'

/** Spine and histories, read once: rows and accepted events by the partition of their key. */
export type Inputs = {
  readonly partitions: number
  readonly spine: SpineSummary
  readonly histories: readonly HistorySummary[]
  /** In the order of the views. */
  readonly counts: readonly EventCounts[]
  /** The events of each view, in their order. */
  readonly events: readonly SegmentStore[]
  /** The spine's rows by `spineKeyName`. */
  readonly rows: ReadonlyMap<string, SegmentStore>
  /** Whether all of it lies in files, where a later run finds it. */
  readonly persistent: boolean
}

/** What is written down of it. */
type SavedInputs = Pick<Inputs, 'partitions' | 'spine' | 'histories' | 'counts'> & {
  readonly events: readonly (readonly FiledBlock[])[]
  readonly rows: readonly (readonly [name: string, blocks: readonly FiledBlock[]])[]
}

/** From files of an earlier run where it came so far. */
export async function readInputs(options: TrainingOptions): Promise<Inputs> {
  const saved = options.folder.loadRead<SavedInputs>()
  return saved === null ? await readAll(options) : adopt(saved, options)
}

function adopt({ partitions, spine, histories, counts, events, rows }: SavedInputs, options: TrainingOptions): Inputs {
  const adopted = (name: string, blocks: readonly FiledBlock[]): SegmentStore => {
    const store = makeStore(options, name, partitions)
    store.adopt(blocks)
    return store
  }
  return {
    partitions,
    spine,
    histories,
    counts,
    events: events.map((blocks, view) => adopted(`events-${view}`, blocks)),
    rows: new Map(rows.map(([name, blocks], index) => [name, adopted(`rows-${index}`, blocks)])),
    persistent: true,
  }
}

async function readAll(options: TrainingOptions): Promise<Inputs> {
  const { views, folder, budget } = options
  const partitions = partitionCount(sizeOf(options))
  const names = [...new Set(views.map(spineKeyName))]
  const rows = new Map(names.map((name, index) => [name, makeStore(options, `rows-${index}`, partitions)]))
  const events = views.map((_, view) => makeStore(options, `events-${view}`, partitions))
  const spine = await readRows(options, rows)
  checkColumnNames(views, spine)
  const sinks = views.map((view, index) => {
    const { stream } = options.histories.find((one) => one.stream.name === view.stream)!
    return new ViewEvents(view, stream, events[index]!)
  })
  const histories = await readHistories(options, sinks)
  const counts = sinks.map((sink) => sink.counts)
  // What fits into memory is done again sooner than it is saved.
  const persistent = budget.exceeded
  if (persistent) {
    const saved: SavedInputs = {
      partitions,
      spine,
      histories,
      counts,
      events: events.map((store) => store.persist()),
      rows: [...rows].map(([name, store]) => [name, store.persist()]),
    }
    folder.saveRead(saved)
  }
  return { partitions, spine, histories, counts, events, rows, persistent }
}

/** What it holds in files is in the folder under this name. */
export function makeStore({ budget, folder }: TrainingOptions, name: string, buckets: number): SegmentStore {
  return new SegmentStore(buckets, { budget, path: folder.file(`${name}.segments`) })
}

/** The largest number of rows that come together in one view, as far as it is known; files of text do not say. */
function sizeOf({ spine, histories }: TrainingOptions): number {
  const unknown = 1_000_000
  return Math.max(...histories.map(({ history }) => history.size ?? unknown)) + (spine.table.rowCount ?? unknown)
}

async function readRows(
  { spine, views, onProgress }: TrainingOptions,
  stores: ReadonlyMap<string, SegmentStore>,
): Promise<SpineSummary> {
  const total = spine.table.rowCount
  const onRead = (done: number): void => void onProgress({ phase: 'reading the spine', done, total })
  return await readSpine(spine, { views, stores, onRead })
}

async function readHistories(
  { histories, forgotten, onProgress }: TrainingOptions,
  all: readonly ViewEvents[],
): Promise<HistorySummary[]> {
  const summaries: HistorySummary[] = []
  for (const { stream, history } of histories) {
    const sinks = all.filter(({ view }) => view.stream === stream.name)
    const phase = `reading ${stream.name}`
    const onRead = (done: number): void => void onProgress({ phase, done, total: history.size })
    if (history.readBatches !== undefined && forgotten.all.length === 0) {
      summaries.push(
        await history.readBatches((batch) => {
          for (const sink of sinks) sink.addBatch(batch)
        }, onRead),
      )
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

function checkColumnNames(views: readonly ViewPlan[], spine: SpineSummary): void {
  const taken = new Set(spine.columns.map(({ name }) => name))
  const clash = views.flatMap((view) => view.features.map((feature) => ({ view, ...featureColumn(feature) })))
  for (const { view, name } of clash) {
    if (!taken.has(name)) continue
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `the spine has a column "${name}", which is also a feature of view "${view.name}"`,
      allowed: 'Rename the column of the spine: a training set has one column per name.',
    })
  }
}
