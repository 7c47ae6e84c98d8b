import { MillraceError, messageOf } from '../base/faults.ts'
import { parseAvroSchema } from '../schema/avro/avro-type.ts'
import type { Writer } from '../schema/avro/writer.ts'

/** A schema as a registry has it, with those that it refers to, each after those that it refers to itself. */
export type RegisteredSchema = {
  readonly type: string
  readonly schema: string
  readonly references: readonly string[]
}

/**
 * What was found out about a number in the records of a topic. `unknown`: the registry did not know it, and the records
 * of a partition that lie before `to` are refused for it, for ever. `known`: what it means from then on.
 */
export type WriterNote = { readonly version: 1; readonly topic: string; readonly id: number; readonly at: string } & (
  | { readonly outcome: 'unknown'; readonly partition: number; readonly to: number }
  | ({ readonly outcome: 'known' } & RegisteredSchema)
)

type Known = { refusedTo: Map<number, number>; writer: Writer | null }

/**
 * What the numbers mean that records name their writers' schemas by, as noted in the log. The order of the notes
 * decides: what is unknown counts only until the number is known. So the same records get the same verdict wherever and
 * whenever they are read, with or without the registry.
 */
export class WriterSchemas {
  readonly #topics = new Map<string, Map<number, Known>>()

  /** Takes a record of the topic of notes. Throws `WRITER_SCHEMAS_MALFORMED`. */
  add(record: { readonly offset: number; readonly value: Uint8Array | null }): void {
    const note = parseNote(record)
    const known = this.#known(note.topic, note.id)
    if (known.writer !== null) return
    if (note.outcome === 'known') known.writer = { id: note.id, schema: readSchema(note) }
    else known.refusedTo.set(note.partition, Math.max(note.to, known.refusedTo.get(note.partition) ?? 0))
  }

  /** Undefined: nothing is noted yet that says it. */
  find(topic: string, id: number, place: { readonly partition: number; readonly offset: number }): Writer | undefined {
    const known = this.#topics.get(topic)?.get(id)
    if (known === undefined) return undefined
    if (place.offset < (known.refusedTo.get(place.partition) ?? 0)) return { id, schema: null }
    return known.writer ?? undefined
  }

  /** What a number means for records to come; undefined: that is not known. */
  latest(topic: string, id: number): Writer | undefined {
    return this.#topics.get(topic)?.get(id)?.writer ?? undefined
  }

  #known(topic: string, id: number): Known {
    const ids = this.#topics.get(topic) ?? new Map<number, Known>()
    this.#topics.set(topic, ids)
    const known = ids.get(id) ?? { refusedTo: new Map(), writer: null }
    ids.set(id, known)
    return known
  }
}

/** One that is no Avro, or that no release so far can read, is what it is: it refuses its records. */
export function readSchema({ type, schema, references }: RegisteredSchema): NonNullable<Writer['schema']> {
  if (type !== 'AVRO') return { kind: 'unreadable', detail: `it is of type ${type}` }
  try {
    return parseAvroSchema(schema, references)
  } catch (error) {
    return { kind: 'unreadable', detail: messageOf(error) }
  }
}

function parseNote({ offset, value }: { readonly offset: number; readonly value: Uint8Array | null }): WriterNote {
  const fault = (detail: string, cause?: unknown): MillraceError =>
    new MillraceError('WRITER_SCHEMAS_MALFORMED', { offset, detail }, { cause })
  let note: Partial<WriterNote> | null
  try {
    note = JSON.parse(Buffer.from(value ?? []).toString()) as Partial<WriterNote> | null
  } catch (error) {
    throw fault(messageOf(error), error)
  }
  if (note?.version !== 1) throw fault(`its version is ${JSON.stringify(note?.version)}, known is 1`)
  const { topic, id, outcome } = note
  if (typeof topic !== 'string' || typeof id !== 'number') throw fault('it lacks a topic or a number')
  if (outcome === 'known' && typeof note.schema === 'string' && Array.isArray(note.references))
    return note as WriterNote
  if (outcome === 'unknown' && Number.isInteger(note.partition) && Number.isInteger(note.to)) return note as WriterNote
  throw fault('it says neither what a number means nor that nobody knows')
}
