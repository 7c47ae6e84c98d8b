import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { sha256 } from '../base/hash.ts'
import type { Log } from '../log/log.ts'
import { compileDeclared, declarationLines } from '../plan/model-declaration.ts'
import type { Plan } from '../plan/plan.ts'
import { artefactBytesMax, putArtefact, readArtefact } from '../registry/models/artefacts.ts'
import type { ModelChange, ModelChangeWhat } from '../registry/models/model-change.ts'
import type { ModelRegistry } from '../registry/models/model-registry.ts'
import {
  descriptionBytesMax,
  type ModelDescription,
  readModelDescription,
  readModelName,
} from '../registry/models/pushed-model.ts'
import { liveOf, type ModelVersion, previousOf } from '../registry/models/registered-model.ts'
import { noteLengthMax } from '../registry/version-record.ts'
import { asMisfit } from './loaded-model.ts'
import { openVersion } from './open-model.ts'

/** Where models are changed: a log, and the plan that is applied in it. */
export type ModelPlace = {
  readonly log: Log
  readonly models: ModelRegistry
  readonly clock: Clock
  readonly plan: () => Plan
}

export type ModelChangeOptions = {
  /** The change of the model that this one was planned after; 0: none. Default: whichever is the last. */
  readonly expected?: number
  /** Why, for whoever reads the versions later. */
  readonly note?: string
}

export type ModelAction =
  | { readonly promote: number; readonly to: 'candidate' | 'shadow' | 'live' }
  /** To the version that was live before. */
  | { readonly rollback: true }
  /** A live version only with leave: nothing answers until another one is promoted. */
  | { readonly retire: number; readonly allowLive: boolean }

export type ModelChanged = {
  readonly change: ModelChange
  readonly version: ModelVersion
  /** From what is live, or was, to this version. */
  readonly difference: readonly string[]
}

/**
 * Makes an artefact the next version of a model, as a candidate, once it has been opened here and has passed every
 * check that it has to pass to go live. Throws `MODEL_MISFIT`, `MODEL_REFUSED`, `MODEL_GOLDEN_FAILED`, `MODEL_CONFLICT`,
 * `REQUEST_TOO_LARGE`, `REQUEST_MALFORMED`; then nothing is a version.
 */
export async function pushModel(
  place: ModelPlace,
  pushed: { readonly model: string; readonly description: ModelDescription; readonly artefact: Uint8Array },
  options: ModelChangeOptions = {},
): Promise<ModelChanged> {
  const { log, models, clock } = place
  const { artefact } = pushed
  // As it will be read from the log, by whom it would stop if it could not be.
  const name = readModelName(pushed.model)
  const description = readModelDescription(pushed.description)
  checkSize(artefact.length, artefactBytesMax)
  checkSize(Buffer.byteLength(JSON.stringify(description)), descriptionBytesMax)
  const note = checkNote(options.note)
  await models.refresh()
  const before = models.find(name)
  const version = (before?.versions.length ?? 0) + 1
  const plan = place.plan()
  const identity = { sha256: sha256(artefact), bytes: artefact.length }
  const opened = await fitting(name, () =>
    openVersion({ ...description, name, version, artefact: identity }, artefact, plan),
  )
  await opened.close()
  const timestampMs = clock.now()
  const known = before?.versions.find((one) => one.artefact.sha256 === identity.sha256)?.artefact
  // What is there already is used again, once it is seen to be whole.
  const there = known === undefined ? null : await readArtefact(log, known).catch(() => null)
  const lies = known !== undefined && there !== null ? known : await putArtefact(log, artefact, timestampMs)
  const change = await models.append({
    model: name,
    expected: options.expected ?? before?.changes.length ?? 0,
    at: new Date(timestampMs).toISOString(),
    note,
    kind: 'pushed',
    version,
    pushed: { ...description, plan: plan.hash, artefact: lies },
  })
  return described(place, change, before === undefined ? null : liveOf(before))
}

