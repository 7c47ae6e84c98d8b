import { isList, isName, type JsonValue, type Member, memberOf, schemaFault, textOf } from './schema-json.ts'

/** A type of an Avro schema, as its writer wrote with it. Records and enums by reference: schemas may be recursive. */
export type AvroType =
  | {
      readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'
      readonly logical: Logical
    }
  | { readonly kind: 'fixed'; readonly size: number; readonly logical: Logical }
  | { readonly kind: 'enum'; readonly symbols: readonly Uint8Array[] }
  | { readonly kind: 'array' | 'map'; readonly items: AvroType }
  | { readonly kind: 'union'; readonly branches: readonly AvroType[] }
  | AvroRecord

export type AvroRecord = { readonly kind: 'record'; readonly name: string; readonly fields: readonly AvroField[] }

export type AvroField = { readonly name: string; readonly aliases: readonly string[]; readonly type: AvroType }

/** What a type stands for beyond its bytes; null: nothing that a field takes otherwise. */
export type Logical =
  | { readonly name: 'decimal' | 'variable-decimal'; readonly scale: number }
  | { readonly name: 'date' | 'timestamp-millis' | 'timestamp-micros' | 'timestamp-nanos' | 'local' | 'uuid' }
  | null

/** Schemas are bounded, whoever wrote them: in characters, in nesting, and in types. */
export const schemaBytesMax = 1024 * 1024
const nestingMax = 64
const typesMax = 10_000
const fixedBytesMax = 1024 * 1024

type Reading = { readonly named: Map<string, AvroType>; types: number }

/**
 * Reads a schema's JSON text. `references` are the texts of schemas whose named types it uses, each after those that it
 * uses itself. Throws `SchemaFault` for what is no Avro schema.
 */
export function parseAvroSchema(text: string, references: readonly string[] = []): AvroType {
  const reading: Reading = { named: new Map(), types: 0 }
  for (const reference of references) readText(reference, reading)
  return readText(text, reading)
}

function readText(text: string, reading: Reading): AvroType {
  if (text.length > schemaBytesMax) throw schemaFault(`it has ${text.length} characters, more than ${schemaBytesMax}`)
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    // A name alone is what some registries give for a primitive type.
    value = text.trim()
  }
  return readType(value, { reading, namespace: '', depth: 0 })
}

type Context = { readonly reading: Reading; readonly namespace: string; readonly depth: number }

const primitives = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const

function readType(value: JsonValue, context: Context): AvroType {
  const { reading, depth } = context
  if (depth > nestingMax) throw schemaFault(`it is nested deeper than ${nestingMax}`)
  if (++reading.types > typesMax) throw schemaFault(`it has more than ${typesMax} types`)
  const inner = { ...context, depth: depth + 1 }
  if (typeof value === 'string') return readName(value, null, inner)
  if (isList(value)) return readUnion(value, inner)
  if (value === null || typeof value !== 'object') throw schemaFault('a type is neither a name, an object nor a union')
  const { type } = value
  switch (type) {
    case 'record':
    case 'error':
      return readRecord(value, inner)
    case 'enum':
      return define(value, inner, () => ({ kind: 'enum', symbols: symbolsOf(value) }))
    case 'fixed':
      return define(value, inner, () => ({ kind: 'fixed', size: sizeOf(value), logical: logicalOf('fixed', value) }))
    case 'array':
      return { kind: 'array', items: readType(memberOf(value, 'items'), inner) }
    case 'map':
      return { kind: 'map', items: readType(memberOf(value, 'values'), inner) }
    default:
      // `{ "type": "long", "logicalType": … }`, and types in types.
      return typeof type === 'string' ? readName(type, value, inner) : readType(memberOf(value, 'type'), inner)
  }
}

function readName(name: string, holder: Member | null, { reading, namespace }: Context): AvroType {
  const primitive = primitives.find((one) => one === name)
  if (primitive !== undefined)
    return { kind: primitive, logical: holder === null ? null : logicalOf(primitive, holder) }
  const found = reading.named.get(fullName(name, namespace)) ?? reading.named.get(name)
  if (found === undefined) throw schemaFault(`it uses a type "${name.slice(0, 100)}" that it does not define`)
  return found
}

function readUnion(branches: readonly JsonValue[], context: Context): AvroType {
  if (branches.length === 0) throw schemaFault('a union has no branch')
  const types = branches.map((branch) => readType(branch, context))
  if (types.some(({ kind }) => kind === 'union')) throw schemaFault('a union is directly in another one')
  return { kind: 'union', branches: types }
}

