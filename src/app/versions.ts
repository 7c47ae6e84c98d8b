import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Definition } from '../definition/definition.ts'
import type { Log } from '../log/log.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import { type Compiled, type Difference, differenceLines, incompatibleChanges } from '../registry/difference.ts'
import { Registry, type Version } from '../registry/registry.ts'
import type { ModelRegistry } from '../registry/models/model-registry.ts'
import { noteLengthMax } from '../registry/version-record.ts'
import type { RegistryState, VersionSummary } from '../serve/http-service.ts'
import { createTopics } from '../stream/create-topics.ts'
import { compilePlan } from './load-plan.ts'
import type { RunningEngine } from './running-engine.ts'
import { stoppedModels } from './stopped-models.ts'

export type { RegistryState }

export type ApplyOptions = {
  /** The version that the change was planned against; 0: none. Default: the one that is applied now. */
  readonly expected?: number
  /** Why, for whoever reads the versions later. */
  readonly note?: string
  /** Also apply what breaks data or readers. */
  readonly allowIncompatible?: boolean
}

/** What came of applying definitions. */
export type Applied = {
  readonly version: Version
  /** False: they were those of the applied version already, and nothing was written. */
  readonly changed: boolean
  readonly difference: Difference
  /** Live models that it stops, a line each: they answer again once they fit. */
  readonly stopped: readonly string[]
}

type Place = {
  readonly log: Log
  readonly registry: Registry
  readonly clock: Clock
  /** Partitions of topics that do not exist yet. */
  readonly partitions: number
  /** Told of where there may be models that a change stops. */
  readonly models?: ModelRegistry
  /** Whether the states of a view are there. Default: nobody knows. */
  readonly keeps?: (view: ViewPlan) => boolean
}

export async function openRegistry(log: Log): Promise<Registry> {
  return await Registry.open({ log, compile: compilePlan })
}

/**
 * Makes definitions the applied version, durably. Nothing is built yet. Throws `DEFINITION`, `REGISTRY_CONFLICT`,
 * `REGISTRY_INCOMPATIBLE`, and what their topics cannot be created for; then nothing is applied.
 */
export async function registerDefinitions(
  definitions: readonly Definition[],
  place: Place,
  options: ApplyOptions = {},
): Promise<Applied> {
  const plan = compilePlan(definitions)
  await place.registry.refresh()
  const { applied, number } = place.registry
  const difference = place.registry.differenceTo({ definitions, plan }, place.keeps)
  if (applied !== null && place.registry.compiled(number).plan.hash === plan.hash) {
    return { version: applied, changed: false, difference, stopped: [] }
  }
  place.registry.expect(options.expected ?? number)
  const breaking = incompatibleChanges(difference)
  if (number > 0 && breaking.length > 0 && options.allowIncompatible !== true) {
    const list = differenceLines({ ...difference, changes: breaking, views: [] })
      .map((line) => `  ${line}`)
      .join('\n')
    throw new MillraceError('REGISTRY_INCOMPATIBLE', { count: breaking.length, list })
  }
  return await register({ definitions, plan }, { place, options, kind: 'apply' })
}

/**
 * Applies the definitions of an older version anew, by default of the one before the applied one. What it breaks was
 * not there before that: it needs no leave. Throws `REGISTRY_NUMBER_UNKNOWN`, `REGISTRY_CONFLICT`.
 */
export async function registerRollback(
  to: number | undefined,
  place: Place,
  options: Omit<ApplyOptions, 'allowIncompatible'> = {},
): Promise<Applied> {
  await place.registry.refresh()
  const { number } = place.registry
  const compiled = place.registry.compiled(to ?? number - 1)
  place.registry.expect(options.expected ?? number)
  if (place.registry.compiled(number).plan.hash === compiled.plan.hash) {
    return {
      version: place.registry.version(number),
      changed: false,
      difference: place.registry.differenceTo(compiled),
      stopped: [],
    }
  }
  const note = options.note ?? `to version ${to ?? number - 1}`
  return await register(compiled, { place, options: { ...options, note }, kind: 'rollback' })
}

type Registration = { readonly place: Place; readonly options: ApplyOptions; readonly kind: Version['kind'] }

async function register(compiled: Compiled, { place, options, kind }: Registration): Promise<Applied> {
  const { log, registry, clock, partitions, models } = place
  const expected = registry.number
  const difference = registry.differenceTo(compiled, place.keeps)
  // First: a version whose topics cannot be there could never be run, and would be in the way of every start.
  await createTopics(compiled.plan, { log, partitions })
  const at = new Date(clock.now()).toISOString()
  const before = registry.applied === null ? null : registry.compiled(expected).plan
  const version = await registry.append({ ...compiled, kind, expected, at, note: checkNote(options.note) })
  await models?.refresh()
  const stopped = before === null ? [] : stoppedModels(models?.models ?? [], before, compiled.plan)
  return { version, changed: true, difference, stopped }
}

