import type { ModelChange } from '../registry/models/model-change.ts'
import {
  changeText,
  liveOf,
  type ModelVersion,
  previousOf,
  type RegisteredModel,
} from '../registry/models/registered-model.ts'
import type { ModelDescription } from '../registry/models/pushed-model.ts'
import {
  changeModel,
  type ModelAction,
  type ModelChanged,
  type ModelChangeOptions,
  type ModelPlace,
  pushModel,
} from './model-changes.ts'
import type { PredictionCounts, VersionCounts } from './prediction-counts.ts'
import type { RegisteredModels } from './registered-models.ts'

/** A model of the registry, for whoever asks from outside. */
export type ModelState = {
  readonly name: string
  /** Number of its last change. */
  readonly change: number
  /** What the registry has live, and what a rollback goes back to. */
  readonly live: number | null
  readonly previous: number | null
  /** What answers in this process, what it has loaded, and why something that should be is not. Null: no process runs. */
  readonly here: {
    readonly answers: number | null
    readonly loaded: readonly number[]
    readonly fault: string | null
  } | null
  readonly versions: readonly ModelVersionSummary[]
}

export type ModelVersionSummary = Omit<ModelVersion, 'golden' | 'artefact'> & {
  readonly artefact: { readonly sha256: string; readonly bytes: number }
  /** How many golden samples it has. */
  readonly golden: number
  /** Since this process began. */
  readonly counts: readonly Omit<VersionCounts, 'model' | 'version'>[]
}

/** What a model is now, and everything that was ever done to it, oldest first. */
export type ModelHistory = ModelState & {
  readonly changes: readonly {
    readonly number: number
    readonly at: string
    /** In words. */
    readonly what: string
    readonly note: string | null
  }[]
}

/** A change that was made, for whoever asked for it from outside. */
export type ModelChangeAnswer = {
  readonly model: string
  /** Its number among the changes of its model. */
  readonly change: number
  readonly what: string
  readonly version: ModelVersionSummary
  readonly difference: readonly string[]
}

/** The models of the registry in a running mill: changed here, they take effect here at once. */
export class ModelVersions {
  readonly #place: ModelPlace
  readonly #registered: RegisteredModels
  readonly #counts: PredictionCounts

  constructor(place: ModelPlace, registered: RegisteredModels, counts: PredictionCounts) {
    this.#place = place
    this.#registered = registered
    this.#counts = counts
  }

  /** Everything that was ever done to a model, oldest first. Throws `NAME_UNDECLARED`. */
  changes(name: string): readonly ModelChange[] {
    return this.#place.models.model(name).changes
  }

  /** Throws as `pushModel` does. */
  async push(
    pushed: { readonly model: string; readonly description: ModelDescription; readonly artefact: Uint8Array },
    options: ModelChangeOptions = {},
  ): Promise<ModelChanged> {
    const done = await pushModel(this.#place, pushed, options)
    await this.#registered.sync()
    this.#registered.follow()
    return done
  }

  /** It answers from the next request on when this resolves. Throws as `changeModel` does. */
  async promote(
    model: string,
    version: number,
    options: ModelChangeOptions & { readonly to?: 'candidate' | 'shadow' | 'live' } = {},
  ): Promise<ModelChanged> {
    return await this.change({ model, action: { promote: version, to: options.to ?? 'live' } }, options)
  }

  async rollback(model: string, options: ModelChangeOptions = {}): Promise<ModelChanged> {
    return await this.change({ model, action: { rollback: true } }, options)
  }

  async retire(
    model: string,
    version: number,
    options: ModelChangeOptions & { readonly allowLive?: boolean } = {},
  ): Promise<ModelChanged> {
    return await this.change({ model, action: { retire: version, allowLive: options.allowLive ?? false } }, options)
  }

  async change(
    change: { readonly model: string; readonly action: ModelAction },
    options: ModelChangeOptions = {},
  ): Promise<ModelChanged> {
    const done = await changeModel(this.#place, change, {
      ...options,
      prepare: (version, plan) => this.#registered.prepare(change.model, version, plan),
    })
    await this.#registered.sync()
    return done
  }

  /** Throws `NAME_UNDECLARED`. */
  state(name: string): ModelState {
    return this.#stateOf(this.#place.models.model(name))
  }

  /** Throws `NAME_UNDECLARED`. */
  history(name: string): ModelHistory {
    const model = this.#place.models.model(name)
    return { ...this.#stateOf(model), changes: changesOf(model) }
  }

  states(): readonly ModelState[] {
    return this.#place.models.models.map((model) => this.#stateOf(model))
  }

  #stateOf(model: RegisteredModel): ModelState {
    return modelState(model, this.#registered.stateOf(model.name), this.#counts.all)
  }
}

/** @param here of a running process, else null. */
export function modelState(
  model: RegisteredModel,
  here: ModelState['here'],
  counts: readonly VersionCounts[] = [],
): ModelState {
  return {
    name: model.name,
    change: model.changes.length,
    live: liveOf(model)?.version ?? null,
    previous: previousOf(model)?.version ?? null,
    here,
    versions: model.versions.map((one) => summaryOf(model.name, one, counts)),
  }
}

/** Where no process runs. */
export function modelHistory(model: RegisteredModel): ModelHistory {
  return { ...modelState(model, null), changes: changesOf(model) }
}

function changesOf({ changes }: RegisteredModel): ModelHistory['changes'] {
  return changes.map((change) => ({
    number: change.number,
    at: change.at,
    what: changeText(change),
    note: change.note,
  }))
}

export function changeAnswer({ change, version, difference }: ModelChanged): ModelChangeAnswer {
  const { model, number } = change
  return { model, change: number, what: changeText(change), version: summaryOf(model, version, []), difference }
}

export function summaryOf(name: string, version: ModelVersion, counts: readonly VersionCounts[]): ModelVersionSummary {
  const { golden, artefact, ...rest } = version
  const own = counts.filter((one) => one.model === name && one.version === version.version)
  return {
    ...rest,
    artefact: { sha256: artefact.sha256, bytes: artefact.bytes },
    golden: golden?.rows.length ?? 0,
    counts: own.map(({ stage, outcomes, differences }) => ({ stage, outcomes, differences })),
  }
}
