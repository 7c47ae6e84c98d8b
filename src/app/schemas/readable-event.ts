import type { Log } from '../../log/log.ts'
import { writerSchemasTopic } from '../../plan/topics.ts'
import { WriterSchemas } from '../../plan/writer-schemas.ts'
import { AvroFault } from '../../schema/avro/avro-input.ts'
import { readableAvro } from '../../schema/avro/readable-avro.ts'
import { writerIdOf, writerPrefixBytes } from '../../schema/avro/writer.ts'

/**
 * What an event says that names its writer's schema, where the log has a note of that schema. Null: it names none, nobody
 * has noted it, or it is not as the schema says.
 */
export async function readableEvent(
  log: Log,
  { topic, raw }: { readonly topic: string; readonly raw: Uint8Array | null },
): Promise<unknown> {
  const id = writerIdOf(raw)
  if (raw === null || id === null || !log.topics().some((one) => one.topic === writerSchemasTopic)) return null
  const notes = new WriterSchemas()
  for (let offset = log.start(writerSchemasTopic, 0); offset < log.end(writerSchemasTopic, 0); ) {
    const { records, next } = await log.read(writerSchemasTopic, 0, offset, 1024 * 1024)
    for (const record of records) notes.add(record)
    offset = next
  }
  const schema = notes.latest(topic, id)?.schema ?? null
  if (schema === null || schema.kind === 'unreadable') return null
  try {
    return readableAvro(schema, raw, writerPrefixBytes)
  } catch (error) {
    if (error instanceof AvroFault) return null
    throw error
  }
}
