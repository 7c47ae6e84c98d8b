import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Model } from '../../definition/declared-model.ts'
import type { Log, LogRecord } from '../../log/log.ts'
import { LabelJoin } from '../../model/quality/label-join.ts'
import { type ScoreQuality, scoreQuality } from '../../model/quality/watch.ts'
import { checkDuration } from '../../plan/check-names.ts'
import { FaultList } from '../../plan/faults.ts'
import { type LabelPlan, type NamedLabels, placeLabels } from '../../plan/outcome-plan.ts'
import type { Plan } from '../../plan/plan.ts'
import { predictionsTopic } from '../../plan/topics.ts'
import { namedLabels, readLabel, readPrediction } from './log-labels.ts'

export type LabelWatchOptions = {
  readonly models: readonly Model[]
  readonly log: Log
  readonly clock: Clock
  /** What is served at the moment. */
  readonly plan: () => Plan
}

/** Predictions and labels that are held for a model: some 20 MB. */
const rowsMax = 100_000
/** Of the past, what is looked through of each partition at the start. */
const lookBackMax = 100_000
const readBytesMax = 256 * 1024
const pollMs = 1_000

/** How good a version was, and of which share of the predictions that is known. */
export type VersionQuality = ScoreQuality & {
  readonly model: string
  readonly version: number
  readonly share: number
}

type Watched = {
  readonly model: string
  readonly labels: NamedLabels
  readonly join: LabelJoin
  /** Of the plan that was looked at last; null: it has no such labels. */
  place: LabelPlan | null
  plan: Plan | null
}

/**
 * Follows the predictions in the log and the labels that come for them, of the models that declare an outcome. Beside
 * everything else: it decides nothing, keeps nothing, and what it knows a restart finds in the log again.
 */
export class LabelWatch {
  readonly #options: LabelWatchOptions
  readonly #watched: readonly Watched[]
  readonly #stop = new AbortController()
  #following: Promise<unknown> = Promise.resolve()
  /** Records that were looked at; what is made of them is made once for the same number. */
  #seen = 0
  #known: { readonly seen: number; readonly quality: readonly VersionQuality[] } = { seen: -1, quality: [] }
  /** Told why a partition is not followed any more. */
  listener: (fault: Error) => void = () => undefined

  /** The outcomes of the models are checked. */
  constructor(options: LabelWatchOptions) {
    this.#options = options
    this.#watched = options.models.flatMap((model) => {
      const labels = namedLabels(model)
      if (labels === null) return []
      const horizonMs = checkDuration('horizon', labels.horizon, new FaultList())
      const join = new LabelJoin({ horizonMs, rowsMax, windowMs: 2 * horizonMs })
      return [{ model: model.name, labels, join, place: null, plan: null }]
    })
  }

  get quality(): readonly VersionQuality[] {
    if (this.#known.seen !== this.#seen) {
      const quality = this.#watched.flatMap(({ model, join }) =>
        [...join.joined()].map(([version, joined]) => ({
          model,
          version: Number(version),
          share: join.share,
          ...scoreQuality(joined),
        })),
      )
      this.#known = { seen: this.#seen, quality }
    }
    return this.#known.quality
  }

  start(): void {
    if (this.#watched.length === 0) return
    const horizonMs = Math.max(...this.#watched.map(({ join }) => join.horizonMs))
    const sinceMs = this.#options.clock.now() - 2 * horizonMs
    const topics = new Map<string, (record: LogRecord) => void>()
    topics.set(predictionsTopic, (record) => this.#predicted(record))
    for (const { stream } of new Set(this.#watched.map(({ labels }) => labels))) {
      const { topic } = this.#options.plan().streams.find(({ name }) => name === stream)!
      topics.set(topic, (record) => this.#labelled(topic, record))
    }
    this.#following = Promise.all([...topics].map(([topic, take]) => this.#follow(topic, sinceMs, take)))
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#following
  }

  async #follow(topic: string, sinceMs: number, take: (record: LogRecord) => void): Promise<void> {
    const { log, clock } = this.#options
    const { signal } = this.#stop
    const find = () => log.topics().find((one) => one.topic === topic)
    // Predictions have no topic before the first of them.
    while (find() === undefined && !signal.aborted) await clock.sleep(pollMs, signal)
    const partitions = Array.from({ length: find()?.partitions ?? 0 }, (_, partition) => partition)
    await Promise.all(partitions.map((partition) => this.#followPartition({ topic, partition, sinceMs }, take)))
  }

  async #followPartition(
    { topic, partition, sinceMs }: { readonly topic: string; readonly partition: number; readonly sinceMs: number },
    take: (record: LogRecord) => void,
  ): Promise<void> {
    const { log, clock } = this.#options
    const { signal } = this.#stop
    let offset: number | null = null
    while (!signal.aborted) {
      try {
        offset ??= Math.max(
          await log.offsetAt(topic, partition, Math.max(0, sinceMs)),
          log.end(topic, partition) - lookBackMax,
        )
        // Retention may have been faster.
        offset = Math.max(offset, log.start(topic, partition))
        await log.waitFor(topic, partition, offset, signal)
        if (signal.aborted) return
        const { records, next } = await log.read(topic, partition, offset, readBytesMax)
        for (const record of records) take(record)
        this.#seen += records.length
        offset = next
        await clock.turn()
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof MillraceError) || error.retry === 'never') {
          this.listener(error instanceof Error ? error : new Error(String(error)))
          return
        }
        await clock.sleep(pollMs, signal)
      }
    }
  }

  #predicted(record: LogRecord): void {
    const id = idAtStart(record)
    if (id !== null && this.#watched.every(({ join }) => !join.holds(id))) return
    const prediction = readPrediction(record)
    if (prediction === null || prediction.score === null) return
    for (const { model, join } of this.#watched) {
      if (model !== prediction.model) continue
      const { asOf, score, version } = prediction
      join.predicted({ id: prediction.id, version: String(version), asOf, score })
    }
  }

  #labelled(topic: string, record: LogRecord): void {
    const plan = this.#options.plan()
    for (const watched of this.#watched) {
      if (watched.plan !== plan) {
        watched.plan = plan
        watched.place = placeLabels('', watched.labels, { plan, faults: new FaultList() })
      }
      const { place, join } = watched
      if (place === null || place.label < 0 || place.id < 0 || place.stream.topic !== topic) continue
      const label = readLabel(place, record)
      if (label !== null) join.labelled(label.id, label)
    }
  }
}

const before = Buffer.from('{"request_id":"')

/** The id of a prediction without reading all of it, where it is at the start and has nothing escaped; else null. */
function idAtStart({ value }: LogRecord): string | null {
  if (value === null) return null
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (bytes.compare(before, 0, before.length, 0, before.length) !== 0) return null
  const end = bytes.indexOf(0x22, before.length)
  if (end < 0) return null
  const id = bytes.toString('utf8', before.length, end)
  return id.includes('\\') ? null : id
}
