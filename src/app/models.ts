import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Model } from '../definition/declared-model.ts'
import type { OutputValue, Prediction, ReadVector } from '../model/predictor.ts'
import { undeclared } from '../plan/find.ts'
import { compileModels, type ModelPlan } from '../plan/model-plan.ts'
import type { Plan } from '../plan/plan.ts'
import type { EntityKeys } from '../serve/entity-key.ts'
import type { VectorOptions, VectorReader } from '../serve/vector-reader.ts'
import type { LoadedModel, ModelName } from './loaded-model.ts'
import { openDeclaredModel } from './open-model.ts'
import { PredictionCounts, type VersionCounts } from './prediction-counts.ts'
import type { RegisteredModels } from './registered-models.ts'

export type { ModelName }

export type PredictionOptions = VectorOptions & {
  /** When an answer is of no use any more: 1 to 60,000. Default 1,000. */
  readonly deadlineMs?: number
}

export type PredictionRequest = PredictionOptions & {
  readonly model: string
  readonly entities: readonly EntityKeys[]
  /** What labels will name the predictions by, one for each entity, where predictions are logged. */
  readonly ids?: readonly string[]
}

/** Predictions of one model for some entities, all of one prefix and one version. */
export type Predictions = {
  readonly model: ModelName
  /** Of all; `'latest'` when each has its own. */
  readonly asOf: number | 'latest'
  /** In the order of the entities. */
  readonly predictions: readonly (Prediction & {
    readonly asOf: number
    /** Of an experiment: the arm, null in none; and the model that served it. */
    readonly arm?: string | null
    readonly model?: ModelName
  })[]
  /** Whose arms they are of, where that was asked for in place of a model. */
  readonly experiment?: string
  /** What the vectors have seen: stream → next offset per partition. */
  readonly prefix: Readonly<Record<string, readonly number[]>>
}

/** A model as it is loaded at a moment: of one version and one plan, whatever comes after. To be asked soon. */
export type TakenModel = {
  readonly name: ModelName
  readonly plan: ModelPlan
  /** One prediction per vector. Those that come too late have failed. */
  predict(vectors: readonly ReadVector[], deadlineMs: number): Promise<Prediction[]>
}

/** Requests of a model at once. Those of a late answer count until the model is done with them. */
const underWayMax = 64
const deadlineMsDefault = 1_000
const deadlineMsMax = 60_000

/** Runs of a shadow at once: beyond them its requests are skipped, so that it cannot hold up what is served. */
const shadowsUnderWayMax = 4

/** What a shadow gave beside an answer that was served. */
export type ShadowPredictions = Omit<Predictions, 'predictions'> & {
  readonly entities: readonly EntityKeys[]
  readonly predictions: readonly Prediction[]
}

/** Predictions of one run that were asked for directly, and what they were made of. */
export type DirectPredictions = {
  readonly name: ModelName
  readonly plan: ModelPlan
  /** Hash of the plan that the vectors were read with. */
  readonly planHash: string
  readonly entities: readonly EntityKeys[]
  /** What labels will name them by; those left out get one that no label names. */
  readonly ids: readonly string[] | undefined
  readonly read: {
    readonly vectors: readonly ReadVector[]
    readonly asOf: readonly number[]
    readonly prefix: Predictions['prefix']
  }
  readonly predictions: readonly Prediction[]
}

export type ModelsOptions = {
  readonly models: readonly Model[]
  readonly registered: RegisteredModels
  readonly plan: Plan
  readonly clock: Clock
}

/** The models of a process, loaded, and how they are asked. */
export class Models {
  /** Those that come with the process: they answer before any of the registry of the same name. */
  readonly #own: ReadonlyMap<string, LoadedModel>
  readonly #registered: RegisteredModels
  readonly #clock: Clock
  readonly counts = new PredictionCounts()
  /** Told of what shadows give. */
  shadowListener: (given: ShadowPredictions) => void = () => undefined
  /** Told of what was served to whoever asked directly. */
  directListener: (given: DirectPredictions) => void = () => undefined
  #plan: Plan

  private constructor(own: ReadonlyMap<string, LoadedModel>, { registered, plan, clock }: ModelsOptions) {
    this.#own = own
    this.#registered = registered
    this.#plan = plan
    this.#clock = clock
  }

  /** Throws `DEFINITION`, `MODEL_UNREADABLE`, `MODEL_REFUSED`, `MODEL_RUNTIME_MISSING`; then nothing stays open. */
  static async open(options: ModelsOptions): Promise<Models> {
    const { models, plan, clock } = options
    const loaded = new Map<string, LoadedModel>()
    try {
      for (const [index, checked] of compileModels(models, plan).entries()) {
        const model = models[index]!
        if (isOfRegistry(model)) continue
        loaded.set(checked.name, await openDeclaredModel(model, checked, clock))
      }
    } catch (error) {
      for (const one of loaded.values()) await one.close()
      throw error
    }
    return new Models(loaded, options)
  }

