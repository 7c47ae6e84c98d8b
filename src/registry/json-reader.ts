import { MillraceError } from '../base/faults.ts'
import { describe } from '../schema/decode.ts'

/** A value of a JSON document and where it stands there, such as `views[2].features[0].tree`. */
export type Place = { readonly value: unknown; readonly path: string }

/** Throws `DEFINITIONS_MALFORMED` for what stands at a place. */
export function refuse({ path }: { readonly path: string }, came: string, allowed: string): never {
  // Deep inside an expression a path is long: where it begins and where it ends is enough.
  const short = path.length > 160 ? `${path.slice(0, 80)}…${path.slice(-60)}` : path
  throw new MillraceError('DEFINITIONS_MALFORMED', { path: short === '' ? 'the top' : short, came, allowed })
}

/** The value is none of those that are allowed there. */
export function refuseValue(place: Place, allowed: string): never {
  return refuse(place, place.value === undefined ? 'nothing' : describe(place.value), allowed)
}

/**
 * The members of an object, each required unless its name ends in `?`. Own members only, whatever their names: nothing
 * is found on a prototype, and a member that nobody asks for is refused instead of dropped.
 */
export function readObject<const Names extends readonly string[]>(
  place: Place,
  names: Names,
): { readonly [Name in Names[number] as Name extends `${infer Plain}?` ? Plain : Name]: Place } {
  const { value, path } = place
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return refuseValue(place, 'an object')
  const plain = names.map((name) => name.replace(/\?$/, ''))
  for (const name of Object.keys(value)) {
    if (plain.includes(name) || (value as Record<string, unknown>)[name] === undefined) continue
    return refuse(place, `a member ${describe(name).replace('string ', '')}`, plain.join(', '))
  }
  const found = names.map((name, index): [string, Place] => {
    const key = plain[index]!
    const member = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
    const at = { value: member, path: path === '' ? key : `${path}.${key}` }
    if (member === undefined && !name.endsWith('?')) return refuseValue(at, 'a value')
    return [key, at]
  })
  return Object.fromEntries(found) as never
}

export function readList(place: Place, countMax: number): readonly Place[] {
  const { value, path } = place
  if (!Array.isArray(value)) return refuseValue(place, 'an array')
  if (value.length > countMax) return refuse(place, `${value.length} items`, `at most ${countMax}`)
  return value.map((item: unknown, index) => ({ value: item, path: `${path}[${index}]` }))
}

export function readText(place: Place): string {
  return typeof place.value === 'string' ? place.value : refuseValue(place, 'a string')
}

export function readNumber(place: Place): number {
  const { value } = place
  // Never -0: JSON does not tell it from 0.
  return typeof value === 'number' && Number.isFinite(value) ? value + 0 : refuseValue(place, 'a finite number')
}

export function orNull<T>(place: Place, read: (place: Place) => T): T | null {
  return place.value === null ? null : read(place)
}

export function readOneOf<const T extends string>(place: Place, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === place.value)
  return found ?? refuseValue(place, `one of ${allowed.join(', ')}`)
}

/** A name as the plan allows it: what may become a property of an object. */
export function readName(place: Place): string {
  const text = readText(place)
  return /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(text)
    ? text
    : refuseValue(place, 'a name: letters, digits and _, at most 128, no digit first')
}

/** A SHA-256, as hex. */
export function readHash(place: Place): string {
  const text = readText(place)
  return /^[0-9a-f]{64}$/.test(text) ? text : refuseValue(place, 'a hash of 64 hex digits')
}

/** What each item is named may be there once: two would become one. */
export function refuseTwice(places: readonly Place[], names: readonly string[]): void {
  const seen = new Set<string>()
  names.forEach((name, index) => {
    if (seen.has(name)) refuse(places[index]!, `"${name}" for the second time`, 'each name once')
    seen.add(name)
  })
}
