import { MillraceError, messageOf } from '../base/faults.ts'
import type { AcceptedEvent, ErasedKey, ViewPlan } from './plan.ts'

/**
 * Header of a record whose event is about a forgotten entity, and does not say so any more: `millrace compact` put
 * pseudonyms in place of its keys. Nothing else sets it; neither HTTP nor the library takes headers from a sender.
 */
export const erasureHeader = 'millrace.forgotten'

export type Erasure = {
  readonly keys: readonly ErasedKey[]
  /** murmur2 of the event as it came: a resent one still has the same payload, or another. */
  readonly hash: number
}

const version = 1

export function encodeErasure({ keys, hash }: Erasure): Uint8Array {
  return Buffer.from(JSON.stringify({ version, keys, hash }))
}

type Headers = readonly (readonly [name: string, value: Uint8Array])[]

/** What was erased of a record; null for an event as it came. Throws `ERASURE_MALFORMED`. */
export function readErasure(headers: Headers): Erasure | null {
  for (const [name, value] of headers) if (name === erasureHeader) return parse(value)
  return null
}

function parse(value: Uint8Array): Erasure {
  let found: unknown
  try {
    found = JSON.parse(Buffer.from(value).toString())
  } catch (error) {
    throw new MillraceError('ERASURE_MALFORMED', { detail: messageOf(error) }, { cause: error })
  }
  const { version: known, keys, hash } = (found ?? {}) as Partial<Record<string, unknown>>
  if (known !== version) {
    throw new MillraceError('ERASURE_MALFORMED', { detail: `its version is ${JSON.stringify(known)}, known is 1` })
  }
  if (!Array.isArray(keys) || !keys.every(isErasedKey) || typeof hash !== 'number') {
    throw new MillraceError('ERASURE_MALFORMED', { detail: 'it lacks keys or a hash' })
  }
  return { keys, hash }
}

function isErasedKey(value: unknown): value is ErasedKey {
  const { entity, paths } = (value ?? {}) as Partial<Record<string, unknown>>
  return typeof entity === 'string' && Array.isArray(paths) && paths.every((path) => typeof path === 'string')
}

/** Whether the key that a view reads from an event is one that was erased: then the event counts as forgotten there. */
export function isErased(view: Pick<ViewPlan, 'entity' | 'keys'>, { erased }: AcceptedEvent): boolean {
  if (erased === undefined) return false
  return erased.some(({ entity, paths }) => entity === view.entity && isSame(paths, view))
}

function isSame(paths: readonly string[], { keys }: Pick<ViewPlan, 'keys'>): boolean {
  return paths.length === keys.length && keys.every(({ path }, index) => path === paths[index])
}
