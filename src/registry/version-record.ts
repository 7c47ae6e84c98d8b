import { MillraceError, messageOf } from '../base/faults.ts'
import type { LogRecord } from '../log/log.ts'
import { registryTopic } from '../plan/topics.ts'
import { type DefinitionsJson, definitionsFromJson } from './definitions-json.ts'
import { orNull, readHash, readNumber, readObject, readOneOf, readText, refuseValue } from './json-reader.ts'

/** Definitions that were applied, as they lie in the registry. */
export type Version = {
  /** Counted from 1; one more than that of the version before it. */
  readonly number: number
  /** The version that this one was planned against; 0: there was none. */
  readonly previous: number
  /** A rollback applies the definitions of an older version anew. */
  readonly kind: 'apply' | 'rollback'
  /** Hash of the plan, as the release that applied it had it. */
  readonly plan: string
  readonly definitions: DefinitionsJson
  /** When, ISO 8601. */
  readonly at: string
  /** Why, in the words of whoever applied it. */
  readonly note: string | null
}

const recordVersion = 1

export const noteLengthMax = 1_000

export function encodeVersion(version: Version): Uint8Array {
  return Buffer.from(JSON.stringify({ version: recordVersion, ...version }))
}

/** Throws `REGISTRY_CORRUPT` and `REGISTRY_VERSION_UNKNOWN`: what cannot be read whole is never passed over. */
export function decodeVersion({ offset, value }: LogRecord): Version {
  const place = `${registryTopic}/0@${offset}`
  try {
    const data: unknown = JSON.parse(Buffer.from(value ?? '').toString())
    const version = versionOf(data)
    if (Number.isInteger(version) && version !== recordVersion) {
      throw new MillraceError('REGISTRY_VERSION_UNKNOWN', { place, version, supported: recordVersion })
    }
    return readVersion(data)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'REGISTRY_VERSION_UNKNOWN') throw error
    throw new MillraceError('REGISTRY_CORRUPT', { place, detail: messageOf(error) }, { cause: error })
  }
}

/** Looked at before anything else: the members of another version may be others. */
function versionOf(data: unknown): number {
  const version = data !== null && typeof data === 'object' && 'version' in data ? data.version : undefined
  return typeof version === 'number' ? version : Number.NaN
}

function readVersion(data: unknown): Version {
  const members = ['version', 'number', 'previous', 'kind', 'plan', 'definitions', 'at', 'note'] as const
  const found = readObject({ value: data, path: '' }, members)
  const number = readNumber(found.number)
  const previous = readNumber(found.previous)
  if (readNumber(found.version) !== recordVersion) refuseValue(found.version, String(recordVersion))
  if (!Number.isSafeInteger(previous) || previous < 0) refuseValue(found.previous, 'the number of a version, or 0')
  if (number !== previous + 1) refuseValue(found.number, `${previous + 1}, one more than "previous"`)
  const plan = readHash(found.plan)
  const at = readText(found.at)
  if (Number.isNaN(Date.parse(at))) refuseValue(found.at, 'an instant')
  definitionsFromJson(found.definitions.value)
  return {
    number,
    previous,
    kind: readOneOf(found.kind, ['apply', 'rollback']),
    plan,
    definitions: found.definitions.value as DefinitionsJson,
    at,
    note: orNull(found.note, readText),
  }
}
