import { stat, writeFile } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { sha256OfFile } from '../base/hash.ts'
import { fileHistory, type History, type HistorySummary, logHistory } from '../dataset/history.ts'
import { MemoryBudget } from '../dataset/partitions/segment-store.ts'
import { makeInlineSweeper, type Sweeper } from '../dataset/partitions/sweeper.ts'
import { type Identity, WorkFolder } from '../dataset/partitions/work-folder.ts'
import type { Progress } from '../dataset/training-options.ts'
import { buildTrainingSet, type TrainingSummary } from '../dataset/training-set.ts'
import type { Log } from '../log/log.ts'
import type { Distribution } from '../model/quality/drift.ts'
import { viewsOf } from '../plan/find.ts'
import { Forgotten, readForgotten } from '../plan/forgotten.ts'
import type { Plan, StreamPlan, ViewPlan } from '../plan/plan.ts'
import { historyPrefixName } from '../plan/stream-history.ts'
import { openTableReader, openTableWriter } from '../store/offline/open-table.ts'
import { Spreads } from './spreads.ts'
import { startSweepThreads } from './sweep-threads.ts'
import { version } from './version.ts'
import { readingSchemas } from './schemas/log-with-schemas.ts'

export type TrainOptions = {
  readonly plan: Plan
  /** A feature service or a view. */
  readonly target: string
  /** Parquet or CSV with the join keys, an instant, and labels or whatever else shall go along. */
  readonly spine: string
  /** The spine's column that holds the instant. */
  readonly at: string
  /** `ts <= instant` instead of `ts < instant`: for rows that are themselves events of the history. */
  readonly inclusive?: boolean
  /** Where the past comes from. */
  readonly history: FileHistories | LogHistories
  /** Parquet or CSV; the manifest is written beside it as `<output>.manifest.json`. */
  readonly output: string
  /** Bytes of events, rows and values held in memory; what exceeds them goes to files. Default: a quarter of the machine's. */
  readonly memory?: number
  /** Threads that sweep. Default: as many as there are cores, where there is enough to do. */
  readonly threads?: number
  readonly clock?: Clock
  readonly onProgress?: (progress: Progress) => void
  /** What is worth saying once, such as why an earlier run's work is of no use. */
  readonly onNote?: (note: string) => void
}

/** Stream → its event files. */
export type FileHistories = { readonly files: Readonly<Record<string, readonly string[]>> }

export type LogHistories = {
  readonly log: Log
  /**
   * Stream → next offset per partition, as an answer of the server carries it: only what was known there; a stream with
   * a history has those of the history's topic as `<stream>.history` beside its own. Default: all.
   */
  readonly prefix?: Readonly<Record<string, readonly number[]>>
}

/** What a training set was made from and how: enough to make it again and to check that it is the same. */
export type Manifest = {
  /** Of the form of this file. */
  readonly version: 1
  /** Release that wrote it. */
  readonly millrace: string
  readonly plan: string
  readonly target: string
  /** Which events a row may use. */
  readonly bound: 'ts < instant' | 'ts <= instant'
  readonly at: string
  readonly features: readonly {
    readonly name: string
    readonly view: string
    readonly text: string
    /** Of a sample of the rows, to hold against what a model sees later; null for what is no number. */
    readonly spread: Distribution | null
  }[]
  readonly spine: FileSummary
  readonly history: readonly (HistorySummary & { readonly files: readonly FileSummary[] | null })[]
  readonly views: TrainingSummary['views']
  readonly output: FileSummary
  readonly createdAt: string
}

type FileSummary = { readonly file: string; readonly rows: number | null; readonly sha256: string }

/** With fewer, a thread would not be up before the work is done. */
const threadedRowsMin = 500_000

