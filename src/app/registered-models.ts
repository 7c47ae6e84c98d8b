import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Log } from '../log/log.ts'
import type { Plan } from '../plan/plan.ts'
import { modelRegistryTopic } from '../plan/topics.ts'
import type { ModelRegistry } from '../registry/models/model-registry.ts'
import { liveOf, type ModelVersion, previousOf, type RegisteredModel } from '../registry/models/registered-model.ts'
import { asMisfit, type LoadedModel } from './loaded-model.ts'
import { openRegisteredModel } from './open-model.ts'

export type RegisteredModelsOptions = {
  readonly log: Log
  readonly registry: ModelRegistry
  readonly clock: Clock
  /** What is served at the moment. */
  readonly plan: () => Plan
  /** Of all artefacts that are loaded at once. */
  readonly bytesMax: number
}

/** Between taking a model and asking it, no more than the longest deadline. */
const takenMsMax = 60_000

/** What a process has of a model of the registry. */
type Slot = {
  /** Answers. What the registry has live, or, where that cannot be loaded, what answered before it. */
  live: LoadedModel | null
  readonly loaded: Map<number, LoadedModel>
  /** Why a version is not loaded, until its model changes, or the definitions do. */
  readonly faults: Map<number, Error>
  /** Changes of the model that were looked at. */
  seen: number
}

export type SwitchEvent =
  | { readonly kind: 'live'; readonly model: string; readonly version: number }
  | { readonly kind: 'failed'; readonly model: string; readonly version: number; readonly fault: Error }

/**
 * The versions of the registry that this process has loaded, kept in step with it. A new live version is loaded beside
 * the one that answers, and takes over between two requests: whoever asked before has the old one to the end. The
 * version before stays loaded, so that a rollback only changes which of them answers.
 */
export class RegisteredModels {
  readonly #options: RegisteredModelsOptions
  readonly #slots = new Map<string, Slot>()
  readonly #stop = new AbortController()
  #syncing: Promise<void> = Promise.resolve()
  #following: Promise<void> | null = null
  readonly #leaving = new Set<Promise<void>>()
  /** Told of what went live, and of what could not. */
  listener: (event: SwitchEvent) => void = () => undefined
  readonly counts = { switches: 0, failures: 0 }

  constructor(options: RegisteredModelsOptions) {
    this.#options = options
  }

  get names(): readonly string[] {
    return this.#options.registry.models.map(({ name }) => name)
  }

  get live(): readonly LoadedModel[] {
    return [...this.#slots.values()].flatMap(({ live }) => (live === null ? [] : [live]))
  }

  /** Everything that is loaded, whether it answers or not. */
  get loaded(): readonly LoadedModel[] {
    return [...this.#slots.values()].flatMap(({ loaded }) => [...loaded.values()])
  }

  has(name: string): boolean {
    return this.#options.registry.find(name) !== undefined
  }

  /** The version that answers. Throws `MODEL_NOT_LIVE`. */
  answering(name: string): LoadedModel {
    const slot = this.#slots.get(name)
    const live = slot?.live ?? null
    if (live !== null) return live
    const fault = slot === undefined ? undefined : [...slot.faults.values()][0]
    const detail = fault === undefined ? '' : `: ${fault.message}`
    throw new MillraceError('MODEL_NOT_LIVE', { model: name, detail }, { cause: fault })
  }

  shadows(name: string): readonly LoadedModel[] {
    const model = this.#options.registry.find(name)
    const slot = this.#slots.get(name)
    if (model === undefined || slot === undefined) return []
    return model.versions.flatMap(({ version, stage }) => {
      const loaded = stage === 'shadow' ? slot.loaded.get(version) : undefined
      return loaded === undefined ? [] : [loaded]
    })
  }

  /** What a process has of a model, for whoever asks from outside. */
  stateOf(name: string): {
    readonly answers: number | null
    readonly loaded: readonly number[]
    readonly fault: string | null
  } {
    const slot = this.#slots.get(name)
    if (slot === undefined) return { answers: null, loaded: [], fault: null }
    const [fault] = slot.faults.values()
    return {
      answers: slot.live?.name.version ?? null,
      loaded: [...slot.loaded.keys()].toSorted((a, b) => a - b),
      fault: fault?.message ?? null,
    }
  }

  /** Loads a version that is about to be promoted, against the plan that is applied. Throws as `openRegisteredModel`. */
  async prepare(name: string, version: ModelVersion, plan: Plan): Promise<void> {
    await this.#serially(async () => {
      const slot = this.#slot(name)
      if (!slot.loaded.has(version.version)) slot.loaded.set(version.version, await this.#load(name, version, plan))
    })
  }

  /** Reads the registry and brings what is loaded in step with it. */
  async sync(): Promise<void> {
    await this.#serially(async () => {
      await this.#options.registry.refresh()
      for (const model of this.#options.registry.models) await this.#bring(model)
    })
  }

