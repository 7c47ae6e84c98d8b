import { type AvroFormat, avroOf, isBare } from '../definition/format.ts'
import type { Stream } from '../definition/stream.ts'
import { AvroReader } from '../schema/avro/avro-reader.ts'
import type { AvroTarget } from '../schema/avro/avro-sink.ts'
import { type AvroType, parseAvroSchema } from '../schema/avro/avro-type.ts'
import { writerIdOf, type Writer, writerPrefixBytes } from '../schema/avro/writer.ts'
import { makeChangeReading } from '../schema/change-event.ts'
import { makeChangeDecoder } from '../schema/change-json.ts'
import type { Decoded, Refusal } from '../schema/decode.ts'
import { type Fields, pathOf } from '../schema/field.ts'
import { makeProjectingDecoder, Projector } from '../schema/projector/projector.ts'

/** An event whose values stand where a batch takes them from: of JSON or Avro alike. */
export type ProjectedEvent = Pick<Projector, 'values' | 'text' | 'value'>

/** How the bytes of a stream's events are read. */
export type EventFormat = {
  /** Whether its records are read with what their writers' schemas are known by: see `Writer`. */
  readonly registry: { readonly url: string | null } | null
  /** Whether only Avro comes: JSON, which the library and HTTP send, does not. */
  readonly isBare: boolean
  /** A record without a value says nothing that the record before it did not say. */
  readonly hasTombstones: boolean
  /** Of JSON objects as they are; null: code generation is off, or events are not. */
  readonly projector: Projector | null
  readonly decode: (raw: Uint8Array, writer?: Writer) => Decoded
  /** The same for most events, without a row; null: this one is left to `decode`. */
  readonly project: (raw: Uint8Array, writer?: Writer) => ProjectedEvent | null
}

export function compileFormat({ fields, format }: Pick<Stream, 'fields' | 'format'>): EventFormat {
  const avro = avroOf(format)
  if (format?.kind === 'debezium') return compileChanges(fields, format, avro)
  const projector = isBare(avro) ? null : Projector.of(fields)
  const json = makeProjectingDecoder(fields, projector)
  const projectJson = (raw: Uint8Array): ProjectedEvent | null => (projector?.project(raw) === true ? projector : null)
  if (avro === null) {
    return { registry: null, isBare: false, hasTombstones: false, projector, decode: json, project: projectJson }
  }
  const targets = Object.entries(fields).map(([name, field]) => ({ field, path: pathOf(name, field) }))
  const readers = makeReaders(avro, targets)
  return {
    registry: readers.registry,
    isBare: isBare(avro),
    hasTombstones: false,
    projector,
    decode(raw, writer) {
      const found = readers.of(raw, writer)
      if (found === null) return json(raw)
      return 'refusal' in found ? { refusals: [found.refusal] } : found.reader.decode(raw, found.start)
    },
    project(raw, writer) {
      const found = readers.of(raw, writer)
      if (found === null) return projectJson(raw)
      if ('refusal' in found || found.reader.read(raw, found.start) !== null) return null
      return found.reader.sink.isRefused ? null : found.reader.sink
    },
  }
}

type Changes = Extract<NonNullable<Stream['format']>, { kind: 'debezium' }>

function compileChanges(fields: Fields, { key, decimals }: Changes, avro: AvroFormat | null): EventFormat {
  const reading = makeChangeReading(fields, key)
  const json = makeChangeDecoder(reading, decimals)
  const readers = avro === null ? null : makeReaders(avro, reading.targets)
  return {
    registry: readers?.registry ?? null,
    isBare: isBare(avro),
    hasTombstones: true,
    projector: null,
    decode(raw, writer) {
      const found = readers?.of(raw, writer) ?? null
      if (found === null) return json(raw)
      if ('refusal' in found) return { refusals: [found.refusal] }
      const { reader, start } = found
      const fault = reader.read(raw, start)
      if (fault !== null) return { refusals: [fault] }
      const { sink } = reader
      return reading.finish({ values: sink.row(sink.targets.length), refusal: (target) => sink.refusalOf(target) })
    },
    project: () => null,
  }
}

type Readers = {
  readonly registry: EventFormat['registry']
  /** What reads an event, from where on; null: it is JSON. */
  of(
    raw: Uint8Array,
    writer: Writer | undefined,
  ): { readonly reader: AvroReader; readonly start: number } | { readonly refusal: Refusal } | null
}

function makeReaders(avro: AvroFormat, targets: readonly AvroTarget[]): Readers {
  if (avro.schema !== null) {
    const reader = new AvroReader(parseAvroSchema(avro.schema), targets)
    return { registry: null, of: () => ({ reader, start: 0 }) }
  }
  // As many as there are schemas in use, which whoever knows them bounds.
  const made = new WeakMap<AvroType, AvroReader>()
  return {
    registry: { url: avro.registry },
    of(raw, writer) {
      const id = writerIdOf(raw)
      if (id === null) return raw[0] === 0 ? { refusal: tooShort(raw) } : null
      const schema = writer?.id === id ? writer.schema : null
      if (schema === null || schema.kind === 'unreadable') return { refusal: unknownSchema(id, schema?.detail) }
      let reader = made.get(schema)
      if (reader === undefined) made.set(schema, (reader = new AvroReader(schema, targets)))
      return { reader, start: writerPrefixBytes }
    },
  }
}

function tooShort({ length }: Uint8Array): Refusal {
  const allowed = 'a zero, four bytes with the number of a schema, and the event'
  return { code: 'AVRO', path: '', came: `${length} bytes`, allowed }
}

function unknownSchema(id: number, detail: string | undefined): Refusal {
  const came =
    detail === undefined
      ? `schema ${id}, which the registry did not know`
      : `schema ${id}, which is no readable Avro: ${detail}`
  return { code: 'SCHEMA', path: '', came, allowed: 'the number of an Avro schema in the registry' }
}
