import { randomInt } from 'node:crypto'
import { assert } from '../base/assert.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Model } from '../definition/declared-model.ts'
import type { Definition } from '../definition/definition.ts'
import type { Experiment } from '../definition/experiment.ts'
import type { FeatureService } from '../definition/feature-service.ts'
import type { FeatureView } from '../definition/feature-view.ts'
import type { Infer, KeysOf } from '../definition/infer.ts'
import type { Stream } from '../definition/stream.ts'
import type { Log } from '../log/log.ts'
import { streamOf, undeclared } from '../plan/find.ts'
import type { Prediction } from '../model/predictor.ts'
import type { ForgottenEntity } from '../plan/forgotten.ts'
import type { Plan, StreamPlan } from '../plan/plan.ts'
import { predictionsTopic } from '../plan/topics.ts'
import type { EventInput, Fields } from '../schema/field.ts'
import { differenceLines } from '../registry/difference.ts'
import { ModelRegistry } from '../registry/models/model-registry.ts'
import { parseInstant } from '../schema/instant.ts'
import { makeKeyEncoder } from '../serve/entity-key.ts'
import { type Vector, type VectorOptions, VectorReader } from '../serve/vector-reader.ts'
import type { OnlineStore } from '../store/online/online-store.ts'
import type { EngineCounts, EngineObserver } from '../stream/engine-types.ts'
import { Actions } from './actions/actions.ts'
import { AnswerCounts } from './answers/answer-counts.ts'
import { Answering } from './answers/answering.ts'
import { PredictionLog } from './answers/prediction-log.ts'
import { openScorer, type Scorer } from './answers/scorer.ts'
import { Experiments } from './experiments/experiments.ts'
import { type Ingested, Ingestion } from './ingestion.ts'
import { compilePlan } from './load-plan.ts'
import { type LogPlace, openLog } from './open-log.ts'
import { ModelVersions } from './model-versions.ts'
import { isOfRegistry, type ModelName, Models, type PredictionRequest, type Predictions } from './models.ts'
import type { VersionCounts } from './prediction-counts.ts'
import { rawEvent } from './raw-event.ts'
import type { WatchedModel } from './loaded-model.ts'
import { RegisteredModels } from './registered-models.ts'
import { Replays } from './replays.ts'
import { type ClusterOptions, openEngine, type RunningEngine } from './running-engine.ts'
import { LogWithSchemas, type SchemaOptions } from './schemas/log-with-schemas.ts'
import { LabelWatch } from './watching/label-watch.ts'
import { checkOutcomes } from './watching/log-labels.ts'
import { type Applied, openRegistry, registerDefinitions, Versions } from './versions.ts'

export type MillOptions = {
  /**
   * Services and views; the streams and entities they refer to come along. They become the applied version, unless they
   * are. Default: the version that is applied in the folder.
   */
  readonly definitions?: readonly Definition[]
  /** Loaded when it opens, and asked by `predict`. What they read has to be part of the applied definitions. */
  readonly models?: readonly Model[]
  /** Asked by `predict` in place of a model: each subject by the model of its arm. Their models come along. */
  readonly experiments?: readonly Experiment[]
  /** What to do with definitions that are not those of the applied version. Default: apply them. */
  readonly onDifference?: 'apply' | 'refuse'
  /** Also apply what breaks data or readers, such as a removed feature of a service. Default: false. */
  readonly allowIncompatible?: boolean
  /** Where the log and the state live. Created when missing; one process at a time. */
  readonly folder: string
  /** Where the log lives instead, such as `kafka('host:9092')`. Default: in the folder. */
  readonly log?: LogPlace
  /** Share the work with other processes, over the log in Kafka: what this one does. Default: it does everything. */
  readonly cluster?: ClusterOptions
  /** Partitions of topics that do not exist yet. Default 4. */
  readonly partitions?: number
  /** Time between checkpoints. Default 1,000 ms. A crash repeats at most this much work. */
  readonly checkpointMs?: number
  /** Keys per view held in memory. Default 100,000; others are read from the store when needed. */
  readonly keysMax?: number
  /**
   * Act on predictions, as the applied definitions say. Default: true; in a cluster false, because one process at a time
   * may act.
   */
  readonly act?: boolean
  /**
   * Also put predictions that HTTP and the library ask for on `model-input` and `predictions`, behind their answers: for
   * reports, labels and whoever reads them. Default: false, for they cost the disk what an event does.
   */
  readonly logPredictions?: boolean
  /** Answer the requests that come through the log, on `feature-requests`. Default: false. One process at a time. */
  readonly answerRequests?: boolean
  /** How registries of Avro schemas are asked. Default: with the credentials of the environment, for 2 minutes. */
  readonly schemas?: Pick<SchemaOptions, 'environment' | 'patience' | 'askAgainMs'>
  /** Of the artefacts of models that are loaded at once. Default 512 MiB. One that exceeds it does not go live. */
  readonly modelBytesMax?: number
  /** Default: the machine's clock. */
  readonly clock?: Clock
  readonly observer?: EngineObserver
}