/**
 * Moves a version to another stage. What goes live or becomes a shadow has to fit the plan that is applied, and
 * `prepare` has to load it, before anything is written. Throws `MODEL_MISFIT`, `MODEL_CONFLICT`, `MODEL_CHANGE_REFUSED`,
 * `MODEL_VERSION_UNKNOWN`, and what `prepare` throws.
 */
export async function changeModel(
  place: ModelPlace,
  { model: name, action }: { readonly model: string; readonly action: ModelAction },
  options: ModelChangeOptions & { readonly prepare: (version: ModelVersion, plan: Plan) => Promise<void> },
): Promise<ModelChanged> {
  const { models, clock } = place
  const note = checkNote(options.note)
  await models.refresh()
  const model = models.model(name)
  const live = liveOf(model)
  const what = whatOf(name, action, previousOf(model))
  const version = models.version(name, what.version)
  if (what.kind === 'retired' && version === live && 'retire' in action && !action.allowLive) {
    const detail =
      'it is live, and without it nothing answers: --allow-live (in the library: allowLive) retires it all the same'
    throw new MillraceError('MODEL_CHANGE_REFUSED', { model: name, what: `version ${what.version} retired`, detail })
  }
  const asked = what.kind === 'rolled back' || (what.kind === 'promoted' && what.stage !== 'candidate')
  if (asked && version.stage !== 'retired') {
    const plan = place.plan()
    await fitting(name, async () => {
      compileDeclared({ ...version, name }, plan)
      await options.prepare(version, plan)
    })
  }
  const at = new Date(clock.now()).toISOString()
  const expected = options.expected ?? model.changes.length
  const change = await models.append({ model: name, expected, at, note, ...what })
  return described(place, change, live)
}

function whatOf(
  model: string,
  action: ModelAction,
  previous: ModelVersion | null,
): Exclude<ModelChangeWhat, { kind: 'pushed' }> {
  if ('promote' in action) return { kind: 'promoted', version: action.promote, stage: action.to }
  if ('retire' in action) return { kind: 'retired', version: action.retire }
  if (previous !== null) return { kind: 'rolled back', version: previous.version }
  const detail = 'no version was live before the one that is'
  throw new MillraceError('MODEL_CHANGE_REFUSED', { model, what: 'a rollback', detail })
}

function described({ models }: ModelPlace, change: ModelChange, before: ModelVersion | null): ModelChanged {
  const version = models.version(change.model, change.version)
  // What is retired takes nobody's place.
  const isSame = before === null || before.version === version.version || change.kind === 'retired'
  return { change, version, difference: isSame ? [] : versionLines(before, version) }
}

/** What differs between two versions, a line each: what they take and give, and what was measured of them. */
export function versionLines(before: ModelVersion, after: ModelVersion): string[] {
  const names = [...new Set([...Object.keys(before.metrics), ...Object.keys(after.metrics)])].toSorted()
  const metrics = names.flatMap((name) => {
    const [was, is] = [before.metrics[name], after.metrics[name]]
    if (was === is) return []
    return [`~ metric ${name}: ${was ?? 'not measured'} → ${is ?? 'not measured'}`]
  })
  const same = before.artefact.sha256 === after.artefact.sha256 ? ['= the artefact is the same'] : []
  return [...declarationLines(before.declaration, after.declaration), ...metrics, ...same]
}

async function fitting<T>(model: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof Error ? asMisfit(model, error) : error
  }
}

function checkSize(size: number, limit: number): void {
  if (size > limit) throw new MillraceError('REQUEST_TOO_LARGE', { size, unit: 'bytes', limit })
}

function checkNote(note: string | undefined): string | null {
  if (note === undefined || note.length <= noteLengthMax) return note ?? null
  throw new MillraceError('REQUEST_MALFORMED', {
    detail: `the note has ${note.length} characters`,
    allowed: `Give at most ${noteLengthMax}.`,
  })
}
