import { canonicalJson } from '../base/hash.ts'
import type { Gathered } from '../definition/gather.ts'
import type { Plan } from '../plan/plan.ts'
import type { Expression } from '../schema/expression.ts'
import { callText, expressionText } from '../plan/expression-text.ts'

/** One thing that is not as it was. */
export type Change = {
  readonly kind: 'new' | 'removed' | 'renamed' | 'changed'
  readonly what: 'entity' | 'stream' | 'view' | 'feature' | 'service' | 'action'
  /** Of a feature with its view: `spending.amount_mean`. Of a removed one the name that it had. */
  readonly name: string
  /** What exactly: `lateness 10m → 30m`; of a renamed one `spending → customer_spending`. */
  readonly words: string
  /** Which data or readers it breaks; null: none. */
  readonly incompatible: string | null
}

/** One side of a comparison: by kind, with plans by name. */
export type Side = Gathered & { readonly plan: Plan }

/** What is the same on both sides, whatever its name. Keys and values are names. */
export type Renames = Readonly<Record<'entities' | 'streams' | 'views' | 'services', ReadonlyMap<string, string>>>

/** New, removed and renamed things of one kind; `compare` says what changed of those on both sides. */
export function changesOfKind<T extends { readonly name: string }>(
  was: readonly T[],
  is: readonly T[],
  { what, renames, compare, ofRemoved = () => null, ofRenamed = () => null }: KindOptions<T>,
): Change[] {
  const find = (name: string): T | undefined => is.find((one) => one.name === name)
  const taken = new Set<string>()
  const changes: Change[] = []
  for (const before of was) {
    const newName = renames.get(before.name)
    const after = find(newName ?? before.name)
    if (after === undefined) {
      changes.push({ kind: 'removed', what, name: before.name, words: '', incompatible: ofRemoved(before) })
      continue
    }
    taken.add(after.name)
    if (newName !== undefined) {
      const words = `${before.name} → ${newName}`
      changes.push({ kind: 'renamed', what, name: newName, words, incompatible: ofRenamed(before, after) })
    }
    changes.push(...compare(before, after))
  }
  for (const { name } of is) {
    if (!taken.has(name)) changes.push({ kind: 'new', what, name, words: '', incompatible: null })
  }
  return changes
}

type KindOptions<T> = {
  readonly what: Change['what']
  /** Old name → new name. */
  readonly renames: ReadonlyMap<string, string>
  readonly compare: (before: T, after: T) => readonly Change[]
  /** Whom it breaks that this one is gone, or has another name; null: nobody. */
  readonly ofRemoved?: (before: T) => string | null
  readonly ofRenamed?: (before: T, after: T) => string | null
}

/** `lateness 10m → 30m`, for a member of a definition that is not as it was; null when it is. */
export function memberWords(name: string, before: unknown, after: unknown): string | null {
  if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) return null
  return `${name} ${memberText(before)} → ${memberText(after)}`
}

function memberText(value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return value.length === 0 ? 'none' : value.join(', ')
  }
  if (typeof value !== 'object') return canonicalJson(value)
  return Object.entries(value)
    .map(([name, part]) => `${name} ${memberText(part)}`)
    .join(', ')
}

/** All members but those that are compared one by one: also such as were added to definitions after this was written. */
export function otherMembers(before: object, after: object, apart: readonly string[]): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  const valueOf = (of: object, name: string): unknown => (of as Readonly<Record<string, unknown>>)[name]
  return [...names]
    .filter((name) => !apart.includes(name))
    .map((name) => memberWords(name, valueOf(before, name), valueOf(after, name)))
    .filter((words) => words !== null)
}

/** What became of an expression: `mean(amount) over 30d → over 7d`. Null when it is the same. */
export function treeWords(before: Expression, after: Expression): string | null {
  const [old, now] = [canonicalJson(before), canonicalJson(after)]
  if (old === now) return null
  const [oldText, text] = [expressionText(before), expressionText(after)]
  // Two trees of one text, such as a field named `true` and the literal: the data tells them apart.
  if (oldText === text) return `${old} → ${now}`
  if (before.op === 'aggregate' && after.op === 'aggregate') {
    const { window } = after.call
    const moved = callText({ ...before.call, window })
    if (moved === text) return `${oldText} → ${text.slice(text.lastIndexOf('over '))}`
  }
  return `${oldText} → ${text}`
}