type AnyTarget = FeatureService | FeatureView

export type GetOptions<S extends Stream = Stream> = {
  /** Epoch milliseconds, ISO 8601 text with a zone, or `'latest'`. Default: the clock's now. */
  readonly asOf?: number | string
  /** Read as if this event had just been accepted, without sending it. */
  readonly with?: { readonly stream: S; readonly event: S extends Stream<string, infer F> ? EventInput<F> : never }
}

export type PredictOptions<S extends Stream = Stream> = GetOptions<S> &
  Pick<PredictionRequest, 'deadlineMs'> & {
    /** What a label will name it by, where predictions are logged. */
    readonly id?: string
  }

/** A prediction with what it was made of. */
export type PredictionOf<M extends Model> = Omit<Predictions, 'predictions' | 'asOf'> & { readonly asOf: number } & (
    | Exclude<Prediction, { outcome: 'served' }>
    | (Omit<Extract<Prediction, { outcome: 'served' }>, 'output'> & { readonly output: Infer<M> })
  )

/**
 * Opens everything in one process: log, state, engine. The engine starts to read at once. Definitions that differ from
 * the applied version are applied: `mill.opened` says what that changed, and the version before it serves until their
 * views are built, which `caughtUp` waits for. Throws `REGISTRY_INCOMPATIBLE`, `REGISTRY_DIFFERS`, `REGISTRY_EMPTY`.
 */
export async function millrace(options: MillOptions): Promise<Mill> {
  return await openMill(options, (place) => chooseVersion(options, place))
}

type VersionPlace = Parameters<typeof registerDefinitions>[1]

