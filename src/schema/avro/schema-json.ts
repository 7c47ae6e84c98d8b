/** Parsed JSON of a schema: nothing of it is taken on trust. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | Member
export interface Member {
  readonly [name: string]: JsonValue
}

export function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}

/** A text that is no schema which this release reads. */
export class SchemaFault extends Error {
  override readonly name = 'SchemaFault'
}

export function schemaFault(detail: string): SchemaFault {
  return new SchemaFault(detail)
}

export function memberOf(value: Member, name: string): JsonValue {
  if (!Object.hasOwn(value, name)) throw schemaFault(`something in it has no "${name}"`)
  return value[name]!
}

export function textOf(value: Member, name: string): string {
  const text = memberOf(value, name)
  if (typeof text !== 'string' || text === '') throw schemaFault(`a "${name}" in it is no text`)
  return text
}

export function isName(value: JsonValue): value is string {
  return typeof value === 'string' && value !== ''
}
