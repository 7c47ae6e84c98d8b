// Finds where values of JSON text begin and end, without building them, so that the very bytes that came can be kept.
// Looks at brackets and strings only: whether a value is well formed is for the parser that reads it later.

export const openBrace = 0x7b
export const openBracket = 0x5b
export const comma = 0x2c
const closeBrace = 0x7d
export const closeBracket = 0x5d
const colon = 0x3a
const quote = 0x22
const backslash = 0x5c

/** Index of the first byte at or after `index` that is not white space of JSON. */
export function skipSpace(bytes: Uint8Array, index: number): number {
  let at = index
  while (at < bytes.length && isSpace(bytes[at]!)) at += 1
  return at
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/**
 * One past the value that begins at `start`, or -1 when it does not end. A value in brackets ends with the bracket
 * that closes its first one, a string with its quote, anything else before white space or punctuation.
 */
export function valueEnd(bytes: Uint8Array, start: number): number {
  const first = bytes[start]
  if (first === quote) return stringEnd(bytes, start)
  if (first !== openBrace && first !== openBracket) return scalarEnd(bytes, start)
  let depth = 0
  for (let index = start; index < bytes.length; index++) {
    const byte = bytes[index]!
    if (byte === quote) {
      index = stringEnd(bytes, index) - 1
      if (index < 0) return -1
    } else if (byte === openBrace || byte === openBracket) depth += 1
    else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1
      if (depth === 0) return byte === first + 2 ? index + 1 : -1
    }
  }
  return -1
}

function stringEnd(bytes: Uint8Array, start: number): number {
  for (let index = start + 1; index < bytes.length; index++) {
    const byte = bytes[index]!
    if (byte === backslash) index += 1
    else if (byte === quote) return index + 1
  }
  return -1
}

function scalarEnd(bytes: Uint8Array, start: number): number {
  let index = start
  while (index < bytes.length && !isSpace(bytes[index]!) && !isPunctuation(bytes[index]!)) index += 1
  return index
}

function isPunctuation(byte: number): boolean {
  return (
    byte === comma || byte === colon || byte === quote || (byte | 0x20) === closeBrace || (byte | 0x20) === openBrace
  )
}

/**
 * The bytes of a member of an object, which must be JSON that a parser has accepted. As for the parser, the last of
 * several members of one name counts. Null without one.
 */
export function memberBytes(object: Uint8Array, name: string): Uint8Array | null {
  let found: Uint8Array | null = null
  let index = skipSpace(object, 0) + 1
  for (;;) {
    index = skipSpace(object, index)
    if (object[index] !== quote) return found
    const keyEnd = stringEnd(object, index)
    const key: unknown = JSON.parse(Buffer.from(object.subarray(index, keyEnd)).toString())
    const start = skipSpace(object, skipSpace(object, keyEnd) + 1)
    const end = valueEnd(object, start)
    if (key === name) found = object.subarray(start, end)
    index = skipSpace(object, end)
    if (object[index] !== comma) return found
    index += 1
  }
}
