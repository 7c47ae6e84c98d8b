import { open } from 'node:fs/promises'
import type { Clock } from '../base/clock.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import type { Model } from '../definition/declared-model.ts'
import { makeFallbackRunner, makeOutputRunner } from '../model/fallback-runner.ts'
import { makeFunctionRunner } from '../model/function-runner.ts'
import { openOnnxRunner } from '../model/onnx/onnx-runner.ts'
import { loadOnnxRuntime } from '../model/onnx/runtime.ts'
import { predict, type Prediction, type ReadVector } from '../model/predictor.ts'
import { openRemoteRunner } from '../model/remote/remote-runner.ts'
import type { ModelRunner } from '../model/runner.ts'
import type { RemotePlan } from '../plan/check-remote.ts'
import { undeclared } from '../plan/find.ts'
import { compileModels, type ModelPlan } from '../plan/model-plan.ts'
import type { Plan } from '../plan/plan.ts'
import type { EntityKeys } from '../serve/entity-key.ts'
import type { VectorOptions, VectorReader } from '../serve/vector-reader.ts'

export type PredictionOptions = VectorOptions & {
  /** When an answer is of no use any more: 1 to 60,000. Default 1,000. */
  readonly deadlineMs?: number
}

export type PredictionRequest = PredictionOptions & { readonly model: string; readonly entities: readonly EntityKeys[] }

/** Predictions of one model for some entities, all of one prefix and one version. */
export type Predictions = {
  readonly model: ModelName
  /** Of all; `'latest'` when each has its own. */
  readonly asOf: number | 'latest'
  /** In the order of the entities. */
  readonly predictions: readonly (Prediction & { readonly asOf: number })[]
  /** What the vectors have seen: stream → next offset per partition. */
  readonly prefix: Readonly<Record<string, readonly number[]>>
}

/** Which model it was: the checksum is that of its artefact, null for a function. */
export type ModelName = { readonly name: string; readonly version: number; readonly checksum: string | null }

/** A model as it is loaded at a moment: of one version and one plan, whatever comes after. */
export type TakenModel = {
  readonly name: ModelName
  readonly plan: ModelPlan
  /** One prediction per vector. Those that come too late have failed. */
  predict(vectors: readonly ReadVector[], deadlineMs: number): Promise<Prediction[]>
}

type LoadedModel = { readonly model: Model; readonly name: ModelName; readonly runner: ModelRunner; underWay: number }

/** Requests of a model at once. Those of a late answer count until the model is done with them. */
const underWayMax = 64
const deadlineMsDefault = 1_000
const deadlineMsMax = 60_000

/** The models of a process, loaded, and how they are asked. */
export class Models {
  readonly #models: ReadonlyMap<string, LoadedModel>
  readonly #clock: Clock
  /** Checked against the plan that was served last. */
  #plan: Plan
  readonly #fits = new Map<string, ModelPlan | MillraceError>()

  private constructor(models: ReadonlyMap<string, LoadedModel>, plan: Plan, clock: Clock) {
    this.#models = models
    this.#plan = plan
    this.#clock = clock
  }

  /** Throws `DEFINITION`, `MODEL_UNREADABLE`, `MODEL_REFUSED`, `MODEL_RUNTIME_MISSING`; then nothing stays open. */
  static async open(models: readonly Model[], plan: Plan, clock: Clock): Promise<Models> {
    const loaded = new Map<string, LoadedModel>()
    try {
      for (const [index, checked] of compileModels(models, plan).entries()) {
        const runner = await openRunner(checked, clock)
        const name = { name: checked.name, version: checked.version, checksum: runner.checksum }
        loaded.set(checked.name, { model: models[index]!, name, runner, underWay: 0 })
      }
    } catch (error) {
      for (const { runner } of loaded.values()) await runner.close()
      throw error
    }
    return new Models(loaded, plan, clock)
  }

