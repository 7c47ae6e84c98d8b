import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/faults.ts'
import { predict, type Prediction, type ReadVector } from '../model/predictor.ts'
import type { Distribution } from '../model/quality/drift.ts'
import { VersionWatch } from '../model/quality/version-watch.ts'
import type { RemoteWatch } from '../model/remote/remote-watch.ts'
import type { ModelRunner } from '../model/runner.ts'
import type { ModelPlan } from '../plan/model-plan.ts'
import type { Plan } from '../plan/plan.ts'

/** Which model it was: the checksum is that of its artefact, null for a function. */
export type ModelName = { readonly name: string; readonly version: number; readonly checksum: string | null }

export type LoadedModelParts = {
  readonly name: ModelName
  readonly runner: ModelRunner
  /** How its inputs were spread in its training set, by name. */
  readonly training: ReadonlyMap<string, Distribution>
  /** Checks it against a plan. Throws `DEFINITION`. */
  readonly compile: (plan: Plan) => ModelPlan
}

/** A version of a model that is loaded, for whoever watches it. */
export type WatchedModel = Pick<LoadedModel, 'name' | 'watch' | 'remotes'>

/** One version of a model, ready to run. */
export class LoadedModel {
  readonly name: ModelName
  readonly watch: VersionWatch
  readonly #runner: ModelRunner
  readonly #compile: LoadedModelParts['compile']
  /** Checked against the plan that was served last. */
  #plan: Plan | null = null
  #fit: ModelPlan | MillraceError | null = null
  #underWay = 0
  #isClosing = false
  #closing: { readonly closed: Promise<void>; readonly close: () => void } | null = null

  constructor({ name, runner, training, compile }: LoadedModelParts) {
    this.name = name
    this.watch = new VersionWatch(training)
    this.#runner = runner
    this.#compile = compile
  }

  /** Runs that were begun and have not ended. */
  get underWay(): number {
    return this.#underWay
  }

  /** The servers that are asked for it. */
  get remotes(): readonly RemoteWatch[] {
    return this.#runner.remotes ?? []
  }

  /** Whether it takes no more runs. */
  get isClosing(): boolean {
    return this.#isClosing
  }

  /** What it reads of a plan. The one that is served may change: it is looked up once in each. Throws `MODEL_MISFIT`. */
  fit(plan: Plan): ModelPlan {
    if (plan !== this.#plan || this.#fit === null) {
      this.#plan = plan
      this.#fit = this.#fitOrMisfit(plan)
    }
    if (this.#fit instanceof MillraceError) throw this.#fit
    return this.#fit
  }

  #fitOrMisfit(plan: Plan): ModelPlan | MillraceError {
    try {
      return this.#compile(plan)
    } catch (error) {
      const misfit = asMisfit(this.name.name, error as Error)
      if (!(misfit instanceof MillraceError) || misfit === error) throw error
      return misfit
    }
  }

  async run(plan: ModelPlan, vectors: readonly ReadVector[], deadlineMs: number): Promise<Prediction[]> {
    assert(!this.#isClosing, 'a model that is closing is not asked')
    this.#underWay += 1
    try {
      const predictions = await predict(plan, this.#runner, vectors, deadlineMs)
      this.watch.saw(plan, vectors, predictions)
      return predictions
    } finally {
      this.#underWay -= 1
      if (this.#underWay === 0) this.#closing?.close()
    }
  }

  /** Resolves once the last run has ended and nothing is held any more. Whoever was handed it may finish with it. */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.#underWay > 0 && this.#closing === null) {
      const { promise: closed, resolve: close } = Promise.withResolvers<void>()
      this.#closing = { closed, close }
    }
    await this.#closing?.closed
    await this.#runner.close()
  }
}

/** What a model's faults in the definitions are to whoever asks it. Anything else stays what it is. */
export function asMisfit(model: string, error: Error): Error {
  if (!(error instanceof MillraceError) || error.code !== 'DEFINITION') return error
  return new MillraceError('MODEL_MISFIT', { model, list: error.details['list']! }, { cause: error })
}
