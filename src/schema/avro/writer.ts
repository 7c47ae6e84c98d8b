import type { AvroType } from './avro-type.ts'

/**
 * Who wrote a record, by the number of a schema that its first bytes name. Null: the registry did not know the number
 * when the record was first read, and the record stays refused for it.
 */
export type Writer = { readonly id: number; readonly schema: AvroType | Unreadable | null }

/** A schema that the registry has and that this release cannot read. */
export type Unreadable = { readonly kind: 'unreadable'; readonly detail: string }

/** Where the event begins behind the mark and the number of its schema. */
export const writerPrefixBytes = 5

/** The number of the schema that a value names in Confluent's form; null where it does not begin so. */
export function writerIdOf(value: Uint8Array | null): number | null {
  if (value === null || value.length < writerPrefixBytes || value[0] !== 0) return null
  return ((value[1]! << 24) | (value[2]! << 16) | (value[3]! << 8) | value[4]!) >>> 0
}
