import type { LogRecord } from '../../log/log.ts'
import type { ActionPlan, PredictionRow } from '../../plan/plan.ts'
import { describe, type JsonObject, parseObject } from '../../schema/decode.ts'
import type { FieldKind } from '../../schema/field.ts'
import { parseInstant } from '../../schema/instant.ts'
import type { Reason } from '../../stream/rejection.ts'

/**
 * What an action makes of a record of `predictions`: the same however often it is asked. `other`: it is none of the
 * action's model, or was not served; `misfit`: an output is not of the kind that the action was declared with.
 */
export type Judged =
  | { readonly outcome: 'met' | 'unmet'; readonly object: JsonObject }
  | { readonly outcome: 'other' }
  | { readonly outcome: 'misfit'; readonly object: JsonObject; readonly reason: Reason }

export function judge(plan: ActionPlan, { value }: LogRecord): Judged {
  const parsed = value === null ? null : parseObject(value)
  // Others may write to the topic what they like.
  if (parsed === null || 'refusals' in parsed) return { outcome: 'other' }
  const { object } = parsed
  if (memberOf(object, 'model') !== plan.model || memberOf(object, 'stage') === 'shadow') return { outcome: 'other' }
  const output = memberOf(object, 'output')
  const outputs = output !== null && typeof output === 'object' && !Array.isArray(output) ? (output as JsonObject) : {}
  const row: Record<string, PredictionRow[string]> = {}
  for (const [name, { kind }] of Object.entries(plan.fields)) {
    const isOutput = Object.hasOwn(plan.definition.on.output, name)
    const given = memberOf(isOutput ? outputs : object, name) ?? null
    const value = given === null ? null : valueOf(given, kind)
    if (value === undefined) {
      const path = isOutput ? `output.${name}` : name
      return { outcome: 'misfit', object, reason: { code: 'TYPE', path, came: describe(given), allowed: kind } }
    }
    row[name] = value
  }
  return { outcome: plan.when(row) === true ? 'met' : 'unmet', object }
}

/** Undefined: it is none of this kind. */
function valueOf(given: unknown, kind: FieldKind): PredictionRow[string] | undefined {
  switch (kind) {
    case 'boolean':
      return typeof given === 'boolean' ? given : undefined
    case 'string':
      // Ids may be numbers.
      return typeof given === 'string' ? given : typeof given === 'number' ? String(given) : undefined
    case 'timestamp':
      return typeof given === 'string' ? (parseInstant(given, 'ms') ?? undefined) : undefined
    default:
      return typeof given === 'number' ? given : undefined
  }
}

function memberOf(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}
