import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { parseDuration } from '../base/duration.ts'
import type { Log, LogRecord } from '../log/log.ts'
import type { Distribution } from '../model/quality/drift.ts'
import { InputWindow } from '../model/quality/input-window.ts'
import { LabelJoin } from '../model/quality/label-join.ts'
import { ScoreHistogram } from '../model/quality/score-histogram.ts'
import { watchSvg } from '../model/quality/watch-svg.ts'
import { type ModelWatch, scoreBins, scoreQuality } from '../model/quality/watch.ts'
import type { FeatureStatus } from '../plan/finish-view.ts'
import type { LabelPlan, NamedLabels } from '../plan/outcome-plan.ts'
import type { Plan } from '../plan/plan.ts'
import { modelInputTopic, predictionsTopic } from '../plan/topics.ts'
import { readingSchemas } from './schemas/log-with-schemas.ts'
import {
  labelsIn,
  type LoggedPrediction,
  namedLabels,
  objectIn,
  objectOf,
  readLabel,
  readPrediction,
} from './watching/log-labels.ts'
import { readTraining } from './watching/read-training.ts'

export { namedLabels }

export type ReportedLabels = NamedLabels | null

export type ModelReportOptions = {
  readonly log: Log
  readonly plan: Plan
  readonly model: string
  /** Where it is said what came true; null: nowhere. */
  readonly labels: ReportedLabels
  /** Manifest of the training set, for drift; null: none. */
  readonly training: string | URL | null
  /** Predictions and labels that are held; beyond them a sample of the ids. Default 200,000. */
  readonly rowsMax?: number
  readonly clock?: Clock
}

export type ModelVersionReport = {
  readonly model: string
  readonly version: number
  readonly checksum: string | null
  readonly watch: ModelWatch
}

type Version = {
  readonly about: Omit<ModelVersionReport, 'watch'>
  readonly outcomes: Record<string, number>
  readonly scores: ScoreHistogram
  inputs: { readonly names: readonly string[]; readonly window: InputWindow } | null
}

const readBytesMax = 4 * 1024 * 1024
const rowsMaxDefault = 200_000

/**
 * What each version of a model did, from the predictions that are in the log, in memory that does not grow with them:
 * outcomes, scores and inputs are counted as they are read, and are exact; labels are joined for as many predictions as
 * are held, and beyond them for a share of the ids, which the report says.
 */
export async function reportModel(options: ModelReportOptions): Promise<ModelVersionReport[]> {
  const { plan, model, labels, rowsMax = rowsMaxDefault } = options
  const log = readingSchemas(options.log, [plan], options.clock)
  const place = labels === null ? null : labelsIn(plan, labels)
  const training = await readTraining(options.training)
  const horizonMs = place?.horizonMs ?? parseDuration('30d')!
  const join = new LabelJoin({ horizonMs, rowsMax, windowMs: null })
  const versions = new Map<string, Version>()
  for await (const record of recordsOf(log, predictionsTopic)) {
    const prediction = readPrediction(record)
    if (prediction?.model === model) take(prediction, versions, join)
  }
  if (versions.size === 0) {
    const detail = `there is no prediction of a model "${model}" in the topic ${predictionsTopic}`
    const allowed =
      'Predictions are there that were asked for through the log; those of HTTP and the library where the process was started to log them.'
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed })
  }
  for await (const record of recordsOf(log, modelInputTopic)) takeInputs(record, { model, versions, training })
  if (place !== null) await joinLabels(log, place, join)
  const joined = join.joined()
  return [...versions]
    .map(([key, { about, outcomes, scores, inputs }]) => {
      const own = place === null ? undefined : joined.get(key)
      const watch: ModelWatch = {
        ...scoreQuality(own),
        outcomes,
        scores: scoreBins(scores, own),
        share: join.share,
        vectors: inputs?.window.vectors ?? 0,
        inputs: inputs?.window.watch() ?? [],
      }
      return { ...about, watch }
    })
    .sort((a, b) => a.version - b.version)
}

function take(prediction: LoggedPrediction, versions: Map<string, Version>, join: LabelJoin): void {
  const { model, version: number, checksum, outcome, score, id, asOf } = prediction
  const key = keyOf(number, checksum)
  let version = versions.get(key)
  if (version === undefined) {
    const about = { model, version: number, checksum }
    versions.set(key, (version = { about, outcomes: {}, scores: new ScoreHistogram(), inputs: null }))
  }
  version.outcomes[outcome] = (version.outcomes[outcome] ?? 0) + 1
  if (score === null) return
  version.scores.add(score)
  join.predicted({ id, version: key, asOf, score })
}

function takeInputs(
  record: LogRecord,
  about: {
    readonly model: string
    readonly versions: ReadonlyMap<string, Version>
    readonly training: ReadonlyMap<string, Distribution>
  },
): void {
  const said = objectOf(record)
  if (said?.['model'] !== about.model) return
  const version = about.versions.get(keyOf(Number(said['model_version']), (said['checksum'] ?? null) as string | null))
  const inputs = objectIn(said['inputs'])
  if (version === undefined || inputs === null) return
  if (version.inputs === null) {
    const names = Object.keys(inputs)
    version.inputs = { names, window: new InputWindow(names, about.training, false) }
  }
  const { names, window } = version.inputs
  const status = objectIn(said['status']) ?? {}
  window.add(
    names.map((_, place) => ({ place })),
    {
      values: names.map((name) => (inputs[name] ?? null) as number | null),
      status: names.map((name) => (status[name] ?? 'PRESENT') as FeatureStatus),
    },
  )
}

async function joinLabels(log: Log, place: LabelPlan, join: LabelJoin): Promise<void> {
  for await (const record of recordsOf(log, place.stream.topic)) {
    const label = readLabel(place, record)
    // All predictions are there by now: what is of none of them is of no use.
    if (label !== null && join.has(label.id)) join.labelled(label.id, label)
  }
}

async function* recordsOf(log: Log, topic: string): AsyncGenerator<LogRecord> {
  const partitions = log.topics().find((one) => one.topic === topic)?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    const end = log.end(topic, partition)
    for (let offset = log.start(topic, partition); offset < end; ) {
      const { records, next } = await log.read(topic, partition, offset, readBytesMax)
      yield* records
      offset = next
    }
  }
}

function keyOf(version: number, checksum: string | null): string {
  return `${version} ${checksum}`
}

/** As SVG. */
export function drawReport(versions: readonly ModelVersionReport[]): string {
  return watchSvg(versions.map(({ model, version, watch }) => ({ title: `${model} version ${version}`, watch })))
}
