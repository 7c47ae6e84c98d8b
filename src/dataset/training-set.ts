import { MillraceError } from '../base/faults.ts'
import { coveredFromTheStart } from '../plan/coverage.ts'
import type { Forgotten } from '../plan/forgotten.ts'
import type { FeaturePlan, ViewPlan } from '../plan/plan.ts'
import type { ValueType } from '../schema/value-type.ts'
import type { TableColumn, TableValue, TableWriter } from '../store/offline/table-file.ts'
import type { History, HistorySummary } from './history.ts'
import { KeyGroups } from './key-groups.ts'
import type { Spine } from './spine.ts'
import { sweepView } from './sweep-view.ts'

export type Progress = { readonly phase: string; readonly done: number; readonly total: number | null }

export type TrainingOptions = {
  readonly views: readonly ViewPlan[]
  readonly spine: Spine
  /** Stream name → its past. */
  readonly histories: ReadonlyMap<string, History>
  /** Entities whose past counts nowhere any more. */
  readonly forgotten: Forgotten
  /** Whether events of the instant's own millisecond count: `ts <= instant` instead of `ts < instant`. */
  readonly inclusive: boolean
  readonly onProgress: (progress: Progress) => Promise<void>
}

export type TrainingSet = {
  readonly columns: readonly { readonly column: TableColumn; readonly values: readonly TableValue[] }[]
  readonly histories: readonly HistorySummary[]
  readonly views: readonly {
    readonly view: string
    readonly applied: number
    readonly filtered: number
    readonly unkeyed: number
    readonly forgotten: number
    /** Rows with a value that events would change which the history does not have: before it begins, or not in yet. */
    readonly warming: number
  }[]
}

/**
 * Builds a training set: for every row of the spine the features as of its instant.
 *
 * 1. Read each stream's history once; split the accepted events by view and key.
 * 2. Per view and key: sort the events, sort the rows, sweep both in one pass with the kernel of serving.
 * 3. The spine's columns, then one column per feature, in the spine's row order.
 */
export async function buildTrainingSet(options: TrainingOptions): Promise<TrainingSet> {
  const { views, spine, histories, forgotten, inclusive, onProgress } = options
  checkColumnNames(views, spine)
  const groups = new Map(views.map((view) => [view, new KeyGroups(view)]))
  const summaries: HistorySummary[] = []
  for (const [stream, history] of histories) {
    const own = views.filter((view) => view.stream === stream).map((view) => groups.get(view)!)
    const phase = `reading ${stream}`
    const summary = await history.read(
      (event, { place: topic, partition, offset }) => {
        for (const group of own) {
          if (forgotten.coversEvent(group.view, event, { topic, partition, offset })) group.counts.forgotten += 1
          else group.add(event)
        }
      },
      (done) => void onProgress({ phase, done, total: history.size }),
    )
    summaries.push(summary)
  }
  const columns = spine.columns.map(({ name, values }) => inferColumn(name, values))
  const counts: TrainingSet['views'][number][] = []
  for (const view of views) {
    const group = groups.get(view)!
    group.seal()
    const phase = `computing ${view.name}`
    const from = summaries.find(({ stream }) => stream === view.stream)?.coveredFromMs ?? coveredFromTheStart
    const { values, warming } = await sweepView(view, {
      spine,
      groups: group,
      plusMs: inclusive ? 1 : 0,
      coveredFrom: from,
      onProgress: (done) => onProgress({ phase, done, total: spine.rows }),
    })
    view.features.forEach((feature, index) => {
      columns.push({ column: featureColumn(feature), values: values[index]! })
    })
    counts.push({ view: view.name, ...group.counts, warming })
    groups.delete(view)
  }
  return { columns, histories: summaries, views: counts }
}

const batchRows = 100_000

export async function writeTrainingSet(
  set: TrainingSet,
  writer: TableWriter,
  onRows: (rows: number) => Promise<void>,
): Promise<void> {
  const rows = set.columns[0]?.values.length ?? 0
  for (let from = 0; from < rows; from += batchRows) {
    const to = Math.min(rows, from + batchRows)
    await writer.write({ rows: to - from, columns: set.columns.map(({ values }) => values.slice(from, to)) })
    await onRows(to)
  }
  await writer.close()
}

function checkColumnNames(views: readonly ViewPlan[], spine: Spine): void {
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

function featureColumn({ name, type, nullable }: FeaturePlan): TableColumn {
  // Arithmetic beyond the largest double gives null, whatever its inputs are.
  return { name, type: columnTypeOf(type), nullable: nullable || type.kind === 'float' }
}

function columnTypeOf(type: ValueType): TableColumn['type'] {
  switch (type.kind) {
    case 'string':
    case 'boolean':
    case 'timestamp':
      return type.kind
    case 'int':
      return 'int64'
    case 'list':
      if (type.of.kind === 'boolean') return 'list<boolean>'
      return type.of.kind === 'string' ? 'list<string>' : 'list<double>'
    default:
      return 'double'
  }
}

/** The narrowest type that holds every value of a spine's column; text of whole numbers (CSV) stays text. */
function inferColumn(name: string, values: readonly TableValue[]): TrainingSet['columns'][number] {
  const present = values.filter((value) => value !== null)
  const nullable = present.length < values.length
  const every = (test: (value: TableValue) => boolean): boolean => present.every(test)
  if (present.length > 0 && every((value) => typeof value === 'boolean')) {
    return { column: { name, type: 'boolean', nullable }, values }
  }
  if (present.length > 0 && every((value) => typeof value === 'bigint' || Number.isSafeInteger(value))) {
    return { column: { name, type: 'int64', nullable }, values }
  }
  if (present.length > 0 && every((value) => typeof value === 'bigint' || typeof value === 'number')) {
    return { column: { name, type: 'double', nullable }, values }
  }
  const text = values.map((value) => (value === null || typeof value === 'string' ? value : JSON.stringify(value)))
  return { column: { name, type: 'string', nullable }, values: text }
}
