import { canonicalJson } from '../base/hash.ts'
import { type AvroFormat, avroOf, type Format, isBare } from '../definition/format.ts'
import type { Stream } from '../definition/stream.ts'
import { parseAvroSchema, schemaBytesMax } from '../schema/avro/avro-type.ts'
import { isMetaPath } from '../schema/change-event.ts'
import { pathOf } from '../schema/field.ts'
import type { FaultList } from './faults.ts'

export function checkFormat(stream: Stream, faults: FaultList): void {
  const { name, format, history } = stream
  if (format === undefined) return
  const path = `${name}.format`
  const avro = avroOf(format)
  if (avro !== null) checkAvro(path, avro, faults)
  if (format.kind === 'debezium') checkChanges(stream, format, faults)
  if (history !== undefined && (format.kind === 'debezium' || isBare(avro))) {
    faults.add(`${name}.history`, 'files come in as JSON, which this format does not take', 'no history')
  }
}

function checkAvro(path: string, { registry, schema }: AvroFormat, faults: FaultList): void {
  if (schema !== null) {
    if (registry !== null) faults.add(path, 'there are a registry and a schema', 'one of the two')
    if (schema.length > schemaBytesMax) {
      faults.add(`${path}.schema`, `it has ${schema.length} characters`, `at most ${schemaBytesMax}`)
      return
    }
    try {
      const { kind } = parseAvroSchema(schema)
      if (kind !== 'record') faults.add(`${path}.schema`, `it is of a ${kind}`, 'the schema of a record')
    } catch (error) {
      faults.add(`${path}.schema`, `it is no Avro schema: ${(error as Error).message}`, 'an Avro schema, as JSON')
    }
  }
  if (registry === null) return
  const url = URL.canParse(registry) ? new URL(registry) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    faults.add(`${path}.registry`, `"${registry.slice(0, 100)}" is no address`, 'such as http://registry:8081')
  } else if (url.username !== '' || url.password !== '') {
    const allowed = 'no secrets in definitions, which lie in the log: SCHEMA_REGISTRY_USER and SCHEMA_REGISTRY_PASSWORD'
    faults.add(`${path}.registry`, 'the address has a user or a password', allowed)
  }
}

type Changes = Extract<Format, { kind: 'debezium' }>

function checkChanges({ name, fields }: Stream, { key }: Changes, faults: FaultList): void {
  const path = `${name}.format.key`
  if (key.length === 0) faults.add(path, 'there is no field', "the fields of the table's primary key")
  for (const field of key) {
    if (!Object.hasOwn(fields, field))
      faults.unknown(path, `field of stream "${name}"`, { name: field, declared: Object.keys(fields) })
  }
  for (const [field, declared] of Object.entries(fields)) {
    const at = pathOf(field, declared)
    if (at === '__deleted' && declared.kind !== 'boolean') {
      faults.add(`${name}.fields.${field}`, `it is ${declared.kind}`, '__deleted is boolean()')
    }
    if (isMetaPath(at) || key.includes(field) || declared.presence !== 'required') continue
    const allowed = 'optional(), or a part of the key: a row that was deleted has nothing else'
    faults.add(`${name}.fields.${field}`, 'a column that is not in the key may not be null', allowed)
  }
}

/** A number means one schema in a topic, whoever reads it. */
export function checkRegistries(streams: readonly Stream[], faults: FaultList): void {
  const found = new Map<string, Stream>()
  for (const stream of streams) {
    const avro = avroOf(stream.format)
    if (avro === null || isBare(avro)) continue
    const other = found.get(stream.topic)
    if (other !== undefined && avroOf(other.format)!.registry !== avro.registry) {
      const allowed = `that of stream "${other.name}", which reads the same topic`
      faults.add(`${stream.name}.format.registry`, 'it is another registry', allowed)
    }
    found.set(stream.topic, stream)
  }
}

/** What values depend on: not where the registry is, for what its numbers mean is kept in the log. */
export function formatContent(format: Format | undefined): Readonly<Record<string, unknown>> {
  if (format === undefined) return {}
  const avro = avroOf(format)
  const encoding = avro === null ? null : avro.schema === null ? 'registry' : { schema: canonicalSchema(avro.schema) }
  if (format.kind === 'avro') return { format: { kind: 'avro', encoding } }
  const { kind, key, decimals } = format
  return { format: { kind, key, decimals, encoding } }
}

function canonicalSchema(text: string): string {
  try {
    return canonicalJson(JSON.parse(text))
  } catch {
    return text
  }
}