/** As `millrace`; `choose` decides which version is applied when the engine opens. */
export async function openMill(
  options: Omit<MillOptions, 'definitions' | 'onDifference' | 'allowIncompatible'>,
  choose: (place: VersionPlace) => Promise<Applied | null>,
): Promise<Mill> {
  const { clock = systemClock, partitions = 4 } = options
  const plain = await openLog(options.folder, options.log, clock)
  try {
    const registry = await openRegistry(plain)
    // Any version may run: the one before, the applied one, or one that is on its way.
    const log = new LogWithSchemas(plain, () => registry.plans, { ...options.schemas, clock })
    const modelRegistry = await ModelRegistry.open(log)
    const place = { log, registry, clock, partitions, models: modelRegistry }
    const changed = await choose(place)
    if (registry.applied === null) throw new MillraceError('REGISTRY_EMPTY', { place: options.folder })
    const { plan } = registry.compiled(registry.number)
    // Until there is an engine, what is applied.
    let served = (): Plan => plan
    const bytesMax = options.modelBytesMax ?? modelBytesMaxDefault
    const registered = new RegisteredModels({ log, registry: modelRegistry, clock, plan: () => served(), bytesMax })
    const watchedModels = modelsOf(options)
    const models = await Models.open({ models: watchedModels, registered, plan, clock })
    try {
      // In a log of this process alone others change nothing: the first push here begins the registry.
      if (options.log !== undefined || options.models?.some(isOfRegistry)) await modelRegistry.create()
      await registered.sync()
      const experiments = await Experiments.open({
        experiments: options.experiments ?? [],
        plan,
        models,
        log,
        clock,
        partitions,
      })
      checkOutcomes(watchedModels, plan)
      const predictionLog =
        options.logPredictions === true ? await PredictionLog.open({ log, clock, partitions }) : null
      if (predictionLog !== null) models.directListener = (given) => predictionLog.add(given)
      const labels = new LabelWatch({ models: watchedModels, log, clock, plan: () => served() })
      const answers = new AnswerCounts()
      const scorer = await openScorer(options, {
        models,
        experiments,
        log,
        clock,
        partitions,
        count: answers.of(predictionsTopic),
      })
      const planOf = (hash: string): Plan | null => registry.planOf(hash)
      let applied = (): Plan => plan
      const acting: { actions: Actions | null } = { actions: null }
      const opened = async (store: OnlineStore): Promise<void> => {
        if (!(options.act ?? options.cluster === undefined)) return
        const parts = { plan: () => applied(), log, store, clock, random, environment: process.env, partitions }
        acting.actions = await Actions.open(parts)
      }
      const running = await openEngine(options, { plan, planOf, log, clock, partitions, scorer, opened })
      served = () => running.engine.plan
      const versions = new Versions(place, running.engine)
      applied = () => versions.plan
      versions.listener = () => void acting.actions?.planChanged()
      const inRegistry = { log, models: modelRegistry, clock, plan: () => versions.plan }
      const modelVersions = new ModelVersions(inRegistry, registered, models.counts)
      const parts = {
        log,
        clock,
        models,
        registered,
        modelVersions,
        versions,
        opened: changed,
        scorer,
        answers,
        experiments,
        ...acting,
        labels,
        predictionLog,
        ...running,
      }
      const mill = new Mill(parts)
      registered.follow()
      acting.actions?.start()
      if (options.answerRequests === true) await mill.answerRequests(partitions)
      labels.start()
      return mill
    } catch (error) {
      await models.close()
      throw error
    }
  } catch (error) {
    await plain.close()
    throw error
  }
}

/** From 0 to below 1. */
function random(): number {
  return randomInt(2 ** 32) / 2 ** 32
}

const modelBytesMaxDefault = 512 * 1024 * 1024
/** Those given, and those of arms and shadows. */
function modelsOf({ models = [], experiments = [] }: Pick<MillOptions, 'models' | 'experiments'>): readonly Model[] {
  const scored = new Map<Model, Stream>()
  const ofArms = experiments.flatMap(({ arms, shadows, score }) => {
    const own = [...arms.map(({ model }) => model), ...shadows]
    if (score !== null) for (const model of own) scored.set(model, score.on)
    return own
  })
  const all = [...models, ...new Set(ofArms.filter((model) => !models.includes(model)))]
  // Where an experiment scores events, its models have to find their keys in them.
  return all.map((model): Model => {
    const on = scored.get(model)
    return on === undefined || model.score !== null ? model : { ...model, score: { on } }
  })
}