  get names(): readonly ModelName[] {
    return [...this.#models.values()].map(({ name }) => name)
  }

  /**
   * Reads the vectors at once, so all are of one prefix, and asks the model. Throws `NAME_UNDECLARED`, `MODEL_MISFIT`,
   * `MODEL_BUSY`, `PREDICTION_LATE`, and what reading throws. What the model does is an outcome, never thrown.
   */
  async predict(request: PredictionRequest, reader: VectorReader): Promise<Predictions> {
    const startedAt = this.#clock.elapsed()
    const deadlineMs = checkDeadline(request.deadlineMs)
    const loaded = this.#models.get(request.model)
    if (loaded === undefined) throw undeclared('model', request.model, [...this.#models.keys()])
    if (loaded.underWay >= underWayMax) {
      throw new MillraceError('MODEL_BUSY', { model: request.model, count: loaded.underWay })
    }
    const plan = this.#fit(loaded.model, reader.plan)
    const rows = reader.readRows(reader.prepare({ service: plan.target }), request.entities, { ...request, full: true })
    const width = rows.shape.names.length
    // The rows are those of the next read too: copied before anything else has its turn.
    const vectors = Array.from({ length: rows.size }, (_, row) => ({
      values: rows.values.slice(row * width, (row + 1) * width),
      status: rows.status.slice(row * width, (row + 1) * width),
    }))
    const { prefix, instant } = rows
    const asOf = rows.asOf.slice(0, rows.size)
    const answered = new AbortController()
    const late = this.#clock.sleep(deadlineMs, answered.signal).then(() => null)
    const predictions = await Promise.race([run(loaded, plan, vectors, deadlineMs), late])
    answered.abort()
    // A function cannot be interrupted: it may have held up the timer as well.
    if (predictions === null || this.#clock.elapsed() - startedAt > deadlineMs) {
      throw new MillraceError('PREDICTION_LATE', { model: request.model, deadlineMs })
    }
    return {
      model: loaded.name,
      asOf: instant,
      predictions: predictions.map((one, row) => ({ ...one, asOf: asOf[row]! })),
      prefix,
    }
  }

  /** For vectors that are read elsewhere. Throws `NAME_UNDECLARED` and `MODEL_MISFIT`. */
  take(model: string, plan: Plan): TakenModel {
    const loaded = this.#models.get(model)
    if (loaded === undefined) throw undeclared('model', model, [...this.#models.keys()])
    const fit = this.#fit(loaded.model, plan)
    const ask = (vectors: readonly ReadVector[], deadlineMs: number): Promise<Prediction[]> =>
      run(loaded, fit, vectors, deadlineMs)
    return {
      name: loaded.name,
      plan: fit,
      predict: (vectors, deadlineMs) => inTime(ask, vectors, { deadlineMs, clock: this.#clock }),
    }
  }

  async close(): Promise<void> {
    for (const { runner } of this.#models.values()) await runner.close()
  }

  /** The plan that is served may have changed: what a model takes is looked up once in each. */
  #fit(model: Model, plan: Plan): ModelPlan {
    if (plan !== this.#plan) {
      this.#plan = plan
      this.#fits.clear()
    }
    let fit = this.#fits.get(model.name)
    if (fit === undefined) {
      fit = fitOrMisfit(model, plan)
      this.#fits.set(model.name, fit)
    }
    if (fit instanceof MillraceError) throw fit
    return fit
  }
}

function fitOrMisfit(model: Model, plan: Plan): ModelPlan | MillraceError {
  try {
    return compileModels([model], plan)[0]!
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'DEFINITION') throw error
    return new MillraceError('MODEL_MISFIT', { model: model.name, list: error.details['list']! }, { cause: error })
  }
}

async function inTime(
  ask: (vectors: readonly ReadVector[], deadlineMs: number) => Promise<Prediction[]>,
  vectors: readonly ReadVector[],
  { deadlineMs, clock }: { readonly deadlineMs: number; readonly clock: Clock },
): Promise<Prediction[]> {
  const startedAt = clock.elapsed()
  const answered = new AbortController()
  const late = clock.sleep(deadlineMs, answered.signal).then(() => null)
  const predictions = await Promise.race([ask(vectors, deadlineMs), late])
  answered.abort()
  if (predictions !== null && clock.elapsed() - startedAt <= deadlineMs) return predictions
  const detail = `there was nothing within ${deadlineMs} ms`
  return vectors.map(() => ({ outcome: 'failed', reason: 'LATE', detail, inputs: {} }))
}

async function run(
  loaded: LoadedModel,
  plan: ModelPlan,
  vectors: readonly ReadVector[],
  deadlineMs: number,
): Promise<Prediction[]> {
  loaded.underWay += 1
  try {
    return await predict(plan, loaded.runner, vectors, deadlineMs)
  } finally {
    loaded.underWay -= 1
  }
}

async function openRunner(plan: ModelPlan, clock: Clock): Promise<ModelRunner> {
  const { from } = plan
  if (typeof from === 'function') return makeFunctionRunner(plan)
  if (from.type === 'remote') return await openRemote(plan, from, clock)
  let file: Uint8Array
  try {
    file = await readStart(from.file, from.bytesMax + 1)
  } catch (error) {
    const details = { model: plan.name, file: String(from.file), detail: messageOf(error) }
    throw new MillraceError('MODEL_UNREADABLE', details, { cause: error })
  }
  return await openOnnxRunner(plan, file, await loadOnnxRuntime())
}

async function openRemote(plan: ModelPlan, { fallback }: RemotePlan, clock: Clock): Promise<ModelRunner> {
  const runner = await openRemoteRunner(plan, { clock, environment: process.env })
  if (fallback === null) return runner
  try {
    const instead =
      typeof fallback !== 'function' && fallback.type === 'output'
        ? makeOutputRunner(plan, fallback.output)
        : await openRunner({ ...plan, from: fallback }, clock)
    return makeFallbackRunner(plan, runner, instead)
  } catch (error) {
    await runner.close()
    throw error
  }
}

/** At most so many bytes: of a file that is too large no more is needed to see that. */
async function readStart(file: string | URL, bytesMax: number): Promise<Uint8Array> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const bytes = Buffer.alloc(Math.min(size, bytesMax))
    let at = 0
    while (at < bytes.length) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return bytes.subarray(0, at)
  } finally {
    await handle.close()
  }
}

function checkDeadline(deadlineMs: number = deadlineMsDefault): number {
  if (Number.isSafeInteger(deadlineMs) && deadlineMs >= 1 && deadlineMs <= deadlineMsMax) return deadlineMs
  const detail = `deadlineMs is ${String(deadlineMs)}`
  throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: `Give whole milliseconds, 1 to ${deadlineMsMax}.` })
}
