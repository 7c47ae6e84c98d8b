import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Experiment, ExperimentArm } from '../../definition/experiment.ts'
import type { Log } from '../../log/log.ts'
import { assign } from '../../model/experiment/assignment.ts'
import type { Prediction } from '../../model/predictor.ts'
import { checkExperiments } from '../../plan/experiment-plan.ts'
import type { Plan } from '../../plan/plan.ts'
import { experimentDataTopic } from '../../plan/topics.ts'
import type { EntityKeys } from '../../serve/entity-key.ts'
import type { VectorReader } from '../../serve/vector-reader.ts'
import { ask, type Asked, predictAll } from '../answers/asked.ts'
import type { Models, PredictionRequest, Predictions } from '../models.ts'
import { WriteBehind } from '../write-behind.ts'
import { Canaries } from './canaries.ts'
import { exposureOf, exposureRecord } from './exposure.ts'

export type ExperimentsOptions = {
  readonly experiments: readonly Experiment[]
  readonly plan: Plan
  readonly models: Models
  readonly log: Log
  readonly clock: Clock
  /** Of topics that do not exist yet. */
  readonly partitions: number
}

/** What an experiment does with a subject. */
export type Assigned = {
  readonly experiment: Experiment
  readonly unit: string
  /** Null: it is in none, and the control serves it. */
  readonly arm: string | null
  /** Which model serves it: the control's, when its own arm was stopped. */
  readonly model: string
}

/** A vector for a model that runs beside an arm. */
type Shadow = { readonly one: Assigned; readonly asked: Asked }

const shadowDeadlineMs = 10_000
/** Shadow runs under way: beyond so many they are left out, so that they cannot hold up what is served. */
const shadowsMax = 16

/**
 * The experiments of a process. A prediction that names an experiment in place of a model is of the model of the
 * subject's arm, says which arm it was, and is noted on `experiment-data`.
 */
export class Experiments {
  readonly #options: ExperimentsOptions
  readonly #byName: ReadonlyMap<string, Experiment>
  readonly #canaries: Canaries
  /** Exposures of what is asked for directly; those of requests through the log are written with their answers. */
  readonly #exposures: WriteBehind
  #shadowsUnderWay = 0

  private constructor(options: ExperimentsOptions, canaries: Canaries) {
    this.#options = options
    this.#byName = new Map(options.experiments.map((one) => [one.name, one]))
    this.#canaries = canaries
    this.#exposures = new WriteBehind({ ...options, topics: [experimentDataTopic] })
  }

