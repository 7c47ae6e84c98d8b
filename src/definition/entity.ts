import type { Field, FieldKind, Fields } from '../schema/field.ts'

/** What a key identifies: a customer, a terminal. The declared order of its join keys is the order of the key. */
export interface Entity<Name extends string = string, Keys extends Fields = Fields> {
  readonly type: 'entity'
  readonly name: Name
  readonly keys: Keys
}

/** Join keys are never null: an event without them is *unkeyed* for the view. */
type KeyFields = Readonly<Record<string, Field<FieldKind, never>>>

/** `entity('customer', { customerId: int() })` */
export function entity<const Name extends string, const Keys extends KeyFields>(
  name: Name,
  keys: Keys,
): Entity<Name, Keys> {
  return Object.freeze({ type: 'entity', name, keys: Object.freeze({ ...keys }) })
}
