import { readFile } from 'node:fs/promises'
import { MillraceError, messageOf } from '../base/faults.ts'
import type { Log, LogRecord } from '../log/log.ts'
import type { Distribution } from '../model/quality/drift.ts'
import { watchSvg } from '../model/quality/watch-svg.ts'
import { type ModelWatch, type Outcome, type WatchedPrediction, watchModel } from '../model/quality/watch.ts'
import { streamOf } from '../plan/find.ts'
import { inspect } from '../plan/intake.ts'
import type { Plan, StreamPlan } from '../plan/plan.ts'
import { modelInputTopic, predictionsTopic } from '../plan/topics.ts'

export type ModelReportOptions = {
  readonly log: Log
  readonly plan: Plan
  readonly model: string
  /** The field of a stream that says what came true, and the one that names the prediction; null: no labels. */
  readonly labels: { readonly stream: string; readonly field: string; readonly join: string | null } | null
  readonly horizonMs: number
  /** Manifest of the training set, for drift; null: none. */
  readonly training: string | null
}

export type ModelVersionReport = {
  readonly model: string
  readonly version: number
  readonly checksum: string | null
  readonly watch: ModelWatch
}

const readBytesMax = 4 * 1024 * 1024

/**
 * What each version of a model did, from the predictions that are in the log. Holds all predictions of the model and
 * their labels in memory: some hundred bytes each, and the inputs.
 */
export async function reportModel(options: ModelReportOptions): Promise<ModelVersionReport[]> {
  const { log, plan, model, labels, horizonMs } = options
  const training = await readTraining(options.training)
  const inputs = new Map<string, Readonly<Record<string, unknown>>>()
  for await (const record of recordsOf(log, modelInputTopic)) {
    const said = objectOf(record)
    if (said?.['model'] === model) inputs.set(nameOf(said), objectIn(said['inputs']) ?? {})
  }
  const versions = new Map<string, { about: Omit<ModelVersionReport, 'watch'>; predictions: WatchedPrediction[] }>()
  for await (const record of recordsOf(log, predictionsTopic)) {
    const said = objectOf(record)
    if (said?.['model'] !== model || typeof said['model_version'] !== 'number') continue
    const about = { model, version: said['model_version'], checksum: (said['checksum'] ?? null) as string | null }
    const key = `${about.version} ${about.checksum}`
    let version = versions.get(key)
    if (version === undefined) versions.set(key, (version = { about, predictions: [] }))
    const score = said['prediction']
    version.predictions.push({
      id: String(said['request_id']),
      asOf: Date.parse(String(said['as_of'])),
      outcome: String(said['outcome']),
      score: typeof score === 'number' ? score : typeof score === 'boolean' ? Number(score) : null,
      inputs: inputs.get(nameOf(said)) ?? null,
    })
  }
  if (versions.size === 0) {
    const detail = `there is no prediction of a model "${model}" in the topic ${predictionsTopic}`
    const allowed = 'Predictions are there that were asked for through the log, not those of `mill.predict` and HTTP.'
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed })
  }
  const outcomes = labels === null ? new Map<string, Outcome[]>() : await readOutcomes(log, plan, labels)
  return [...versions.values()]
    .map(({ about, predictions }) => ({ ...about, watch: watchModel(predictions, outcomes, { training, horizonMs }) }))
    .sort((a, b) => a.version - b.version)
}

/** By the id that they name, in order of time. */
async function readOutcomes(
  log: Log,
  plan: Plan,
  { stream: name, field, join }: NonNullable<ModelReportOptions['labels']>,
): Promise<Map<string, Outcome[]>> {
  const stream = streamOf(plan, name)
  const label = columnOf(stream, field)
  const id = join === null ? stream.id : columnOf(stream, join)
  if (id === null) {
    const detail = `stream ${name} has no id`
    throw new MillraceError('REQUEST_MALFORMED', {
      detail,
      allowed: 'Say which field names the prediction: --join FIELD.',
    })
  }
  const outcomes = new Map<string, Outcome[]>()
  for await (const record of recordsOf(log, stream.topic)) {
    const event = inspect(stream, record)
    // What is refused has its place among the dead letters.
    if ('refusals' in event) continue
    const [key, value] = [event.row[id], event.row[label]]
    if (key === null || key === undefined || value === null || value === undefined) continue
    const known = outcomes.get(String(key))
    const outcome = { at: event.ts, label: Number(value) > 0 }
    if (known === undefined) outcomes.set(String(key), [outcome])
    else known.push(outcome)
  }
  for (const list of outcomes.values()) list.sort((a, b) => a.at - b.at)
  return outcomes
}

function columnOf(stream: StreamPlan, field: string): number {
  const names = Object.keys(stream.fields)
  const column = names.indexOf(field)
  const kind = stream.fields[field]?.kind
  if (column >= 0 && kind !== undefined) return column
  const detail = `stream ${stream.name} has no field "${field}"`
  throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: `It has ${names.join(', ')}.` })
}

async function readTraining(file: string | null): Promise<ReadonlyMap<string, Distribution>> {
  if (file === null) return new Map()
  let manifest: { readonly features?: readonly { readonly name: string; readonly spread?: Distribution | null }[] }
  try {
    manifest = JSON.parse(await readFile(file, 'utf8')) as typeof manifest
  } catch (error) {
    const detail = `${file} cannot be read as a manifest: ${messageOf(error)}`
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Give the FILE.manifest.json of a training set.' })
  }
  const features = (manifest.features ?? []).filter(({ spread }) => spread !== undefined && spread !== null)
  if (features.length === 0) {
    const detail = `${file} does not say how the features are spread`
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Build the training set anew with this release.' })
  }
  return new Map(features.map(({ name, spread }) => [name, spread!]))
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

/** Of one prediction and its input. */
function nameOf(said: Readonly<Record<string, unknown>>): string {
  return JSON.stringify([said['request_id'], said['model_version'], said['as_of']])
}

function objectOf({ value }: LogRecord): Readonly<Record<string, unknown>> | null {
  return value === null ? null : objectIn(JSON.parse(Buffer.from(value).toString()))
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

/** As SVG. */
export function drawReport(versions: readonly ModelVersionReport[]): string {
  return watchSvg(versions.map(({ model, version, watch }) => ({ title: `${model} version ${version}`, watch })))
}
