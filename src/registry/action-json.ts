import type { Action } from '../definition/action.ts'
import { readExpression } from './expression-json.ts'
import { type FieldJson, readFields, writeFields } from './field-json.ts'
import { type Place, readName, readNumber, readObject, readOneOf, readText } from './json-reader.ts'

/** An action as data: a rule is a tree, and a secret the name of a variable. */
export type ActionJson = Pick<Action, 'name' | 'when' | 'to'> & {
  readonly on: { readonly model: string; readonly output: readonly FieldJson[] }
}

export function writeAction({ name, on, when, to }: Action): ActionJson {
  return { name, on: { ...on, output: writeFields(on.output) }, when, to }
}

/** Throws `DEFINITIONS_MALFORMED`. */
export function readAction(place: Place): Action {
  const { name, on, when, to } = readObject(place, ['name', 'on', 'when', 'to'])
  const { model, output } = readObject(on, ['model', 'output'])
  return Object.freeze({
    type: 'action',
    name: readName(name),
    on: Object.freeze({ model: readText(model), output: Object.freeze(readFields(output)) }),
    when: readExpression(when),
    to: Object.freeze(readTarget(to)),
  })
}

function readTarget(place: Place): Action['to'] {
  const { value } = place
  const type = value !== null && typeof value === 'object' && 'type' in value ? value.type : undefined
  if (type !== 'webhook') {
    const found = readObject(place, ['type', 'topic'])
    return { type: readOneOf(found.type, ['topic']), topic: readText(found.topic) }
  }
  const found = readObject(place, ['type', 'url', 'secret', 'perSecond', 'atOnce', 'attempts', 'timeout', 'within'])
  return {
    type: readOneOf(found.type, ['webhook']),
    url: readText(found.url),
    secret: Object.freeze({ env: readText(readObject(found.secret, ['env']).env) }),
    perSecond: readNumber(found.perSecond),
    atOnce: readNumber(found.atOnce),
    attempts: readNumber(found.attempts),
    timeout: readText(found.timeout),
    within: readText(found.within),
  }
}