/** The definitions given, if any: applied, or refused where they differ from what is. */
async function chooseVersion(options: MillOptions, place: VersionPlace): Promise<Applied | null> {
  const { definitions, onDifference = 'apply', allowIncompatible = false } = options
  if (definitions === undefined) return null
  const { registry } = place
  if (onDifference === 'refuse' && registry.applied !== null) {
    const plan = compilePlan(definitions)
    if (registry.compiled(registry.number).plan.hash === plan.hash) return null
    const lines = differenceLines(registry.differenceTo({ definitions, plan }))
    const difference = lines.map((line) => `  ${line}`).join('\n')
    throw new MillraceError('REGISTRY_DIFFERS', { number: registry.number, difference })
  }
  if (onDifference === 'refuse') throw new MillraceError('REGISTRY_EMPTY', { place: options.folder })
  try {
    return await registerDefinitions(definitions, place, { allowIncompatible })
  } catch (error) {
    // The processes of a cluster start at once, with the same definitions: one of them registers those.
    if (!(error instanceof MillraceError && error.code === 'REGISTRY_CONFLICT') || options.cluster === undefined)
      throw error
    return await registerDefinitions(definitions, place, { allowIncompatible })
  }
}

type Parts = {
  readonly log: LogWithSchemas
  readonly store: OnlineStore
  readonly engine: RunningEngine
  readonly clock: Clock
  readonly versions: Versions
  readonly models: Models
  readonly scorer: Scorer | null
  readonly answers: AnswerCounts
  readonly registered: RegisteredModels
  readonly modelVersions: ModelVersions
  readonly experiments: Experiments | null
  readonly actions: Actions | null
  readonly labels: LabelWatch
  readonly predictionLog: PredictionLog | null
  readonly opened: Applied | null
}

/** A running millrace inside one's own process. */
export class Mill {
  readonly log: Log
  /** What is applied, and what was. */
  readonly versions: Versions
  /** What is in the registry of models, and how it is changed. */
  readonly modelVersions: ModelVersions
  /** What this process has loaded of it. */
  readonly registered: RegisteredModels
  /** What opening it did to the applied version; null when no definitions were given, or none are applied that way. */
  readonly opened: Applied | null
  /** Sends rejected events again, as they are or mended. */
  readonly replays: Replays
  /** What became of the requests and events that this process answered. */
  readonly answers: AnswerCounts
  /** What is done about predictions; null where this process does not act. */
  readonly actions: Actions | null
  /** How good predictions were, of the models that declare an outcome. */
  readonly labels: LabelWatch
  /** What writes predictions that are asked for directly; null: nothing does. */
  readonly predictionLog: PredictionLog | null
  readonly #engine: RunningEngine
  readonly #schemas: LogWithSchemas
  readonly #store: OnlineStore
  readonly #clock: Clock
  readonly #ingestion: Ingestion
  readonly #models: Models
  readonly #scorer: Scorer | null
  readonly #experiments: Experiments | null
  #reader: VectorReader
  #answering: Answering | null = null
  #closing: Promise<void> | null = null

  constructor(parts: Parts) {
    const { log, store, engine, clock, versions, models, registered, modelVersions, scorer, answers, opened } = parts
    this.#experiments = parts.experiments
    this.actions = parts.actions
    this.labels = parts.labels
    this.predictionLog = parts.predictionLog
    this.answers = answers
    this.#scorer = scorer
    this.log = log
    this.#schemas = log
    this.versions = versions
    this.modelVersions = modelVersions
    this.registered = registered
    this.#models = models
    this.opened = opened
    this.#engine = engine
    this.#store = store
    this.#clock = clock
    this.#ingestion = new Ingestion({ log, clock, writerOf: (topic, value) => log.writerOf(topic, value) })
    this.#reader = new VectorReader(engine.plan, engine, clock)
    this.replays = new Replays({ engine, log, clock, writerOf: (topic, value) => log.writerOf(topic, value) })
  }

  /** The models that answer, with the versions and checksums that answers carry. */
  get models(): readonly ModelName[] {
    return this.#models.names
  }

  /** What became of the predictions that were asked for, by version and stage. */
  get predictionCounts(): readonly VersionCounts[] {
    return this.#models.counts.all
  }

  /** The versions of models that are loaded, with what went through them. */
  get loadedModels(): readonly WatchedModel[] {
    return this.#models.loaded
  }

