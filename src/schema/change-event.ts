import type { Decoded, Refusal, Row, RowValue } from './decode.ts'
import { type Field, type Fields, pathOf, string } from './field.ts'

/** A place of a change event that is read, and as what. */
export type ChangeTarget = { readonly path: string; readonly field: Field }

/** What was found at the targets, and what was wrong there. */
export type Extracted = {
  readonly values: readonly RowValue[]
  refusal(target: number): Refusal | null
}

/** What Postgres' connector says in place of a large value that an update did not touch. */
const unavailable = '__debezium_unavailable_value'

/**
 * How declared fields are read from change events of a table: the targets, in JSON or Avro alike, and what becomes of
 * them. A row that was created, read or updated is what it is afterwards; of one that was deleted, its key.
 */
export type ChangeReading = {
  readonly targets: readonly ChangeTarget[]
  finish(extracted: Extracted): Decoded
}

export function makeChangeReading(fields: Fields, key: readonly string[]): ChangeReading {
  const targets: ChangeTarget[] = [{ path: 'op', field: string() }]
  const add = (target: ChangeTarget): number => targets.push(target) - 1
  const parts = Object.entries(fields).map(([name, field]): Part => {
    const path = pathOf(name, field)
    if (path === '__deleted') return { field, after: null, before: null, isDeleted: true, isMeta: true }
    if (isMetaPath(path)) {
      const at = add({ path: path.slice(2), field })
      return { field, after: at, before: at, isDeleted: false, isMeta: true }
    }
    // A column of one of the two rows that an event may have: whether it has to be there is known later.
    const column = field.optional()
    const after = add({ path: `after.${path}`, field: column })
    const before = key.includes(name) ? add({ path: `before.${path}`, field: column }) : null
    return { field, after, before, isDeleted: false, isMeta: false }
  })
  return { targets, finish: (extracted) => finish(extracted, parts, targets) }
}

export function isMetaPath(path: string): boolean {
  return path.startsWith('__')
}

type Part = {
  readonly field: Field
  /** Targets; null: it has none there. */
  readonly after: number | null
  readonly before: number | null
  readonly isDeleted: boolean
  readonly isMeta: boolean
}

function finish(extracted: Extracted, parts: readonly Part[], targets: readonly ChangeTarget[]): Decoded {
  const wrong = extracted.refusal(0)
  if (wrong !== null) return { refusals: [wrong] }
  const op = extracted.values[0] as string
  if (!['c', 'r', 'u', 'd'].includes(op)) {
    const allowed = '"c", "r", "u" or "d": one row that was created, read, updated or deleted'
    return { refusals: [{ code: 'RANGE', path: 'op', came: JSON.stringify(op.slice(0, 40)), allowed }] }
  }
  const isDeleted = op === 'd'
  const refusals: Refusal[] = []
  const row = parts.map((part): RowValue => {
    if (part.isDeleted) return isDeleted
    const target = isDeleted ? part.before : part.after
    if (target === null) return null
    const refusal = extracted.refusal(target) ?? missing(part, extracted.values[target]!, targets[target]!.path)
    if (refusal !== null) refusals.push(refusal)
    return extracted.values[target]!
  })
  return refusals.length === 0 ? { row: row as Row } : { refusals }
}

function missing({ field, isMeta }: Part, value: RowValue, path: string): Refusal | null {
  if (isMeta) return null
  if (value === null && field.presence === 'required') return { code: 'NULL', path, came: 'null', allowed: 'a value' }
  if (value !== unavailable) return null
  const allowed = 'the value itself: REPLICA IDENTITY FULL makes Postgres send it'
  return { code: 'TYPE', path, came: 'a large value that was not sent with the update', allowed }
}
