import type { Field } from '../../schema/field.ts'

/** What an entity's key is derived from when it is forgotten: SHA-256 of the encoded join keys, hex. */
export type KeyHash = string

/**
 * What takes the place of a join key in an event: of the same type, so that the event decodes as before, and always the
 * same for one entity, so that it still counts as one. Null where the value stays: too few of them exist to hide one.
 *
 * @param old the value in the raw event: a decimal may be a number or text, and stays which it was.
 */
export function pseudonymOf({ kind, scale }: Pick<Field, 'kind' | 'scale'>, hash: KeyHash, old: unknown): unknown {
  switch (kind) {
    case 'string':
      return `forgotten-${hash.slice(0, 16)}`
    case 'int':
    case 'float':
      // 13 hex digits are 52 bits: a whole number that both hold exactly.
      return -(Number.parseInt(hash.slice(0, 13), 16) + 1)
    case 'decimal':
      return decimalOf(Number.parseInt(hash.slice(0, 12), 16) + 1, scale ?? 0, old)
    case 'boolean':
    case 'timestamp':
      return null
  }
}

/** 48 bits of scaled units: a decimal given as a number has fifteen digits, and with a scale of 9 six before the point. */
function decimalOf(units: number, scale: number, old: unknown): number | string {
  if (typeof old === 'number') return -units / 10 ** scale
  const digits = String(units).padStart(scale + 1, '0')
  const point = digits.length - scale
  return scale === 0 ? `-${digits}` : `-${digits.slice(0, point)}.${digits.slice(point)}`
}