  /** What is served now. */
  get plan(): Plan {
    return this.#engine.plan
  }

  /**
   * Sends events of a stream; resolves when they are durable. Throws `EVENT_REFUSED` for one that is malformed, and
   * `REQUEST_MALFORMED`, with nothing sent, for one that JSON cannot express: NaN and infinities.
   */
  async send<F extends Fields>(
    stream: Stream<string, F>,
    events: EventInput<F> | readonly EventInput<F>[],
  ): Promise<void> {
    const plan = this.stream(stream.name)
    const list: readonly EventInput<F>[] = Array.isArray(events) ? events : [events as EventInput<F>]
    const results = await this.ingest(
      stream.name,
      list.map((event) => rawEvent(plan, event)),
    )
    const index = results.findIndex(({ refusals }) => refusals.length > 0)
    if (index < 0) return
    const faults = results[index]!.refusals.map(
      ({ code, path, came, allowed }) => `${path} ${code}: ${came}, allowed ${allowed}`,
    )
    throw new MillraceError('EVENT_REFUSED', {
      stream: stream.name,
      index,
      faults: faults.join('; '),
      count: results.filter(({ refusals }) => refusals.length > 0).length,
    })
  }

  /** Appends raw events, well formed or not; says for each where it lies and why it will be refused, if it will. */
  async ingest(stream: string, bodies: readonly Uint8Array[]): Promise<Ingested[]> {
    return await this.#ingestion.ingest(this.stream(stream), bodies)
  }