  /** Of those that answer. */
  get names(): readonly ModelName[] {
    const live = this.#registered.live.filter(({ name }) => !this.#own.has(name.name))
    return [...this.#own.values(), ...live].map(({ name }) => name)
  }

  /** Every version that is loaded, whether it answers or not. */
  get loaded(): readonly LoadedModel[] {
    return [...this.#own.values(), ...this.#registered.loaded]
  }

  /**
   * Reads the vectors at once, so all are of one prefix, and asks the model. Throws `NAME_UNDECLARED`, `MODEL_MISFIT`,
   * `MODEL_NOT_LIVE`, `MODEL_BUSY`, `PREDICTION_LATE`, and what reading throws. What the model does is an outcome,
   * never thrown.
   */
  async predict(request: PredictionRequest, reader: VectorReader): Promise<Predictions> {
    const startedAt = this.#clock.elapsed()
    const deadlineMs = checkDeadline(request.deadlineMs)
    checkIds(request)
    // Whatever goes live from here on, this answer is all of this version.
    const loaded = this.#answering(request.model)
    const { outcomes } = this.counts.of(loaded.name, 'live')
    const entities = request.entities.length
    if (loaded.underWay >= underWayMax) {
      outcomes.busy += entities
      throw new MillraceError('MODEL_BUSY', { model: request.model, count: loaded.underWay })
    }
    const plan = this.#fit(loaded, reader.plan, entities)
    const read = readVectors(plan.target, request, reader)
    const shadows = this.#readForShadows({ request, reader, live: { plan, read } })
    const answered = new AbortController()
    const late = this.#clock.sleep(deadlineMs, answered.signal).then(() => null)
    const predictions = await Promise.race([loaded.run(plan, read.vectors, deadlineMs), late])
    answered.abort()
    // A function cannot be interrupted: it may have held up the timer as well.
    if (predictions === null || this.#clock.elapsed() - startedAt > deadlineMs) {
      outcomes.late += entities
      throw new MillraceError('PREDICTION_LATE', { model: request.model, deadlineMs })
    }
    for (const { outcome } of predictions) outcomes[outcome] += 1
    const { entities: asked, ids } = request
    this.directListener({
      name: loaded.name,
      plan,
      planHash: reader.plan.hash,
      entities: asked,
      ids,
      read,
      predictions,
    })
    for (const shadow of shadows) void this.#runShadow(shadow, request.entities, predictions)
    return {
      model: loaded.name,
      asOf: read.instant,
      predictions: predictions.map((one, row) => ({ ...one, asOf: read.asOf[row]! })),
      prefix: read.prefix,
    }
  }

  /** For vectors that are read elsewhere. Throws `NAME_UNDECLARED`, `MODEL_NOT_LIVE` and `MODEL_MISFIT`. */
  take(model: string, plan: Plan): TakenModel {
    const loaded = this.#answering(model)
    const fit = this.#fit(loaded, plan, 1)
    return {
      name: loaded.name,
      plan: fit,
      predict: async (vectors, deadlineMs) => {
        const predictions = await inTime(() => loaded.run(fit, vectors, deadlineMs), vectors.length, {
          deadlineMs,
          clock: this.#clock,
        })
        const { outcomes } = this.counts.of(loaded.name, 'live')
        for (const { outcome } of predictions) outcomes[outcome] += 1
        return predictions
      },
    }
  }

  async close(): Promise<void> {
    await this.#registered.close()
    for (const one of this.#own.values()) await one.close()
  }

  #answering(name: string): LoadedModel {
    const own = this.#own.get(name)
    if (own !== undefined) return own
    if (this.#registered.has(name)) return this.#registered.answering(name)
    throw undeclared('model', name, [...this.#own.keys(), ...this.#registered.names])
  }

  #fit(loaded: LoadedModel, plan: Plan, entities: number): ModelPlan {
    if (plan !== this.#plan) {
      this.#plan = plan
      this.#registered.planChanged()
    }
    try {
      return loaded.fit(plan)
    } catch (error) {
      this.counts.of(loaded.name, 'live').outcomes.misfit += entities
      throw error
    }
  }

  /** The vectors of shadows, read before anything else has its turn, so that they are of the answer's own prefix. */
  #readForShadows({ request, reader, live }: Shadowing): ShadowRun[] {
    if (this.#own.has(request.model)) return []
    return this.#registered.shadows(request.model).flatMap((shadow) => {
      const { outcomes } = this.counts.of(shadow.name, 'shadow')
      if (shadow.underWay >= shadowsUnderWayMax) {
        outcomes.skipped += request.entities.length
        return []
      }
      try {
        const plan = shadow.fit(reader.plan)
        const { instant } = live.read
        const isSame = plan.target === live.plan.target
        const read = isSame ? live.read : readVectors(plan.target, { ...request, asOf: instant }, reader)
        return [{ shadow, plan, read }]
      } catch (error) {
        // A shadow may read other features, by other keys: what is served must not fail for it.
        if (!(error instanceof MillraceError)) throw error
        outcomes.misfit += request.entities.length
        return []
      }
    })
  }

  async #runShadow(
    { shadow, plan, read }: ShadowRun,
    entities: readonly EntityKeys[],
    served: readonly Prediction[],
  ): Promise<void> {
    // The answer goes out first: a run holds up the event loop.
    await this.#clock.turn()
    const counts = this.counts.of(shadow.name, 'shadow')
    if (shadow.isClosing) {
      counts.outcomes.skipped += entities.length
      return
    }
    const predictions = await shadow.run(plan, read.vectors, deadlineMsDefault)
    for (const [row, given] of predictions.entries()) {
      counts.outcomes[given.outcome] += 1
      countDifference(counts, given, served[row])
    }
    this.shadowListener({ model: shadow.name, asOf: read.instant, predictions, prefix: read.prefix, entities })
  }
}

type ReadRows = {
  readonly vectors: readonly ReadVector[]
  readonly asOf: readonly number[]
  readonly instant: number | 'latest'
  readonly prefix: Readonly<Record<string, readonly number[]>>
}

type Shadowing = {
  readonly request: PredictionRequest
  readonly reader: VectorReader
  readonly live: { readonly plan: ModelPlan; readonly read: ReadRows }
}

type ShadowRun = { readonly shadow: LoadedModel; readonly plan: ModelPlan; readonly read: ReadRows }

export function isOfRegistry({ from }: Model): boolean {
  return typeof from === 'object' && from.type === 'registry'
}

function readVectors(target: string, request: PredictionRequest, reader: VectorReader): ReadRows {
  const rows = reader.readRows(reader.prepare({ service: target }), request.entities, { ...request, full: true })
  const width = rows.shape.names.length
  // The rows are those of the next read too: copied before anything else has its turn.
  const vectors = Array.from({ length: rows.size }, (_, row) => ({
    values: rows.values.slice(row * width, (row + 1) * width),
    status: rows.status.slice(row * width, (row + 1) * width),
  }))
  return { vectors, asOf: rows.asOf.slice(0, rows.size), instant: rows.instant, prefix: rows.prefix }
}

function countDifference({ differences }: VersionCounts, given: Prediction, served: Prediction | undefined): void {
  if (given.outcome !== 'served' || served?.outcome !== 'served') return
  for (const [name, value] of Object.entries(given.output)) {
    const other = served.output[name]
    if (!isComparable(value) || !isComparable(other)) continue
    const difference = Math.abs(Number(value) - Number(other))
    const sums = (differences[name] ??= { count: 0, sum: 0, max: 0 })
    sums.count += 1
    sums.sum += difference
    sums.max = Math.max(sums.max, difference)
  }
}

function isComparable(value: OutputValue | undefined): value is number | boolean {
  return typeof value === 'number' || typeof value === 'boolean'
}

async function inTime(
  ask: () => Promise<Prediction[]>,
  size: number,
  { deadlineMs, clock }: { readonly deadlineMs: number; readonly clock: Clock },
): Promise<Prediction[]> {
  // Before it is asked: a function has run when the call returns.
  const startedAt = clock.elapsed()
  const answered = new AbortController()
  const late = clock.sleep(deadlineMs, answered.signal).then(() => null)
  const predictions = await Promise.race([ask(), late])
  answered.abort()
  if (predictions !== null && clock.elapsed() - startedAt <= deadlineMs) return predictions
  const detail = `there was nothing within ${deadlineMs} ms`
  return Array.from({ length: size }, () => ({ outcome: 'failed', reason: 'LATE', detail, inputs: {} }))
}

const idCharsMax = 256

function checkIds({ ids, entities }: PredictionRequest): void {
  if (ids === undefined) return
  const isFine = ids.length === entities.length && ids.every((id) => id.length > 0 && id.length <= idCharsMax)
  if (isFine) return
  const detail = `there are ${ids.length} ids for ${entities.length} entities, or one is empty or too long`
  throw new MillraceError('REQUEST_MALFORMED', {
    detail,
    allowed: `Give each entity one of 1 to ${idCharsMax} characters.`,
  })
}

function checkDeadline(deadlineMs: number = deadlineMsDefault): number {
  if (Number.isSafeInteger(deadlineMs) && deadlineMs >= 1 && deadlineMs <= deadlineMsMax) return deadlineMs
  const detail = `deadlineMs is ${String(deadlineMs)}`
  throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: `Give whole milliseconds, 1 to ${deadlineMsMax}.` })
}
