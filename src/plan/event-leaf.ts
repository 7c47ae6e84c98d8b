import { assert } from '../base/assert.ts'
import type { Row } from '../schema/decode.ts'
import type { LeafResolver } from '../schema/evaluate.ts'
import type { Fields } from '../schema/field.ts'

/** Reads the fields of a row inside expressions. A decimal, kept as a scaled integer, is there its nearest number. */
export function eventLeaf(fields: Fields): LeafResolver<Row> {
  const names = Object.keys(fields)
  return (leaf) => {
    assert(leaf.op === 'field', 'an expression of an event has fields at its leaves')
    const index = names.indexOf(leaf.name)
    assert(index >= 0, `field ${leaf.name} was checked`)
    const field = fields[leaf.name]!
    if (field.kind !== 'decimal') return (row) => row[index]!
    const factor = 10 ** (field.scale ?? 0)
    return (row) => {
      const scaled = row[index]!
      return scaled === null ? null : Number(scaled) / factor
    }
  }
}
