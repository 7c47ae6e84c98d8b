import { assert } from '../base/assert.ts'
import type { Fields } from '../schema/field.ts'
import type { SlotOf } from '../schema/generate-expression.ts'

/** Where a row has the fields of an expression. A decimal, kept as a scaled integer, is there its nearest number. */
export function eventSlots(fields: Fields): SlotOf {
  const names = Object.keys(fields)
  return (leaf) => {
    assert(leaf.op === 'field', 'an expression of an event has fields at its leaves')
    const index = names.indexOf(leaf.name)
    assert(index >= 0, `field ${leaf.name} was checked`)
    const { kind, scale } = fields[leaf.name]!
    return { index, kind, divisor: kind === 'decimal' ? 10 ** (scale ?? 0) : 1 }
  }
}