  /** The features of a service or a view for one set of keys. */
  async get<T extends AnyTarget, S extends Stream>(
    target: T,
    keys: KeysOf<T>,
    options: GetOptions<S> = {},
  ): Promise<Infer<T>> {
    const prepared = this.reader.prepare({ service: target.name })
    const entities = [keys as Readonly<Record<string, unknown>>]
    const { values } = this.reader.readRows(prepared, entities, { ...this.#vectorOptions(options), full: false })
    const { names } = prepared.shape
    return await Promise.resolve(Object.fromEntries(names.map((name, index) => [name, values[index]])) as Infer<T>)
  }

  /** As `get`, with status and age of every value, by name. */
  read(target: string, keys: Readonly<Record<string, unknown>>, options: VectorOptions = {}): Vector {
    return this.reader.read(this.reader.prepare({ service: target }), keys, options)
  }

  /**
   * What a model gives for one set of keys, or why it gives nothing; with the status of each input that was not
   * PRESENT. Throws `NAME_UNDECLARED`, `KEY_MALFORMED`, `MODEL_MISFIT`, `MODEL_BUSY`, `PREDICTION_LATE`.
   */
  async predict<M extends Model, S extends Stream>(
    model: M,
    keys: KeysOf<M>,
    options: PredictOptions<S> = {},
  ): Promise<PredictionOf<M>> {
    const { deadlineMs, id } = options
    const { predictions, ...about } = await this.predictMany({
      ...this.#vectorOptions(options),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(id === undefined ? {} : { ids: [id] }),
      model: model.name,
      entities: [keys as Readonly<Record<string, unknown>>],
    })
    return { ...about, ...predictions[0]! } as PredictionOf<M>
  }

  /** As `predict`, by name, for entities of one request: one prefix, one version of the model, one run. */
  async predictMany(request: PredictionRequest): Promise<Predictions> {
    const experiments = this.#experiments?.has(request.model) === true ? this.#experiments : null
    const predictions = await (experiments ?? this.#models).predict(request, this.reader)
    await this.predictionLog?.room()
    return predictions
  }

  /**
   * Forgets an entity: its events so far count nowhere any more; those to come do. Durable when it resolves. Throws
   * `NAME_UNDECLARED` and `KEY_MALFORMED`.
   */
  async forget(entity: string, keys: Readonly<Record<string, unknown>>): Promise<ForgottenEntity> {
    const view = this.plan.views.find((one) => one.entity === entity)
    if (view === undefined) {
      throw undeclared('entity', entity, [...new Set(this.plan.views.map((one) => one.entity))])
    }
    return await this.#engine.forget(entity, makeKeyEncoder(view)(keys))
  }

  /**
   * Answers the requests that come through the log, from now on until it is closed.
   *
   * @param partitions of their topics, where they do not exist yet.
   */
  async answerRequests(partitions: number): Promise<void> {
    assert(this.#answering === null, 'requests are answered by one')
    const reader = (): VectorReader => this.reader
    const source = {
      get reader() {
        return reader()
      },
      now: () => this.now(),
      models: this.#models,
      experiments: this.#experiments,
      counts: this.answers,
    }
    const place = { log: this.log, store: this.#store, clock: this.#clock, partitions }
    this.#answering = await Answering.open(source, place)
    this.#answering.start(this.#engine.caughtUp())
  }

  /** What answers the requests that come through the log; null while nothing does. */
  get answering(): Answering | null {
    return this.#answering
  }

  /** What runs its experiments; null: there are none. */
  get experiments(): Experiments | null {
    return this.#experiments
  }

  /** Events whose predictions are on their way. */
  get scoresWaiting(): number {
    return this.#scorer?.waiting ?? 0
  }

  get reader(): VectorReader {
    if (this.#reader.plan !== this.#engine.plan) {
      this.#reader = new VectorReader(this.#engine.plan, this.#engine, this.#clock)
    }
    return this.#reader
  }

  get counts(): EngineCounts {
    return this.#engine.counts
  }

  /** Whether `close` was called. */
  get closing(): boolean {
    return this.#closing !== null
  }

  /** The clock's instant: what a read without `asOf` is as of. */
  now(): number {
    return this.#clock.now()
  }

  get engine(): RunningEngine {
    return this.#engine
  }

  /** As the applied version has it, whose verdicts last; one that it no longer has is there until it is served. */
  stream(name: string): StreamPlan {
    const applied = this.versions.plan.streams.find((stream) => stream.name === name)
    return applied ?? streamOf(this.plan, name)
  }

  /**
   * Resolves once the applied version is served, and everything that is durable in the log now is visible to reads.
   */
  async caughtUp(): Promise<void> {
    const isChanging = (): boolean => this.versions.isChanging && this.#engine.fault === null
    // A partition that has stopped may hold up the building for ever: whether it matters here, the engine says below.
    while (isChanging() && this.#engine.halted.length === 0) await this.#clock.sleep(1)
    await this.#engine.caughtUp()
  }

  /** Finishes what is under way, writes a last checkpoint and closes all files. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    this.#schemas.stopWaiting()
    try {
      await this.#answering?.close()
      await this.#engine.close()
      await this.actions?.close()
    } finally {
      await this.predictionLog?.close()
      await this.labels.close()
      await this.#scorer?.close()
      await this.#experiments?.close()
      await this.#models.close()
      await this.#store.close()
      await this.log.close()
    }
  }

  #vectorOptions<S extends Stream>({ asOf, with: added }: GetOptions<S>): VectorOptions {
    return {
      ...(asOf === undefined ? {} : { asOf: parseAsOf(asOf) }),
      ...(added === undefined
        ? {}
        : {
            with: { stream: added.stream.name, event: rawEvent(streamOf(this.plan, added.stream.name), added.event) },
          }),
    }
  }
}

/** An instant of a read. Throws `REQUEST_MALFORMED`. */
export function parseAsOf(asOf: unknown): number | 'latest' {
  if (asOf === 'latest') return asOf
  const ms = typeof asOf === 'string' || typeof asOf === 'number' ? parseInstant(asOf, 'ms') : null
  if (ms !== null) return ms
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `asOf is ${JSON.stringify(asOf)}`,
    allowed: 'Give epoch milliseconds, ISO 8601 text with a zone, or "latest".',
  })
}