  /** The definitions that are served have changed: what did not fit may do now. */
  planChanged(): void {
    for (const slot of this.#slots.values()) slot.faults.clear()
    void this.sync().catch(() => undefined) // A damaged registry is told to whoever changes or lists it.
  }

  /** Keeps in step until it is closed, also with changes of other processes; nothing where there is no registry yet. */
  follow(): void {
    if (this.#options.registry.exists) this.#following ??= this.#follow()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#following
    await this.#syncing
    await Promise.all(this.#leaving)
    for (const { loaded } of this.#slots.values()) for (const one of loaded.values()) await one.close()
  }

  async #follow(): Promise<void> {
    const { log, registry } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await log.waitFor(modelRegistryTopic, 0, registry.next, signal)
        if (!signal.aborted) await this.sync()
      } catch (error) {
        if (signal.aborted) return
        this.listener({ kind: 'failed', model: 'all', version: 0, fault: asError(error) })
        // Damage of the registry stays, and nothing goes live past it; the log may come back.
        if (!(error instanceof MillraceError) || error.retry === 'never') return
        await this.#options.clock.sleep(1_000, signal)
      }
    }
  }

  async #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#syncing.then(work)
    this.#syncing = done.catch(() => undefined)
    await done
  }

  #slot(name: string): Slot {
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      slot = { live: null, loaded: new Map(), faults: new Map(), seen: 0 }
      this.#slots.set(name, slot)
    }
    return slot
  }

  async #bring(model: RegisteredModel): Promise<void> {
    const slot = this.#slot(model.name)
    if (slot.seen !== model.changes.length) slot.faults.clear()
    slot.seen = model.changes.length
    const live = liveOf(model)
    const shadows = model.versions.filter(({ stage }) => stage === 'shadow')
    const wanted = [live, previousOf(model), ...shadows].filter((one) => one !== null)
    for (const version of wanted) await this.#ensure(model.name, slot, version)
    this.#switch(model, slot)
    const kept = new Set([...wanted.map(({ version }) => version), slot.live?.name.version])
    for (const [version, loaded] of slot.loaded) {
      if (kept.has(version)) continue
      slot.loaded.delete(version)
      this.#letGo(loaded)
    }
  }

  /** Whoever took it a moment ago may not have asked it yet. */
  #letGo(loaded: LoadedModel): void {
    const gone = this.#options.clock.sleep(takenMsMax, this.#stop.signal).then(() => loaded.close())
    this.#leaving.add(gone)
    void gone.finally(() => this.#leaving.delete(gone))
  }

  /** In one step, so that a request sees either the one or the other. */
  #switch({ name, versions, lives }: RegisteredModel, slot: Slot): void {
    const before = slot.live
    const wanted = lives.at(-1) ?? 0
    const loaded = slot.loaded.get(wanted)
    if (wanted === 0) slot.live = null
    else if (loaded !== undefined && this.#fits(slot, loaded)) slot.live = loaded
    else if (before === null) {
      // Nothing answered yet: what was live before, as a process that has been running all along has it.
      slot.live = slot.loaded.get(lives.at(-2) ?? 0) ?? null
    } else if (versions[before.name.version - 1]?.stage === 'retired') slot.live = null
    if (slot.live === before || slot.live === null) return
    if (before !== null) this.counts.switches += 1
    this.listener({ kind: 'live', model: name, version: slot.live.name.version })
  }

  #fits(slot: Slot, loaded: LoadedModel): boolean {
    try {
      loaded.fit(this.#options.plan())
      return true
    } catch (error) {
      this.#failed(slot, loaded.name, error)
      return false
    }
  }

  async #ensure(name: string, slot: Slot, version: ModelVersion): Promise<void> {
    if (slot.loaded.has(version.version) || slot.faults.has(version.version)) return
    try {
      slot.loaded.set(version.version, await this.#load(name, version, this.#options.plan()))
    } catch (error) {
      this.#failed(slot, { name, version: version.version }, error)
    }
  }

  async #load(name: string, version: ModelVersion, plan: Plan): Promise<LoadedModel> {
    const { log, bytesMax, registry } = this.#options
    const loaded = [...this.#slots].flatMap(([model, slot]) =>
      [...slot.loaded.keys()].map((number) => registry.version(model, number).artefact.bytes),
    )
    const sum = loaded.reduce((total, bytes) => total + bytes, 0)
    const { bytes } = version.artefact
    if (sum + bytes > bytesMax) {
      const details = { model: name, version: version.version, bytes, loaded: sum, limit: bytesMax }
      throw new MillraceError('MODELS_TOO_LARGE', details)
    }
    return await openRegisteredModel(name, version, { log, plan })
  }

  #failed(slot: Slot, { name, version }: { readonly name: string; readonly version: number }, error: unknown): void {
    if (slot.faults.has(version)) return
    const fault = asMisfit(name, asError(error))
    slot.faults.set(version, fault)
    this.counts.failures += 1
    this.listener({ kind: 'failed', model: name, version, fault })
  }
}

/** Our own bugs are not told apart here: a version that cannot be loaded must not stop those that can. */
function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
