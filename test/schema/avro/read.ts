import avsc from 'avsc'
import { AvroReader } from '../../../src/schema/avro/avro-reader.ts'
import { parseAvroSchema } from '../../../src/schema/avro/avro-type.ts'
import type { Decoded, Row } from '../../../src/schema/decode.ts'
import { type Fields, pathOf } from '../../../src/schema/field.ts'

export type AvroSchema = avsc.Schema

/** A reader of declared fields from the bytes of a schema. */
export function readerOf(schema: AvroSchema, fields: Fields): AvroReader {
  const targets = Object.entries(fields).map(([name, field]) => ({ field, path: pathOf(name, field) }))
  return new AvroReader(parseAvroSchema(JSON.stringify(schema)), targets)
}

/** Writes with another implementation, and reads with ours. */
export function read(schema: AvroSchema, fields: Fields, value: unknown): Decoded {
  return readerOf(schema, fields).decode(avsc.Type.forSchema(schema).toBuffer(value), 0)
}

export function rowOf(decoded: Decoded): Row {
  if ('refusals' in decoded) throw new Error(JSON.stringify(decoded.refusals))
  return decoded.row
}

/** `path CODE` of each refusal. */
export function refusalsOf(decoded: Decoded): string[] {
  return 'row' in decoded ? [] : decoded.refusals.map(({ path, code }) => `${path} ${code}`)
}
