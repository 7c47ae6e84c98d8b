import { isUtf8 } from 'node:buffer'
import { type Field, type Fields, pathOf } from './field.ts'
import { parseInstant } from './instant.ts'

/** A decoded event: one value per declared field, in declared order. See `Field` for what each kind holds. */
export type Row = readonly RowValue[]
export type RowValue = string | number | boolean | null

/** Why a raw event was refused: one fault per path. The codes are listed in docs/ERRORS.md. */
export type Refusal = {
  readonly code: RefusalCode
  /** Dotted path inside the raw event; empty for the whole of it. */
  readonly path: string
  readonly came: string
  readonly allowed: string
}

/** Every reason for a refusal. A code is never renamed and never reused. */
export const refusalCodes = {
  SIZE: 'It is larger than the limit: the event as a whole, or text in an id or a key.',
  ENCODING: 'The bytes are not UTF-8.',
  JSON: 'The text is not JSON.',
  DEPTH: 'Objects and arrays are nested too deeply.',
  SHAPE: 'It is no JSON object, or the record has no value.',
  MISSING: 'A field that has to be there is not.',
  NULL: 'A required field is null.',
  TYPE: 'A value, or what a path leads through, has another type than the field declares.',
  RANGE: 'A number is outside what the field holds.',
  SCALE: 'A decimal has more digits after the point than declared.',
  TIME: 'It is no instant in [1970, 2100), or text without a zone.',
  FUTURE: 'The event is further ahead of its record than the stream allows.',
  AVRO: "The bytes are not what their writer's Avro schema says.",
  SCHEMA: 'The registry does not know the schema that the bytes name, or it is none that can be read.',
} as const

export type RefusalCode = keyof typeof refusalCodes

export type Decoded = { readonly row: Row } | { readonly refusals: readonly Refusal[] }

export type EventDecoder = (raw: Uint8Array) => Decoded

export const eventBytesMax = 1024 * 1024
export const eventDepthMax = 64
/** The largest magnitude of a float: exact sums of any number of such values cannot overflow on the way. */
export const floatMagnitudeMax = 2 ** 960

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Compiles the declared fields into a decoder of JSON events. Reports every fault of an event, not the first. */
export function makeEventDecoder(fields: Fields): EventDecoder {
  const readers = Object.entries(fields).map(([name, field]) => makeFieldReader(name, field))
  return (raw) => {
    const parsed = parseObject(raw)
    if ('refusals' in parsed) return parsed
    const refusals: Refusal[] = []
    const row = readers.map((read) => read(parsed.object, refusals))
    return refusals.length === 0 ? { row } : { refusals }
  }
}

export type JsonObject = { readonly [name: string]: unknown }

/** One JSON object of bounded size and depth. */
export function parseObject(raw: Uint8Array): { object: JsonObject } | { refusals: readonly Refusal[] } {
  const refuse = (code: RefusalCode, came: string, allowed: string) => ({
    refusals: [{ code, path: '', came, allowed }],
  })
  if (raw.length > eventBytesMax) {
    return refuse('SIZE', `${raw.length} bytes`, `at most ${eventBytesMax} bytes`)
  }
  if (!isUtf8(raw)) return refuse('ENCODING', 'bytes that are not UTF-8', 'UTF-8 text')
  if (isDeeperThan(raw, eventDepthMax)) {
    return refuse('DEPTH', `nesting deeper than ${eventDepthMax}`, `at most ${eventDepthMax} levels`)
  }
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(raw))
  } catch (error) {
    return refuse('JSON', `text that is not JSON (${(error as Error).message})`, 'one JSON object')
  }
  if (!isObject(value)) return refuse('SHAPE', describe(value), 'a JSON object')
  return { object: value }
}

