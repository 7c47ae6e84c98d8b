import { MillraceError } from '../base/faults.ts'
import type { KeyColumn, ViewPlan } from '../plan/plan.ts'
import { describe, makeValueParser, nameOfAllowed } from '../schema/decode.ts'
import { encodeKey, isKeyText, keyTextBytesMax } from '../schema/key-codec.ts'

/** Join keys by name, as they came: not yet checked. */
export type EntityKeys = Readonly<Record<string, unknown>>

/** Checks the join keys of an entity and gives the bytes that its states are found by. Throws `KEY_MALFORMED`. */
export type KeyEncoder = (keys: EntityKeys) => Uint8Array

type KeyValue = string | number | boolean

export function makeKeyEncoder({ entity, keys: columns }: Pick<ViewPlan, 'entity' | 'keys'>): KeyEncoder {
  const kinds = columns.map(({ field }) => field.kind)
  const readers = columns.map((column) => makeKeyReader(entity, column))
  const values: KeyValue[] = []
  return (keys) => {
    for (let index = 0; index < readers.length; index++) values[index] = readers[index]!(keys)
    return encodeKey(kinds, values)
  }
}

function makeKeyReader(entity: string, { name, field }: KeyColumn): (keys: EntityKeys) => KeyValue {
  const parse = makeValueParser(field)
  const fault = (came: string, allowed = nameOfAllowed(field)): MillraceError =>
    new MillraceError('KEY_MALFORMED', { name, entity, came, allowed })
  return (keys) => {
    const given = Object.hasOwn(keys, name) ? keys[name] : undefined
    if (given === undefined || given === null) throw fault(given === undefined ? 'missing' : 'null')
    const parsed = parse(given)
    if (typeof parsed === 'object') throw fault(describe(given))
    if (typeof parsed === 'string' && !isKeyText(parsed)) {
      throw fault(`${Buffer.byteLength(parsed)} bytes long`, `at most ${keyTextBytesMax} bytes`)
    }
    return parsed
  }
}
