import { coveredFromTheStart } from '../plan/coverage.ts'
import type { ViewPlan } from '../plan/plan.ts'
import type { HistorySummary } from './history.ts'
import type { SegmentStore } from './partitions/segment-store.ts'
import type { SweepJob } from './partitions/sweeper.ts'
import { type Inputs, makeStore, readInputs } from './read-inputs.ts'
import { spineKeyName } from './spine.ts'
import type { TrainingOptions } from './training-options.ts'
import { type EventCounts, tieKind } from './view-events.ts'
import { rowsPerBucket, writeRows } from './write-rows.ts'

export type TrainingSummary = {
  readonly rows: number
  readonly histories: readonly HistorySummary[]
  readonly views: readonly ViewCounts[]
}

export type ViewCounts = EventCounts & {
  readonly view: string
  /** Rows with a value that events would change which the history does not have: before it begins, or not in yet. */
  readonly warming: number
}

/**
 * Builds and writes a training set: for every row of the spine the features as of its instant.
 *
 * 1. Spine and histories are read once. Rows and accepted events go, view by view, into partitions by their key.
 * 2. Partition by partition: sort events and rows by (key, time), sweep both in one pass with the kernel of serving.
 *    What comes out is put into buckets by row.
 * 3. The spine is read again. Bucket by bucket its columns and then one per feature are written, in its row order.
 *
 * No value depends on how many partitions there are, who sweeps them in which order, what lies in files meanwhile, or
 * which run made them.
 */
export async function buildTrainingSet(options: TrainingOptions): Promise<TrainingSummary> {
  const inputs = await readInputs(options)
  const results = []
  const counts: ViewCounts[] = []
  for (const [index, view] of options.views.entries()) {
    const store = makeStore(options, `results-${index}`, Math.ceil(inputs.spine.rows / rowsPerBucket))
    const warming = await sweepView(options, inputs, { index, view, store })
    inputs.events[index]!.close()
    results.push({ view, store })
    const { applied, filtered, unkeyed, forgotten } = inputs.counts[index]!
    counts.push({ view: view.name, applied, filtered, unkeyed, forgotten, warming })
  }
  for (const store of inputs.rows.values()) store.close()
  await writeRows(options, inputs.spine, results)
  for (const { store } of results) store.close()
  return { rows: inputs.spine.rows, histories: inputs.histories, views: counts }
}

type ViewSweep = { readonly index: number; readonly view: ViewPlan; readonly store: SegmentStore }

/** As many partitions at once as the sweeper has use for. Gives the number of rows that are warming. */
async function sweepView(options: TrainingOptions, inputs: Inputs, { index, view, store }: ViewSweep): Promise<number> {
  const { sweeper, folder, onProgress } = options
  const { partitions, persistent } = inputs
  const phase = `computing ${view.name}`
  let warming = 0
  let started = 0
  let done = 0
  const work = async (): Promise<void> => {
    while (started < partitions) {
      const partition = started++
      const name = `${index}-${partition}`
      let swept = persistent ? folder.loadSwept(name) : null
      if (swept === null) {
        const result = await sweeper.sweep(jobOf(options, inputs, { index, partition, buckets: store.buckets }))
        warming += result.warming
        if (persistent) swept = folder.saveSwept(name, result)
        else store.append(result, true)
      } else warming += swept.warming
      if (swept !== null) store.adopt([swept.block])
      done += 1
      await onProgress({ phase, done: Math.floor((inputs.spine.rows * done) / partitions), total: inputs.spine.rows })
    }
  }
  await Promise.all(Array.from({ length: sweeper.width }, work))
  return warming
}

type Part = { readonly index: number; readonly partition: number; readonly buckets: number }

function jobOf(
  { views, histories, inclusive }: TrainingOptions,
  { events, rows, histories: summaries }: Inputs,
  { index, partition, buckets }: Part,
): SweepJob {
  const view = views[index]!
  const { stream } = histories.find((one) => one.stream.name === view.stream)!
  return {
    view: view.name,
    partition,
    tie: tieKind(stream),
    events: events[index]!.places(partition),
    spine: rows.get(spineKeyName(view))!.places(partition),
    plusMs: inclusive ? 1 : 0,
    coveredFrom: summaries.find(({ stream: name }) => name === view.stream)?.coveredFromMs ?? coveredFromTheStart,
    rowsPerBucket,
    buckets,
  }
}