/** Counts brackets outside of strings. Runs before the parser, so that nesting costs nothing but this scan. */
export function isDeeperThan(raw: Uint8Array, limit: number): boolean {
  let depth = 0
  let inString = false
  for (let index = 0; index < raw.length; index++) {
    const byte = raw[index]!
    if (inString) {
      if (byte === 0x5c) index += 1
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1
      if (depth > limit) return true
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1
  }
  return false
}

/** Reads a field out of an event, and adds to what it is refused for. */
export type FieldReader = (event: JsonObject, refusals: Refusal[]) => RowValue

export function makeFieldReader(name: string, field: Field): FieldReader {
  const path = pathOf(name, field)
  const steps = path.split('.')
  const parse = makeValueParser(field)
  return (event, refusals) => {
    const refuse = (code: RefusalCode, at: string, came: string, allowed: string): null => {
      refusals.push({ code, path: at, came, allowed })
      return null
    }
    let value: unknown = event
    for (let index = 0; index < steps.length; index++) {
      const step = steps[index]!
      if (!isObject(value)) {
        if (value === null && field.presence !== 'required') return null
        return refuse('TYPE', steps.slice(0, index).join('.'), describe(value), 'an object')
      }
      // Own properties only: `constructor` or `__proto__` is a field like any other, never the prototype's.
      if (!Object.hasOwn(value, step)) {
        if (field.presence === 'optional') return null
        return refuse('MISSING', path, 'nothing', nameOfAllowed(field))
      }
      value = value[step]
    }
    if (value === null) {
      return field.presence === 'required' ? refuse('NULL', path, 'null', nameOfAllowed(field)) : null
    }
    const parsed = parse(value)
    if (typeof parsed === 'object') return refuse(parsed.code, path, describe(value), nameOfAllowed(field))
    return parsed
  }
}

type Refused = { readonly code: RefusalCode }
type ValueParser = (value: unknown) => string | number | boolean | Refused

const wrongType: Refused = { code: 'TYPE' }
const outOfRange: Refused = { code: 'RANGE' }
const tooFine: Refused = { code: 'SCALE' }
const noInstant: Refused = { code: 'TIME' }

/** Turns a value other than null into the field's own, or says why not. Shared by JSON events, files and requests. */
export function makeValueParser(field: Field): ValueParser {
  switch (field.kind) {
    case 'string':
      return (value) => (typeof value === 'string' ? value : wrongType)
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? value : wrongType)
    case 'int':
      return (value) => {
        if (typeof value !== 'number') return wrongType
        return Number.isSafeInteger(value) ? value + 0 : outOfRange
      }
    case 'float':
      return (value) => {
        if (typeof value !== 'number') return wrongType
        return Math.abs(value) <= floatMagnitudeMax ? value + 0 : outOfRange
      }
    case 'decimal':
      return makeDecimalParser(field.scale ?? 0)
    case 'timestamp':
      return (value) => {
        if (typeof value !== 'string' && (typeof value !== 'number' || field.unit === null)) return wrongType
        return parseInstant(value, field.unit ?? 'ms') ?? noInstant
      }
  }
}

/** Largest scaled integer of a decimal that is given as a JSON number. */
const decimalNumberMax = 1e15

const decimalText = /^([+-]?\d+)(?:\.(\d+))?$/

/** A number or a text with at most `scale` digits after the point, to its scaled integer. */
function makeDecimalParser(scale: number): ValueParser {
  const factor = 10 ** scale
  return (value) => {
    if (typeof value === 'string') return scaledOfText(value, scale)
    if (typeof value !== 'number') return wrongType
    const scaled = Math.round(value * factor)
    // A double tells decimals of fifteen digits apart. Beyond that two amounts may be one number: only text is exact.
    if (Math.abs(scaled) > decimalNumberMax) return outOfRange
    // The nearest number to a decimal of this scale is scaled / factor, correctly rounded; anything else has more digits.
    return scaled / factor === value ? scaled + 0 : tooFine
  }
}

/** By its digits: near 2^53 units, two neighbouring decimals are nearest to one and the same number. */
function scaledOfText(text: string, scale: number): number | Refused {
  const match = decimalText.exec(text)
  if (match === null) return wrongType
  const fraction = (match[2] ?? '').replace(/0+$/, '')
  if (fraction.length > scale) return tooFine
  const scaled = Number(match[1]! + fraction.padEnd(scale, '0'))
  return Number.isSafeInteger(scaled) ? scaled + 0 : outOfRange
}

export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** What came, short enough for a message, and never the whole of it. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  const text =
    typeof value === 'string' ? JSON.stringify(value) : String(value as number | boolean | bigint | undefined)
  return `${typeof value} ${text.length > 40 ? `${text.slice(0, 40)}…` : text}`
}

export function nameOfAllowed(field: Field): string {
  switch (field.kind) {
    case 'string':
      return 'a string'
    case 'boolean':
      return 'true or false'
    case 'int':
      return 'a whole number within ±(2^53 − 1)'
    case 'float':
      return 'a finite number within ±2^960'
    case 'decimal':
      return `a number with at most ${field.scale} digits after the point`
    case 'timestamp':
      return `an instant in [1970, 2100): ISO 8601 with a zone${field.unit === null ? '' : `, or a number in ${field.unit}`}`
  }
}
