import { unscaledNumber } from './avro/unscaled.ts'
import type { ChangeReading } from './change-event.ts'
import {
  type Decoded,
  type EventDecoder,
  isObject,
  type JsonObject,
  makeFieldReader,
  parseObject,
  type Refusal,
} from './decode.ts'
import { formatInstant, instantMsEnd } from './instant.ts'

/**
 * Decodes change events in JSON, with their schema (`{ schema, payload }`) or without. Only the schema says what a
 * number or a text of a column stands for: without it, decimals in text are what `decimals` says, or refused.
 */
export function makeChangeDecoder(reading: ChangeReading, decimals: 'text' | 'base64' | null): EventDecoder {
  const readers = reading.targets.map(({ path, field }, index) => ({
    path,
    field,
    read: makeFieldReader(`target${index}`, field.at(path)),
  }))
  return (raw): Decoded => {
    const parsed = parseObject(raw)
    if ('refusals' in parsed) return parsed
    const unwrapped = unwrap(parsed.object)
    if ('refusals' in unwrapped) return unwrapped
    const { event, hasSchema } = unwrapped
    const refusals: (Refusal | null)[] = []
    const values = readers.map(({ path, field, read }) => {
      const found: Refusal[] = []
      if (!hasSchema && field.kind === 'decimal')
        prepareDecimal(event, path, { decimals, scale: field.scale ?? 0 }, found)
      const value = found.length > 0 ? null : read(event, found)
      refusals.push(found[0] ?? null)
      return value
    })
    return reading.finish({ values, refusal: (target) => refusals[target] ?? null })
  }
}

type Unwrapped = { readonly event: JsonObject; readonly hasSchema: boolean } | { readonly refusals: readonly Refusal[] }

/** An event of its own to be changed. */
function unwrap(object: JsonObject): Unwrapped {
  if (!Object.hasOwn(object, 'payload') || !Object.hasOwn(object, 'schema') || Object.hasOwn(object, 'op')) {
    return { event: object, hasSchema: false }
  }
  const { schema, payload } = object
  if (!isObject(payload)) {
    return { refusals: [{ code: 'SHAPE', path: 'payload', came: 'no object', allowed: 'a change event' }] }
  }
  if (!isObject(schema)) return { event: payload, hasSchema: false }
  for (const { field, fields } of membersOf(schema)) {
    const row = payload[String(field)]
    if ((field === 'before' || field === 'after') && isObject(row)) readColumns(row, fields)
  }
  return { event: payload, hasSchema: true }
}

function membersOf({ fields }: JsonObject): JsonObject[] {
  return Array.isArray(fields) ? fields.filter(isObject) : []
}

/** Columns in the forms that fields take: decimals as text, instants as ISO 8601. */
function readColumns(row: JsonObject, columns: unknown): void {
  for (const column of membersOf({ fields: columns })) {
    const name = String(column['field'])
    if (!Object.hasOwn(row, name)) continue
    const value = valueOf(row[name], column)
    if (value !== undefined) (row as Record<string, unknown>)[name] = value
  }
}

/** Undefined: it stays as it is. */
function valueOf(value: unknown, { name, parameters }: JsonObject): unknown {
  switch (name) {
    case 'org.apache.kafka.connect.data.Decimal':
      return decimalText(value, isObject(parameters) ? Number(parameters['scale']) : Number.NaN)
    case 'io.debezium.data.VariableScaleDecimal':
      return isObject(value) ? decimalText(value['value'], Number(value['scale'])) : undefined
    case 'io.debezium.time.Date':
    case 'org.apache.kafka.connect.data.Date':
      return instantText(value, 86_400_000)
    case 'io.debezium.time.Timestamp':
    case 'org.apache.kafka.connect.data.Timestamp':
      return instantText(value, 1)
    case 'io.debezium.time.MicroTimestamp':
      return instantText(value, 1 / 1_000)
    case 'io.debezium.time.NanoTimestamp':
      return instantText(value, 1 / 1_000_000)
    default:
      return undefined
  }
}

function instantText(value: unknown, msPerUnit: number): unknown {
  if (typeof value !== 'number') return undefined
  // Divided where the unit is finer: a product with a fraction would be rounded twice.
  const ms = Math.floor(msPerUnit >= 1 ? value * msPerUnit : value / Math.round(1 / msPerUnit))
  return ms >= 0 && ms < instantMsEnd ? formatInstant(ms) : `${value} of unit ${msPerUnit} ms`
}

/** Digits of two's complement in base64, highest byte first. */
function decimalText(value: unknown, scale: number): unknown {
  if (typeof value !== 'string' || !isBase64(value) || !Number.isInteger(scale)) return undefined
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length === 0 || bytes.length > 64 || Math.abs(scale) > 100) return `${value} (base64)`
  let digits = 0n
  for (const byte of bytes) digits = (digits << 8n) | BigInt(byte)
  digits = BigInt.asIntN(bytes.length * 8, digits)
  if (scale <= 0) return String(digits * 10n ** BigInt(-scale))
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0')
  return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)
}

type Reading = { readonly decimals: 'text' | 'base64' | null; readonly scale: number }

/** Without a schema: `1234` may be a decimal as text, or three bytes of one in base64. */
function prepareDecimal(event: JsonObject, path: string, { decimals, scale }: Reading, found: Refusal[]): void {
  const steps = path.split('.')
  const last = steps.pop()!
  let holder: unknown = event
  for (const step of steps) holder = isObject(holder) && Object.hasOwn(holder, step) ? holder[step] : null
  if (!isObject(holder) || !Object.hasOwn(holder, last)) return
  const value = holder[last]
  if (typeof value !== 'string' || decimals === 'text') return
  const refuse = (code: 'TYPE' | 'RANGE' | 'SCALE', came: string): void => {
    const allowed = 'a number; for decimals in text declare debezium({ decimals })'
    found.push({ code, path, came, allowed })
  }
  if (decimals === null) return refuse('TYPE', 'text that may be digits or base64')
  if (!isBase64(value) || value === '') return refuse('TYPE', 'text that is not base64')
  const number = unscaledNumber(Buffer.from(value, 'base64'), scale, scale)
  if (typeof number !== 'number') return refuse(number, 'a decimal with more digits')
  ;(holder as Record<string, unknown>)[last] = decimalText(value, scale)
}