/** Builds a training set from files or a log, and writes it with its manifest. */
export async function train(options: TrainOptions): Promise<Manifest> {
  const { plan, target, at, output, clock = systemClock, inclusive = false } = options
  const views = viewsOf(plan, target)
  refuseOverwriting(options)
  const onProgress = async (progress: Progress): Promise<void> => {
    options.onProgress?.(progress)
    await clock.turn()
  }
  const { histories, files } = await openHistories(options, views)
  await onProgress({ phase: 'reading the spine', done: 0, total: null })
  const spine = { path: options.spine, table: await openTableReader(options.spine), at }
  // Files are no part of the log: whoever forgets an entity takes it out of them too.
  const forgotten = 'log' in options.history ? await readForgotten(options.history.log) : new Forgotten()
  const rows = (spine.table.rowCount ?? 0) + histories.reduce((sum, { history }) => sum + (history.size ?? 0), 0)
  const threads = options.threads ?? (rows < threadedRowsMin ? 1 : availableParallelism())
  const sweeper = (threads > 1 ? startSweepThreads(plan, views, threads) : null) ?? makeInlineSweeper(views)
  const features = views.flatMap((view) => view.features.map(({ name, text }) => ({ name, view: view.name, text })))
  const spreads = new Spreads(features.map(({ name }) => name))
  const folder = new WorkFolder(resolve(`${output}.parts`), await identityOf(options, forgotten))
  if (folder.loadRead() !== null) options.onNote?.('goes on where an earlier run stopped')
  if (folder.mismatch !== null) options.onNote?.(`starts anew, for this differs from the last time: ${folder.mismatch}`)
  const set = await leavingNothing({ folder, sweeper }, () =>
    buildTrainingSet({
      views,
      spine,
      histories,
      forgotten,
      inclusive,
      budget: new MemoryBudget(options.memory ?? totalmem() / 4, sweeper.width > 1),
      folder,
      sweeper,
      openWriter: async (columns) => spreads.noting(columns, await openTableWriter(output, columns)),
      onProgress,
    }),
  )

  const manifest: Manifest = {
    version: 1,
    millrace: version,
    plan: plan.hash,
    target,
    bound: inclusive ? 'ts <= instant' : 'ts < instant',
    at,
    features: features.map((feature) => ({ ...feature, spread: spreads.of(feature.name) })),
    spine: await summarise(options.spine, set.rows),
    history: await Promise.all(
      set.histories.map(async (history) => ({ ...history, files: await summariseAll(files.get(history.stream)) })),
    ),
    views: set.views,
    output: await summarise(output, set.rows),
    createdAt: new Date(clock.now()).toISOString(),
  }
  await writeFile(`${output}.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}

/** What a work folder must be of to be gone on with. Files are told apart by size and time of change. */
async function identityOf(options: TrainOptions, forgotten: Forgotten): Promise<Identity> {
  const { plan, target, at, inclusive = false, history } = options
  const stampOf = async (file: string): Promise<unknown> => {
    const { size, mtimeMs } = await stat(file)
    return { file: resolve(file), size, mtimeMs }
  }
  return {
    millrace: version,
    plan: plan.hash,
    target,
    at,
    inclusive,
    spine: await stampOf(options.spine),
    history:
      'log' in history
        ? endsOf(history.log, history.prefix)
        : await Promise.all(
            Object.entries(history.files).map(async ([name, files]) => [name, await Promise.all(files.map(stampOf))]),
          ),
    forgotten: forgotten.all.length,
  }
}

function endsOf(log: Log, prefix: LogHistories['prefix']): unknown {
  const topics = log
    .topics()
    .map(({ topic, partitions }) => [
      topic,
      Array.from({ length: partitions }, (_, partition) => [log.start(topic, partition), log.end(topic, partition)]),
    ])
  return { prefix: prefix ?? null, topics }
}

/** Work that another run could go on with stays after a fault; else the folder goes. */
async function leavingNothing<Result>(
  { folder, sweeper }: { readonly folder: WorkFolder; readonly sweeper: Sweeper },
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    const result = await work()
    folder.remove()
    return result
  } catch (error) {
    if (folder.loadRead() === null) folder.remove()
    throw error
  } finally {
    await sweeper.close()
  }
}

/** The output appears where it is told to: never in place of what it is made from. */
function refuseOverwriting({ spine, history, output }: TrainOptions): void {
  const inputs = [spine, ...('files' in history ? Object.values(history.files).flat() : [])]
  const overwritten = inputs.find((input) => resolve(input) === resolve(output))
  if (overwritten === undefined) return
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `the output ${output} is also an input`,
    allowed: 'Give another file for the output.',
  })
}

type Histories = {
  readonly histories: readonly { readonly stream: StreamPlan; readonly history: History }[]
  readonly files: ReadonlyMap<string, readonly { path: string; rows: number | null }[]>
}

async function openHistories(
  { plan, history, clock = systemClock }: TrainOptions,
  views: readonly ViewPlan[],
): Promise<Histories> {
  const histories: { readonly stream: StreamPlan; readonly history: History }[] = []
  const files = new Map<string, { path: string; rows: number | null }[]>()
  for (const stream of plan.streams.filter(({ name }) => views.some((view) => view.stream === name))) {
    if ('log' in history) {
      const log = readingSchemas(history.log, [plan], clock)
      histories.push({ stream, history: openLogHistory(stream, { ...history, log }, clock) })
      continue
    }
    const paths = history.files[stream.name] ?? []
    if (paths.length === 0) {
      throw new MillraceError('REQUEST_MALFORMED', {
        detail: `there is no history for stream "${stream.name}"`,
        allowed: `Give event files for it: --events ${stream.name}=FILE.parquet, or a data folder.`,
      })
    }
    const tables = await Promise.all(paths.map(async (path) => ({ path, table: await openTableReader(path) })))
    histories.push({ stream, history: fileHistory(stream, tables) })
    files.set(
      stream.name,
      tables.map(({ path, table }) => ({ path, rows: table.rowCount })),
    )
  }
  return { histories, files }
}

function openLogHistory(stream: StreamPlan, { log, prefix }: LogHistories, clock: Clock): History {
  if (prefix === undefined) return logHistory(stream, log, { clock })
  const offsetsOf = (name: string): readonly number[] => {
    const own = prefix[name]
    if (own !== undefined) return own
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `the prefix says nothing of "${name}"`,
      allowed: `Give the next offsets of its partitions, or no prefix at all. It has: ${Object.keys(prefix).join(', ')}.`,
    })
  }
  const own = offsetsOf(stream.name)
  if (stream.history === null) return logHistory(stream, log, { clock, prefix: own })
  return logHistory(stream, log, { clock, prefix: own, historyPrefix: offsetsOf(historyPrefixName(stream.name)) })
}

async function summariseAll(
  files: readonly { path: string; rows: number | null }[] | undefined,
): Promise<FileSummary[] | null> {
  return files === undefined ? null : await Promise.all(files.map(({ path, rows }) => summarise(path, rows)))
}

async function summarise(file: string, rows: number | null): Promise<FileSummary> {
  return { file, rows, sha256: await sha256OfFile(file) }
}
