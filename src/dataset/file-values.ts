import { describe, makeValueParser, nameOfAllowed, type RowValue } from '../schema/decode.ts'
import type { Field } from '../schema/field.ts'
import { instantMsEnd } from '../schema/instant.ts'
import type { TableValue } from '../store/offline/table-file.ts'

/** Why a value of a file does not fit its field. */
export type FileRefusal = { readonly came: string; readonly allowed: string }

export type FileValueParser = (value: TableValue) => RowValue | FileRefusal

/**
 * From a file's value to a field's own. Files have types of their own where JSON has not: whole numbers may be
 * bigints, booleans 0 and 1, and text stands for any of them in CSV, where an empty cell is null. Otherwise the rules
 * are those of events.
 *
 * @param holdsInstants the file itself says that the column's numbers are epoch milliseconds. Otherwise a number means
 *   what the field's unit says, as in an event; a field without a unit refuses it.
 */
export function makeFileValueParser(field: Field, holdsInstants = false): FileValueParser {
  const parse = makeValueParser(field)
  const refusal = (value: TableValue): FileRefusal => ({
    came: typeof value === 'bigint' ? `the whole number ${value}` : describe(value),
    allowed: field.presence === 'required' ? `${nameOfAllowed(field)}, never null` : nameOfAllowed(field),
  })
  return (value) => {
    if (value === null) return field.presence === 'required' ? refusal(value) : null
    const plain = adapt(field, value)
    if (holdsInstants && field.kind === 'timestamp' && typeof plain === 'number') {
      return plain >= 0 && plain < instantMsEnd ? Math.floor(plain) : refusal(value)
    }
    const parsed = parse(plain)
    return typeof parsed === 'object' ? refusal(value) : parsed
  }
}

const numberText = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

function adapt(field: Field, value: TableValue): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return BigInt(number) === value ? adapt(field, number) : value
  }
  switch (field.kind) {
    case 'boolean':
      if (value === 1 || value === '1' || value === 'true') return true
      if (value === 0 || value === '0' || value === 'false') return false
      return value
    case 'int':
      // Digits only: a fraction that rounds to a whole number is none.
      return typeof value === 'string' && /^[+-]?\d{1,16}$/.test(value) ? Number(value) : value
    case 'float':
    case 'timestamp':
      return typeof value === 'string' && numberText.test(value) ? Number(value) : value
    case 'string':
      return typeof value === 'number' ? String(value) : value
    default:
      return value
  }
}