  /** Null when there are none. Throws `DEFINITION`. */
  static async open(options: ExperimentsOptions): Promise<Experiments | null> {
    const { experiments, plan } = options
    if (experiments.length === 0) return null
    checkExperiments(experiments, plan)
    const { log, partitions } = options
    const isThere = log.topics().some(({ topic }) => topic === experimentDataTopic)
    if (!isThere) await log.createTopic(experimentDataTopic, { partitions })
    return new Experiments(options, await Canaries.open(options))
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** What names the subjects of an experiment. */
  unit(name: string): string {
    return this.#byName.get(name)!.unit
  }

  /** @param subject what the unit is in a request; null or undefined: it is in no arm. */
  assign(name: string, subject: unknown): Assigned {
    const experiment = this.#byName.get(name)!
    const [control, ...others] = experiment.arms as readonly [ExperimentArm, ...ExperimentArm[]]
    const unit = typeof subject === 'string' || typeof subject === 'number' ? String(subject) : ''
    const { salt, layer, overrides } = experiment
    const rule = { arms: [...others, control], salt, overrides, ...(layer === null ? {} : { layer }) }
    const arm = unit === '' ? null : assign(rule, unit)
    const own =
      arm === null || this.#canaries.isStopped(name, arm) ? null : experiment.arms.find((one) => one.name === arm)
    return { experiment, unit, arm, model: (own ?? control).model.name }
  }

  /** As `Models.predict`: each entity by its arm's model, all of one prefix. Throws as that does. */
  async predict(request: PredictionRequest, reader: VectorReader): Promise<Predictions> {
    const { models, clock } = this.#options
    const { unit } = this.#byName.get(request.model)!
    const assigned = request.entities.map((keys) =>
      this.assign(request.model, Object.hasOwn(keys, unit) ? keys[unit] : null),
    )
    const { asOf = request.with === undefined ? clock.now() : undefined } = request
    const about = { ...request, ...(asOf === undefined ? {} : { asOf }) }
    const startedAt = clock.elapsed()
    // Each reads its vectors before it first waits, so all of them are of one prefix.
    const groups = [...Map.groupBy(assigned.keys(), (row) => assigned[row]!.model)]
    const asked = groups.map(async ([model, rows]) => {
      const entities = rows.map((row) => request.entities[row]!)
      const ids = request.ids === undefined ? {} : { ids: rows.map((row) => request.ids![row]!) }
      try {
        return await models.predict({ ...about, model, entities, ...ids }, reader)
      } catch (error) {
        for (const row of rows) this.told(assigned[row]!, { failed: true, latencyMs: clock.elapsed() - startedAt })
        throw error
      }
    })
    const shadows = this.#readShadows(assigned, request.entities, { reader, about })
    const given = await Promise.all(asked)
    const latencyMs = clock.elapsed() - startedAt
    const predictions = new Array<Predictions['predictions'][number]>(assigned.length)
    for (const [index, [, rows]] of groups.entries()) {
      for (const [place, row] of rows.entries()) {
        const { model, predictions: own } = given[index]!
        const one = own[place]!
        predictions[row] = { ...one, arm: assigned[row]!.arm, model }
        this.told(assigned[row]!, { failed: one.outcome === 'failed', latencyMs })
        this.#note(assigned[row]!, { prediction: one, model })
      }
    }
    void this.#runShadows(shadows)
    await this.#exposures.room()
    return { ...given[0]!, predictions, experiment: request.model }
  }

  /** What came of a prediction, for the canaries. */
  told({ experiment, arm, model }: Assigned, result: { readonly failed: boolean; readonly latencyMs: number }): void {
    const own = experiment.arms.find((one) => one.name === arm)
    // What the control serves for a stopped arm says nothing of the arm.
    if (own !== undefined && own.model.name === model) this.#canaries.told(experiment, own.name, result)
  }

  /** Why records are not written any more; null while they are. */
  get fault(): Error | null {
    return this.#exposures.fault ?? this.#canaries.fault
  }

  /** Arms that were stopped, and why. */
  get stopped(): Canaries['stopped'] {
    return this.#canaries.stopped
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await this.#exposures.close()
    await this.#canaries.close()
  }

  #note(
    { experiment, arm, unit }: Assigned,
    { prediction, model }: { prediction: Prediction; model: Predictions['model'] },
  ): void {
    if (arm === null) return
    const about = { experiment: experiment.name, unit, arm, model, shadow: false }
    this.#expose(about, prediction)
  }

  #expose(about: Parameters<typeof exposureOf>[0], prediction: Prediction): void {
    const nowMs = this.#options.clock.now()
    this.#exposures.add(experimentDataTopic, exposureRecord(about.unit, exposureOf(about, prediction, nowMs), nowMs))
  }

  /** The vectors of shadows, read before anything else has its turn. What a shadow cannot read is no fault of the answer. */
  #readShadows(
    assigned: readonly Assigned[],
    entities: readonly EntityKeys[],
    { reader, about }: { readonly reader: VectorReader; readonly about: PredictionRequest },
  ): Shadow[] {
    const { models } = this.#options
    const { experiment } = assigned[0]!
    if (experiment.shadows.length === 0 || this.#shadowsUnderWay >= shadowsMax) return []
    return assigned.flatMap((one, row) =>
      experiment.shadows.flatMap((shadow) => {
        if (one.arm === null) return []
        try {
          const taken = models.take(shadow.name, reader.plan)
          return [{ one, asked: ask({ about: {}, keys: entities[row]!, taken }, reader, about) }]
        } catch (error) {
          if (!(error instanceof MillraceError) || error.kind === 'internal') throw error
          return []
        }
      }),
    )
  }

  async #runShadows(shadows: readonly Shadow[]): Promise<void> {
    if (shadows.length === 0) return
    const { clock } = this.#options
    this.#shadowsUnderWay += 1
    // The answer goes out first: a run may hold up the event loop.
    await clock.turn()
    const predictions = await predictAll(
      shadows.map(({ asked }) => asked),
      shadowDeadlineMs,
    )
    for (const [index, { one, asked }] of shadows.entries()) {
      const about = {
        experiment: one.experiment.name,
        unit: one.unit,
        arm: one.arm!,
        model: asked.taken.name,
        shadow: true,
      }
      this.#expose(about, predictions[index]!)
    }
    this.#shadowsUnderWay -= 1
  }
}
