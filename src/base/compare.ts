/**
 * Orders strings by Unicode code point, which is also the byte order of their UTF-8, and says < 0, 0 or > 0.
 *
 * `<` orders by UTF-16 unit, where a character beyond U+FFFF, written as two surrogates (0xd800 to 0xdfff), would come
 * before U+E000 to U+FFFF. A lone surrogate counts as the code point it stands for.
 */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  let index = 0
  while (index < length && left.charCodeAt(index) === right.charCodeAt(index)) index++
  if (index === length) return left.length - right.length
  const leftUnit = left.charCodeAt(index)
  const rightUnit = right.charCodeAt(index)
  if (leftUnit < 0xd800 || rightUnit < 0xd800) return leftUnit - rightUnit
  // The first difference may be the second half of a pair: then the character starts one unit before.
  const inside = index > 0 && isHigh(left.charCodeAt(index - 1)) && (isLow(leftUnit) || isLow(rightUnit))
  const start = inside ? index - 1 : index
  return left.codePointAt(start)! - right.codePointAt(start)!
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