/** Named before its fields are read: they may refer to it. */
function readRecord(value: Member, context: Context): AvroType {
  const fields: AvroField[] = []
  const name = fullName(textOf(value, 'name'), namespaceOf(value, context.namespace))
  // Of a change event's decimal whose scale travels with the value.
  const variable = value['connect.name'] === 'io.debezium.data.VariableScaleDecimal'
  return define(
    value,
    context,
    () => ({ kind: 'record', name: variable ? variableDecimal : name, fields }),
    (inner) => {
      const listed = memberOf(value, 'fields')
      if (!isList(listed)) throw schemaFault(`record ${name} has no list of fields`)
      for (const one of listed) {
        if (one === null || typeof one !== 'object' || isList(one)) throw schemaFault(`a field of ${name} is no object`)
        const field = {
          name: textOf(one, 'name'),
          aliases: aliasesOf(one),
          type: readType(memberOf(one, 'type'), inner),
        }
        if (fields.some((other) => other.name === field.name))
          throw schemaFault(`${name} has field "${field.name}" twice`)
        fields.push(field)
      }
    },
  )
}

/** The name of a record that stands for a number. */
export const variableDecimal = 'io.debezium.data.VariableScaleDecimal'

function define(
  value: Member,
  context: Context,
  make: () => AvroType,
  fill: (inner: Context) => void = () => undefined,
): AvroType {
  const namespace = namespaceOf(value, context.namespace)
  const name = fullName(textOf(value, 'name'), namespace)
  if (context.reading.named.has(name)) throw schemaFault(`it defines "${name}" twice`)
  const type = make()
  context.reading.named.set(name, type)
  fill({ ...context, namespace })
  return type
}

function namespaceOf(value: Member, outer: string): string {
  const name = textOf(value, 'name')
  if (name.includes('.')) return name.slice(0, name.lastIndexOf('.'))
  return typeof value['namespace'] === 'string' ? value['namespace'] : outer
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`
}

function aliasesOf({ aliases }: Member): readonly string[] {
  if (aliases === undefined) return []
  if (!isList(aliases)) throw schemaFault('aliases are no list')
  return aliases.filter((one) => typeof one === 'string')
}

function symbolsOf(value: Member): readonly Uint8Array[] {
  const symbols = memberOf(value, 'symbols')
  if (!isList(symbols) || !symbols.every(isName)) throw schemaFault('an enum has no list of names as symbols')
  return symbols.map((symbol) => Buffer.from(symbol))
}

function sizeOf({ size }: Member): number {
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > fixedBytesMax) {
    throw schemaFault(`a fixed has no size from 0 to ${fixedBytesMax}`)
  }
  return size
}

/** By Avro's own attribute, or by the name that Kafka Connect and Debezium give it. An unknown one is left out, as Avro says. */
function logicalOf(kind: (typeof primitives)[number] | 'fixed', value: Member): Logical {
  const { logicalType } = value
  const name = logicalType ?? value['connect.name']
  const known = `${kind} ${typeof name === 'string' ? name : ''}`
  switch (known) {
    case 'bytes decimal':
    case 'fixed decimal':
      return { name: 'decimal', scale: scaleOf(value) }
    case 'int date':
    case 'int io.debezium.time.Date':
    case 'int org.apache.kafka.connect.data.Date':
      return { name: 'date' }
    case 'long timestamp-millis':
    case 'long io.debezium.time.Timestamp':
    case 'long org.apache.kafka.connect.data.Timestamp':
      return { name: 'timestamp-millis' }
    case 'long timestamp-micros':
    case 'long io.debezium.time.MicroTimestamp':
      return { name: 'timestamp-micros' }
    case 'long timestamp-nanos':
    case 'long io.debezium.time.NanoTimestamp':
      return { name: 'timestamp-nanos' }
    case 'long local-timestamp-millis':
    case 'long local-timestamp-micros':
    case 'long local-timestamp-nanos':
      return { name: 'local' }
    case 'string uuid':
    case 'fixed uuid':
      return { name: 'uuid' }
    default:
      return null
  }
}

function scaleOf({ scale = 0 }: Member): number {
  if (typeof scale !== 'number' || !Number.isInteger(scale) || scale < 0 || scale > 1_000) {
    throw schemaFault('a decimal has no scale from 0 to 1000')
  }
  return scale
}

/** As it is called in refusals. */
export function nameOfAvroType(type: AvroType): string {
  if (type.kind === 'record') return `a record ${type.name}`
  const logical = 'logical' in type && type.logical !== null ? ` (${type.logical.name})` : ''
  return `Avro ${type.kind}${logical}`
}
