import { MillraceError, messageOf } from '../../base/faults.ts'
import type { LogRecord } from '../../log/log.ts'
import { modelRegistryTopic } from '../../plan/topics.ts'
import { orNull, readHash, readName, readNumber, readObject, readOneOf, readText, refuseValue } from '../json-reader.ts'
import { readArtefactPlace } from './artefacts.ts'
import { descriptionMembers, type PushedModel, readDescription } from './pushed-model.ts'

/**
 * What a version is for. `candidate`: nothing yet. `shadow`: it is asked along with the live one, and its answers are
 * not served. `live`: it answers; at most one. `retired`: it is not to be used again.
 */
export type ModelStage = 'candidate' | 'shadow' | 'live' | 'retired'

/** One change of a model, as it lies in the registry. */
export type ModelChange = {
  readonly model: string
  /** Counted from 1 in each model. */
  readonly number: number
  /** The change that this one was made after; 0: none. */
  readonly previous: number
  /** When, ISO 8601. */
  readonly at: string
  readonly note: string | null
} & ModelChangeWhat

export type ModelChangeWhat =
  | { readonly kind: 'pushed'; readonly version: number; readonly pushed: PushedModel }
  /** Of `live`: what was live before is a candidate again, and what a rollback goes back to. */
  | { readonly kind: 'promoted'; readonly version: number; readonly stage: 'candidate' | 'shadow' | 'live' }
  /** `version`, which was live before, is live again. */
  | { readonly kind: 'rolled back'; readonly version: number }
  | { readonly kind: 'retired'; readonly version: number }

const recordVersion = 1

export function encodeModelChange(change: ModelChange): Uint8Array {
  return Buffer.from(JSON.stringify({ format: recordVersion, ...change }))
}

/** Throws `REGISTRY_CORRUPT` and `REGISTRY_VERSION_UNKNOWN`: what cannot be read whole is never passed over. */
export function decodeModelChange({ offset, value }: LogRecord): ModelChange {
  const place = `${modelRegistryTopic}/0@${offset}`
  try {
    const data: unknown = JSON.parse(Buffer.from(value ?? '').toString())
    // Looked at before anything else: the members of another format may be others.
    const format = data !== null && typeof data === 'object' && 'format' in data ? data.format : undefined
    if (Number.isInteger(format) && format !== recordVersion) {
      const details = { place, version: Number(format), supported: recordVersion }
      throw new MillraceError('REGISTRY_VERSION_UNKNOWN', details)
    }
    return readChange(data)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'REGISTRY_VERSION_UNKNOWN') throw error
    throw new MillraceError('REGISTRY_CORRUPT', { place, detail: messageOf(error) }, { cause: error })
  }
}

const common = ['format', 'model', 'number', 'previous', 'at', 'note', 'kind', 'version'] as const

function readChange(data: unknown): ModelChange {
  const top = { value: data, path: '' }
  const kinds = ['pushed', 'promoted', 'rolled back', 'retired'] as const
  const found = readObject(top, [...common, 'pushed?', 'stage?'])
  const kind = readOneOf(found.kind, kinds)
  if ((found.pushed.value !== undefined) !== (kind === 'pushed')) refuseValue(found.pushed, 'it where it is pushed')
  if ((found.stage.value !== undefined) !== (kind === 'promoted')) refuseValue(found.stage, 'it where it is promoted')
  if (readNumber(found.format) !== recordVersion) refuseValue(found.format, String(recordVersion))
  const [number, previous, version] = [found.number, found.previous, found.version].map((place) => {
    const count = readNumber(place)
    return Number.isSafeInteger(count) && count >= 0 ? count : refuseValue(place, 'a whole number from 0 on')
  }) as [number, number, number]
  if (number !== previous + 1) refuseValue(found.number, `${previous + 1}, one more than "previous"`)
  const at = readText(found.at)
  if (Number.isNaN(Date.parse(at))) refuseValue(found.at, 'an instant')
  const change = { model: readName(found.model), number, previous, at, note: orNull(found.note, readText), version }
  if (kind === 'promoted') return { ...change, kind, stage: readOneOf(found.stage, ['candidate', 'shadow', 'live']) }
  if (kind !== 'pushed') return { ...change, kind }
  const pushed = readObject(found.pushed, ['plan', 'artefact', ...descriptionMembers])
  const artefact = readArtefactPlace(pushed.artefact)
  return { ...change, kind, pushed: { plan: readHash(pushed.plan), artefact, ...readDescription(pushed) } }
}