function checkNote(note: string | undefined): string | null {
  if (note === undefined || note.length <= noteLengthMax) return note ?? null
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `the note has ${note.length} characters`,
    allowed: `Give at most ${noteLengthMax}.`,
  })
}

type VersionedEngine = Pick<RunningEngine, 'plan' | 'building' | 'halted' | 'keeps' | 'apply'>

/** The versions of a running mill: what is applied is built and taken over by its engine. */
export class Versions {
  readonly #place: Place
  readonly #engine: VersionedEngine
  /** Told when another version is applied. */
  listener: () => void = () => undefined
  #fault: Error | null = null
  /** Changes that the engine was told of and has not made, nor given up for later ones. */
  #pending = 0

  constructor(place: Place, engine: VersionedEngine) {
    this.#place = { ...place, keeps: (view) => engine.keeps(view) }
    this.#engine = engine
  }

  /** All that were ever applied, oldest first. */
  get all(): readonly Version[] {
    return this.#place.registry.versions
  }

  /** The last one. What is served may be one before it, until that is built. */
  get applied(): Version {
    return this.#place.registry.version(this.#place.registry.number)
  }

  /** Throws `REGISTRY_NUMBER_UNKNOWN`. */
  version(number: number): Version {
    return this.#place.registry.version(number)
  }

  /** Number of the version that readers get; null when what is served was never applied. */
  get serving(): number | null {
    const { registry } = this.#place
    const { hash } = this.#engine.plan
    if (registry.number > 0 && registry.compiled(registry.number).plan.hash === hash) return registry.number
    return registry.versions.findLast(({ plan }) => plan === hash)?.number ?? null
  }

  /** Whether what is served is about to change. */
  get isChanging(): boolean {
    return this.#pending > 0 || this.#engine.building !== null
  }

  /**
   * Makes definitions the applied version; what is served changes to them once their views are built. Throws as
   * `registerDefinitions` does.
   */
  async apply(definitions: readonly Definition[], options: ApplyOptions = {}): Promise<Applied> {
    return this.#aim(await registerDefinitions(definitions, this.#place, options))
  }

  /** Throws as `registerRollback` does. */
  async rollback(to?: number, options: Omit<ApplyOptions, 'allowIncompatible'> = {}): Promise<Applied> {
    return this.#aim(await registerRollback(to, this.#place, options))
  }

  #aim(applied: Applied): Applied {
    // A later version may have been applied before this one had its turn: then that is what is built.
    if (!applied.changed || applied.version.number !== this.#place.registry.number) return applied
    this.#fault = null
    this.listener()
    void this.#change(applied.version)
    return applied
  }

  async #change(version: Version): Promise<void> {
    this.#pending += 1
    try {
      await this.#engine.apply(this.#place.registry.compiled(version.number).plan)
    } catch (error) {
      // Given way to a later one, or the process ends and the next start goes on: neither is a fault.
      const isExpected = error instanceof MillraceError && ['PLAN_SUPERSEDED', 'ENGINE_STOPPED'].includes(error.code)
      if (isExpected || this.applied !== version) return
      this.#fault = error instanceof Error ? error : new Error(String(error))
    } finally {
      this.#pending -= 1
    }
  }

  /** For whoever asks from outside. */
  state(): RegistryState {
    const { building } = this.#engine
    const { number } = this.applied
    return {
      applied: summaryOf(this.applied),
      serving: { number: this.serving, plan: this.#engine.plan.hash },
      building: building === null ? null : { number, done: building.done, total: building.total },
      fault: this.#fault?.message ?? this.#halted(),
      versions: this.all.map(summaryOf),
    }
  }

  /** A partition that has stopped may keep the applied version from being served. */
  #halted(): string | null {
    const [first] = this.#engine.building === null ? [] : this.#engine.halted
    return first === undefined
      ? null
      : `partition ${first.partition} of ${first.topic} has stopped: ${first.fault.message}`
  }

  /** Of the applied version. */
  get plan(): Plan {
    return this.#place.registry.compiled(this.applied.number).plan
  }
}

/** Without the definitions. */
export function summaryOf({ number, previous, kind, plan, at, note }: Version): VersionSummary {
  return { number, previous, kind, plan, at, note }
}
