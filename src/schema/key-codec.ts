import { assert } from '../base/assert.ts'
import { ByteReader, ByteWriter } from '../base/bytes.ts'
import type { FieldKind } from './field.ts'

/** Text in a key or an id is at most this many UTF-8 bytes: keys live in memory and in a store with short keys. */
export const keyTextBytesMax = 512

const kindTags: Readonly<Record<FieldKind, number>> = {
  string: 1,
  int: 2,
  float: 3,
  decimal: 4,
  boolean: 5,
  timestamp: 6,
}

/**
 * The bytes of a key: per join key, in declared order, a tag of its kind, then its length-prefixed text or its number.
 * `1` and `"1"` differ, and ("a", "bc") differs from ("ab", "c").
 */
export function encodeKey(kinds: readonly FieldKind[], values: readonly (string | number | boolean)[]): Uint8Array {
  const writer = new ByteWriter()
  for (let index = 0; index < kinds.length; index++) {
    const kind = kinds[index]!
    const value = values[index]!
    if (typeof value === 'boolean') writeKeyBoolean(writer, value)
    else if (typeof value === 'number') writeKeyNumber(writer, kind, value)
    else {
      writer.u8(kindTags.string)
      writer.string(value)
    }
  }
  return writer.finish()
}

export function writeKeyNumber(writer: ByteWriter, kind: FieldKind, value: number): void {
  writer.u8(kindTags[kind])
  if (kind === 'float') writer.f64(value)
  else writer.zigzag(value)
}

export function writeKeyBoolean(writer: ByteWriter, value: boolean): void {
  writer.u8(kindTags.boolean)
  writer.u8(value ? 1 : 0)
}

/** Begins a text, which the caller writes with its size. */
export function writeKeyTextTag(writer: ByteWriter): void {
  writer.u8(kindTags.string)
}

/** The values of `encodeKey`, in declared order. */
export function decodeKey(kinds: readonly FieldKind[], key: Uint8Array): (string | number | boolean)[] {
  const reader = new ByteReader(key)
  const values = kinds.map((kind) => {
    assert(reader.u8() === kindTags[kind], 'a key holds what its entity declares')
    if (kind === 'string') return reader.string()
    if (kind === 'boolean') return reader.u8() === 1
    return kind === 'float' ? reader.f64() : reader.zigzag()
  })
  reader.expectEnd()
  return values
}

export function isKeyText(value: string): boolean {
  return value.length <= keyTextBytesMax / 3 || Buffer.byteLength(value) <= keyTextBytesMax
}
