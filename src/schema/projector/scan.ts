/**
 * Steps over JSON text, as bytes that end with a zero. Each function starts at a position and gives the one behind
 * what it stepped over, or `stop`: the text is no JSON there, or goes on in a way that is left to `JSON.parse`.
 */
export const stop = -1

export const quote = 0x22
export const minus = 0x2d
export const point = 0x2e
export const brace = 0x7b
const backslash = 0x5c

/** To the first byte that is none of JSON's blanks. */
export function skipBlanks(bytes: Uint8Array, at: number): number {
  let p = at
  for (;;) {
    const byte = bytes[p]!
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return p
    p += 1
  }
}

/** A text without escapes, from behind its opening quote to its closing one. */
export function plainTextEnd(bytes: Uint8Array, at: number): number {
  let p = at
  for (;;) {
    const byte = bytes[p]!
    if (byte === quote) return p
    if (byte < 0x20 || byte === backslash) return stop
    p += 1
  }
}

/** A text of any kind, from behind its opening quote to behind its closing one. */
function skipText(bytes: Uint8Array, at: number): number {
  let p = at
  for (;;) {
    const byte = bytes[p]!
    if (byte === quote) return p + 1
    if (byte < 0x20) return stop
    if (byte !== backslash) p += 1
    else {
      p = skipEscape(bytes, p + 1)
      if (p === stop) return stop
    }
  }
}

/** From behind the backslash. Any four digits after a `u` are good: a lone surrogate is JSON too. */
function skipEscape(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]!
  if (byte !== 0x75) return simpleEscapes.has(byte) ? at + 1 : stop
  for (let p = at + 1; p < at + 5; p++) {
    const digit = bytes[p]!
    const letter = digit | 0x20
    if (!((digit >= 0x30 && digit <= 0x39) || (letter >= 0x61 && letter <= 0x66))) return stop
  }
  return at + 5
}

const simpleEscapes: ReadonlySet<number> = new Set(Array.from('"\\/bfnrt', (sign) => sign.charCodeAt(0)))

/** Any number of JSON's grammar. */
function skipNumber(bytes: Uint8Array, at: number): number {
  let p = bytes[at] === minus ? at + 1 : at
  if (bytes[p] === 0x30) p += 1
  else {
    const digits = p
    p = skipDigits(bytes, p)
    if (p === digits) return stop
  }
  if (bytes[p] === point) {
    const digits = p + 1
    p = skipDigits(bytes, digits)
    if (p === digits) return stop
  }
  if ((bytes[p]! | 0x20) === 0x65) {
    const sign = bytes[p + 1]
    const digits = p + (sign === 0x2b || sign === minus ? 2 : 1)
    p = skipDigits(bytes, digits)
    if (p === digits) return stop
  }
  return p
}

function skipDigits(bytes: Uint8Array, at: number): number {
  let p = at
  while ((bytes[p]! ^ 0x30) < 10) p += 1
  return p
}

export function skipTrue(bytes: Uint8Array, at: number): number {
  return bytes[at] === 0x74 && bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65
    ? at + 4
    : stop
}

export function skipFalse(bytes: Uint8Array, at: number): number {
  const starts = bytes[at] === 0x66 && bytes[at + 1] === 0x61 && bytes[at + 2] === 0x6c
  return starts && bytes[at + 3] === 0x73 && bytes[at + 4] === 0x65 ? at + 5 : stop
}

export function skipNull(bytes: Uint8Array, at: number): number {
  return bytes[at] === 0x6e && bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c
    ? at + 4
    : stop
}

/**
 * Any value, at its first byte.
 *
 * @param deeper how many more levels may open here.
 */
export function skipValue(bytes: Uint8Array, at: number, deeper: number): number {
  const byte = bytes[at]!
  if (byte === quote) return skipText(bytes, at + 1)
  if (byte === 0x74) return skipTrue(bytes, at)
  if (byte === 0x66) return skipFalse(bytes, at)
  if (byte === 0x6e) return skipNull(bytes, at)
  if (byte === brace) return deeper > 0 ? skipObject(bytes, at + 1, deeper - 1) : stop
  if (byte === 0x5b) return deeper > 0 ? skipArray(bytes, at + 1, deeper - 1) : stop
  return skipNumber(bytes, at)
}

function skipObject(bytes: Uint8Array, at: number, deeper: number): number {
  let p = skipBlanks(bytes, at)
  if (bytes[p] === 0x7d) return p + 1
  for (;;) {
    if (bytes[p] !== quote) return stop
    p = skipText(bytes, p + 1)
    if (p === stop) return stop
    p = skipBlanks(bytes, p)
    if (bytes[p] !== 0x3a) return stop
    p = skipValue(bytes, skipBlanks(bytes, p + 1), deeper)
    if (p === stop) return stop
    p = skipBlanks(bytes, p)
    if (bytes[p] === 0x7d) return p + 1
    if (bytes[p] !== 0x2c) return stop
    p = skipBlanks(bytes, p + 1)
  }
}

function skipArray(bytes: Uint8Array, at: number, deeper: number): number {
  let p = skipBlanks(bytes, at)
  if (bytes[p] === 0x5d) return p + 1
  for (;;) {
    p = skipValue(bytes, p, deeper)
    if (p === stop) return stop
    p = skipBlanks(bytes, p)
    if (bytes[p] === 0x5d) return p + 1
    if (bytes[p] !== 0x2c) return stop
    p = skipBlanks(bytes, p + 1)
  }
}
