import type { ModelChange, ModelStage } from './model-change.ts'
import type { PushedModel } from './pushed-model.ts'

/** A version of a model, as the changes so far have it. */
export type ModelVersion = PushedModel & {
  /** Counted from 1 in each model. */
  readonly version: number
  readonly stage: ModelStage
  /** When it was pushed, and in whose words. */
  readonly at: string
  readonly note: string | null
}

/** A model and everything that was ever done to it. */
export type RegisteredModel = {
  readonly name: string
  readonly versions: readonly ModelVersion[]
  /** Oldest first; a change's number is its place, counted from 1. */
  readonly changes: readonly ModelChange[]
  /** Versions that were live, in the order in which a rollback leaves them; the last one is live. */
  readonly lives: readonly number[]
}

/** Of how many shadows each request may have to wait for. */
export const shadowsMax = 4

export function emptyModel(name: string): RegisteredModel {
  return { name, versions: [], changes: [], lives: [] }
}

export function liveOf({ lives, versions }: RegisteredModel): ModelVersion | null {
  return versions[(lives.at(-1) ?? 0) - 1] ?? null
}

/** What a rollback would make live. */
export function previousOf({ lives, versions }: RegisteredModel): ModelVersion | null {
  return versions[(lives.at(-2) ?? 0) - 1] ?? null
}

/** Why a change cannot be made, in words; null: it can. */
export function refusalOf(model: RegisteredModel, change: ModelChange): string | null {
  const { kind, version } = change
  if (kind === 'pushed') {
    return version === model.versions.length + 1 ? null : `the next version is ${model.versions.length + 1}`
  }
  const found = model.versions[version - 1]
  if (found === undefined) return model.versions.length === 0 ? 'it has none' : `it has 1 to ${model.versions.length}`
  if (found.stage === 'retired') return 'it is retired: push its artefact again to use it again'
  if (kind === 'rolled back') {
    const previous = previousOf(model)
    if (previous === null) return 'none was live before the one that is'
    return previous.version === version ? null : `a rollback goes to version ${previous.version}`
  }
  if (kind !== 'promoted') return null
  if (change.stage === found.stage) return `it is ${found.stage} already`
  if (found.stage === 'live') return 'it is live: promote another one, or roll back'
  const shadows = model.versions.filter(({ stage }) => stage === 'shadow').length
  return change.stage === 'shadow' && shadows >= shadowsMax ? `there are ${shadows} shadows, which is the limit` : null
}

/** The model after a change that can be made. */
export function changed(model: RegisteredModel, change: ModelChange): RegisteredModel {
  const changes = [...model.changes, change]
  const { kind, version, at, note } = change
  if (kind === 'pushed') {
    const pushed: ModelVersion = { ...change.pushed, version, stage: 'candidate', at, note }
    return { ...model, changes, versions: [...model.versions, pushed] }
  }
  const live = model.lives.at(-1)
  const isLive = kind === 'rolled back' || (kind === 'promoted' && change.stage === 'live')
  const stage: ModelStage = isLive ? 'live' : kind === 'promoted' ? change.stage : 'retired'
  const versions = model.versions.map((one) => {
    if (one.version === version) return { ...one, stage }
    return isLive && one.version === live ? { ...one, stage: 'candidate' as const } : one
  })
  return { ...model, changes, versions, lives: livesAfter(model.lives, change) }
}

function livesAfter(lives: readonly number[], change: ModelChange): readonly number[] {
  const { kind, version } = change
  switch (kind) {
    case 'promoted':
      // Once in the list: what goes live again is not what a rollback from it goes back to.
      return change.stage === 'live' ? [...lives.filter((one) => one !== version && one !== 0), version] : lives
    case 'rolled back':
      return lives.slice(0, -1)
    case 'retired':
      return livesWithout(lives, version)
    case 'pushed':
      return lives
  }
}

/** A live version that is retired leaves none live: the one before it goes live by a rollback, and not by itself. */
function livesWithout(lives: readonly number[], version: number): readonly number[] {
  return lives.at(-1) === version ? [...lives.slice(0, -1), 0] : lives.filter((one) => one !== version)
}

/** What a change did, for people. */
export function changeText(change: ModelChange): string {
  const { kind, version } = change
  if (kind === 'promoted') return `version ${version} ${change.stage}`
  return kind === 'rolled back' ? `rolled back to version ${version}` : `version ${version} ${kind}`
}
