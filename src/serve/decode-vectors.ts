import { ByteReader, MalformedBytes } from '../base/bytes.ts'
import { MillraceError } from '../base/faults.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { FeatureStatus } from '../plan/finish-view.ts'
import { isList, isPacked, isTextList, statusCodes, vectorsMagic } from './vector-format.ts'

/** Vectors of some entities, as `POST /v1/features` answers them in JSON, and the type of each feature by name. */
export type DecodedVectors = {
  readonly service: string | null
  /** The instant of all rows; `'latest'` when each row has its own. */
  readonly asOf: number | 'latest'
  /** In the order of the values of every row. */
  readonly features: readonly string[]
  /** As an author reads them: `int`, `decimal(2)`, `list of string`. */
  readonly types: readonly string[]
  readonly rows: readonly DecodedRow[]
  /** What the values have seen: stream → next offset per partition. */
  readonly prefix: Readonly<Record<string, readonly number[]>>
}

export type DecodedRow = {
  readonly asOf: number
  readonly values: readonly FeatureValue[]
  readonly status?: readonly FeatureStatus[]
  readonly ageMs?: readonly (number | null)[]
}

type Header = {
  readonly service: string | null
  readonly features: readonly string[]
  /** The types that there are, and which of them each feature is of. */
  readonly types: readonly string[]
  readonly typeOf: readonly number[]
  readonly viewOf: readonly number[]
  readonly rows: number
  readonly asOf: number | 'latest'
  readonly full: boolean
  readonly prefix: DecodedVectors['prefix']
}

/**
 * Reads the binary answer of `POST /v1/features` (docs/VECTORS.md). Takes no value on trust that could make it read
 * beyond the bytes. Throws `VECTORS_UNREADABLE`.
 */
export function decodeVectors(bytes: Uint8Array): DecodedVectors {
  try {
    const { header, end } = readHeader(bytes)
    const { service, asOf, features, prefix } = header
    const shape = shapeOf(header)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const rows: DecodedRow[] = []
    let at = end
    while (rows.length < header.rows) {
      const next = readRow(view, at, shape)
      rows.push(next.row)
      at = next.end
    }
    if (at !== bytes.length) throw unreadable(`${bytes.length - at} bytes are left over`)
    return { service, asOf, features, types: shape.types, rows, prefix }
  } catch (error) {
    if (error instanceof MalformedBytes) throw unreadable(error.message, error)
    throw error
  }
}

function readHeader(bytes: Uint8Array): { header: Header; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [version] = vectorsMagic.slice(-1)
  if (bytes.length < 8 || vectorsMagic.some((byte, index) => index < 3 && bytes[index] !== byte)) {
    throw unreadable('they do not begin with MRV')
  }
  if (bytes[3] !== version) throw unreadable(`they are of version ${bytes[3]}, and this reads version ${version}`)
  const end = 8 + view.getUint32(4, true)
  if (end > bytes.length || end % 8 !== 0) throw unreadable(`their header ends at byte ${end} of ${bytes.length}`)
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, end)))
  } catch (error) {
    throw unreadable('their header is no JSON', error)
  }
  if (!isHeader(header)) throw unreadable('their header says something else than version 1 does')
  // Each row has at least its instant.
  if (!(header.rows * 8 <= bytes.length - end)) throw unreadable(`${header.rows} rows do not fit into what is there`)
  return { header, end }
}

function isHeader(value: unknown): value is Header {
  if (!isObject(value)) return false
  const { service, features, types, typeOf, viewOf, rows, asOf, full, prefix } = value
  const isTexts = (list: unknown): list is readonly string[] =>
    Array.isArray(list) && list.every((one) => typeof one === 'string')
  if (!isTexts(features) || !isTexts(types) || !isObject(prefix)) return false
  const isIndexes = (list: unknown, below: number): boolean =>
    Array.isArray(list) && list.length === features.length && list.every((one) => isCount(one) && one < below)
  return (
    (service === null || typeof service === 'string') &&
    isIndexes(typeOf, types.length) &&
    isIndexes(viewOf, features.length) &&
    isCount(rows) &&
    (asOf === 'latest' || typeof asOf === 'number') &&
    typeof full === 'boolean' &&
    Object.values(prefix).every((offsets) => Array.isArray(offsets) && offsets.every(isCount))
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

type RowShape = Pick<Header, 'types' | 'full'> & {
  readonly viewOf: readonly number[]
  readonly viewCount: number
  /** Indexes of the values that are no doubles, and of those that are. */
  readonly packed: readonly number[]
  readonly doubles: readonly number[]
}

function shapeOf({ types: names, typeOf, viewOf, full }: Header): RowShape {
  const types = typeOf.map((index) => names[index]!)
  const all = types.map((_, index) => index)
  return {
    types,
    viewOf,
    full,
    viewCount: Math.max(-1, ...viewOf) + 1,
    packed: all.filter((index) => isPacked(types[index]!)),
    doubles: all.filter((index) => !isPacked(types[index]!)),
  }
}

/** Reads one row that begins at `start`; gives where the next one does. */
function readRow(bytes: DataView, start: number, shape: RowShape): { row: DecodedRow; end: number } {
  const { types, viewOf, full, viewCount, packed, doubles } = shape
  const fixed = 8 * (1 + (full ? viewCount : 0) + doubles.length) + (full ? types.length : 0)
  if (start + fixed > bytes.byteLength) throw unreadable('a row is cut off')
  let at = start + 8
  const ages: (number | null)[] = []
  for (let view = 0; full && view < viewCount; view++, at += 8) ages.push(orNull(bytes.getFloat64(at, true)))
  const values = new Array<FeatureValue>(types.length)
  for (const index of doubles) {
    const value = orNull(bytes.getFloat64(at, true))
    values[index] = value !== null && types[index] === 'boolean' ? value === 1 : value
    at += 8
  }
  const status: FeatureStatus[] = []
  for (let index = 0; full && index < types.length; index++, at++) status.push(statusOf(bytes.getUint8(at)))
  const reader = new ByteReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), at)
  for (const index of packed) values[index] = readPacked(reader, types[index]!)
  while ((reader.position - start) % 8 !== 0) {
    if (reader.u8() !== 0) throw unreadable('a row is not filled up with zeros')
  }
  const asOf = bytes.getFloat64(start, true)
  const row = full ? { asOf, values, status, ageMs: viewOf.map((view) => ages[view]!) } : { asOf, values }
  return { row, end: reader.position }
}

function readPacked(reader: ByteReader, type: string): FeatureValue {
  const mark = reader.u8()
  if (mark === 0) return null
  if (mark !== 1) throw unreadable(`a value is marked ${mark}`)
  if (!isList(type)) return reader.string()
  const elements: FeatureValue[] = []
  for (let left = reader.varint(); left > 0; left--) elements.push(readElement(reader, type))
  return elements
}

function readElement(reader: ByteReader, type: string): FeatureValue {
  if (isTextList(type)) return readPacked(reader, 'string')
  const value = orNull(reader.f64())
  return type === 'list of boolean' && value !== null ? value === 1 : value
}

function statusOf(code: number): FeatureStatus {
  const status = statusCodes[code]
  if (status === undefined) throw unreadable(`there is no status ${code}`)
  return status
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}

function unreadable(detail: string, cause?: unknown): MillraceError {
  return new MillraceError('VECTORS_UNREADABLE', { detail }, cause === undefined ? {} : { cause })
}
