import { isUtf8 } from 'node:buffer'
import { MillraceError, messageOf } from '../base/faults.ts'
import { isLosslessObject, parseLossless } from '../base/lossless-json.ts'
import { describe, eventDepthMax, isDeeperThan } from '../schema/decode.ts'

/** Dotted path → its new value, as `parseLossless` gives it. */
export type NewValues = Readonly<Record<string, unknown>>

/**
 * A raw event with some values replaced or added; all others stay what they are, to the digit. Throws
 * `REQUEST_MALFORMED` for raw bytes that are no JSON object, which have to be replaced as a whole.
 */
export function withValues(raw: Uint8Array | null, values: NewValues): Uint8Array {
  const event = parseRaw(raw)
  for (const [path, value] of Object.entries(values)) setAt(event, path, value)
  return Buffer.from(JSON.stringify(event))
}

function parseRaw(raw: Uint8Array | null): Record<string, unknown> {
  const refuse = (came: string): never => {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `single values cannot be set in ${came}`,
      allowed: 'Give the whole event instead.',
    })
  }
  if (raw === null) return refuse('a record without a value')
  if (!isUtf8(raw)) return refuse('bytes that are not UTF-8')
  if (isDeeperThan(raw, eventDepthMax)) return refuse(`text that is nested deeper than ${eventDepthMax}`)
  let event: unknown
  try {
    event = parseLossless(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString())
  } catch (error) {
    return refuse(`text that is not JSON (${messageOf(error)})`)
  }
  return isLosslessObject(event) ? event : refuse(describe(event))
}

function setAt(event: Record<string, unknown>, path: string, value: unknown): void {
  const steps = path.split('.')
  let object = event
  for (const [index, step] of steps.slice(0, -1).entries()) {
    const inner = Object.hasOwn(object, step) ? object[step] : {}
    if (!isLosslessObject(inner)) {
      throw new MillraceError('REQUEST_MALFORMED', {
        detail: `"${steps.slice(0, index + 1).join('.')}" of the event is no object, so "${path}" cannot be set`,
        allowed: 'Give a path through objects, or set the object as a whole.',
      })
    }
    own(object, step, inner)
    object = inner
  }
  own(object, steps.at(-1)!, value)
}

/** Defined, not assigned: `__proto__` is a name like any other. */
function own(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true })
}
