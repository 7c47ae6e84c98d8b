import { isUtf8 } from 'node:buffer'
import { MillraceError } from '../../base/faults.ts'
import { nearest } from '../../base/nearest.ts'
import { describe } from '../../schema/decode.ts'

// What the bodies of requests have in common: an object with known members, of which nothing is taken on trust.

export type JsonObject = Readonly<Record<string, unknown>>

/** @param example of what should have been sent. Throws `REQUEST_MALFORMED`. */
export function parseObject(
  body: Uint8Array,
  example: string,
  parse: (text: string) => unknown = JSON.parse,
): JsonObject {
  const allowed = `Send a JSON object such as ${example}.`
  if (!isUtf8(body)) throw malformed('the body is not UTF-8', allowed)
  let value: unknown
  try {
    value = parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
  } catch (error) {
    throw malformed(`the body is not JSON (${(error as Error).message})`, allowed)
  }
  if (!isObject(value)) throw malformed(`the body is ${describe(value)}`, allowed)
  return value
}

export function checkMembers(object: JsonObject, allowed: readonly string[], where: string): void {
  const unknown = Object.keys(object).find((name) => !allowed.includes(name))
  if (unknown === undefined) return
  const close = nearest(unknown, allowed) ?? ''
  const detail = `${where} has a member ${describe(unknown).replace('string ', '')}`
  throw malformed(detail, `Members are ${allowed.join(', ')}. The nearest is "${close}".`)
}

export function checkCount(size: number, unit: string, limit: number): void {
  if (size > limit) throw new MillraceError('REQUEST_TOO_LARGE', { size, unit, limit })
}

/** Own members only: a body that says nothing of `full` must not find it on a prototype. */
export function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

export function came(value: unknown): string {
  return value === undefined ? 'missing' : describe(value)
}

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

export function malformed(detail: string, allowed: string): MillraceError {
  return new MillraceError('REQUEST_MALFORMED', { detail, allowed })
}
