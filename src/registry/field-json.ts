import { boolean, decimal, type Field, type Fields, float, int, string, timestamp } from '../schema/field.ts'
import {
  orNull,
  type Place,
  readList,
  readName,
  readNumber,
  readObject,
  readOneOf,
  readText,
  refuseTwice,
  refuseValue,
} from './json-reader.ts'

const fieldsMax = 1_000

/** Fields of a stream, join keys, or outputs of a model. */
export type FieldJson = Pick<Field, 'kind' | 'scale' | 'unit' | 'presence' | 'path'> & { readonly name: string }

export function writeFields(fields: Fields): FieldJson[] {
  return Object.entries(fields).map(([name, { kind, scale, unit, presence, path }]) => {
    return { name, kind, scale, unit, presence, path }
  })
}

export function readFields(place: Place): Fields {
  const places = readList(place, fieldsMax)
  const fields = places.map((at): [string, Field] => {
    const found = readObject(at, ['name', 'kind', 'scale', 'unit', 'presence', 'path'])
    return [readName(found.name), readField(found)]
  })
  refuseTwice(
    places,
    fields.map(([name]) => name),
  )
  return Object.fromEntries(fields)
}

function readField(place: Record<'kind' | 'scale' | 'unit' | 'presence' | 'path', Place>): Field {
  const kind = readOneOf(place.kind, ['string', 'int', 'float', 'decimal', 'boolean', 'timestamp'])
  const scale = orNull(place.scale, readNumber)
  const unit = orNull(place.unit, (at) => readOneOf(at, ['s', 'ms', 'us']))
  if ((scale !== null) !== (kind === 'decimal')) refuseValue(place.scale, 'a number for a decimal, null for others')
  if (unit !== null && kind !== 'timestamp') refuseValue(place.unit, 'null for all but timestamps')
  const plain: Field = {
    string,
    int,
    float,
    boolean,
    decimal: () => decimal(scale ?? 0),
    timestamp: () => timestamp(unit ?? undefined),
  }[kind]()
  const presence = readOneOf(place.presence, ['required', 'nullable', 'optional'])
  const field = presence === 'required' ? plain : presence === 'nullable' ? plain.nullable() : plain.optional()
  const path = orNull(place.path, readText)
  return path === null ? field : field.at(path)
}
