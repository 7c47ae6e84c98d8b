import { parseDuration } from '../base/duration.ts'
import { type Action, predictionFields, type Webhook } from '../definition/action.ts'
import type { Stream } from '../definition/stream.ts'
import { compileExpression } from '../schema/evaluate.ts'
import type { Field, Fields } from '../schema/field.ts'
import { nameOfType } from '../schema/value-type.ts'
import { checkDuration, checkName, checkTopic } from './check-names.ts'
import { typeOf } from './check-expression.ts'
import { expressionText } from './expression-text.ts'
import type { FaultList } from './faults.ts'
import { fingerprintOf } from './fingerprint.ts'
import { isOwnTopic } from './own-topics.ts'
import type { ActionPlan, ActionTarget, PredictionRow } from './plan.ts'

/** Checks actions; what is wrong with them is added to the faults, and then the plans are of no use. */
export function compileActions(
  actions: readonly Action[],
  streams: readonly Stream[],
  faults: FaultList,
): readonly ActionPlan[] {
  return actions.map((action) => {
    const { name, on, when } = action
    checkName(name, 'action', name, faults)
    checkName(`${name}.on`, 'model', on.model, faults)
    const fields = fieldsOf(action, faults)
    checkRule(action, fields, faults)
    return {
      name,
      fingerprint: fingerprintOf({ action }, 'none'),
      model: on.model,
      fields,
      text: expressionText(when),
      when: compileExpression<PredictionRow>(when, (leaf) => {
        const field = leaf.op === 'field' ? leaf.name : ''
        return (row) => row[field] ?? null
      }),
      to: compileTarget(action, streams, faults),
      definition: action,
    }
  })
}

const outputKinds = ['float', 'int', 'boolean', 'string']

function fieldsOf({ name, on }: Action, faults: FaultList): Fields {
  const outputs = Object.entries(on.output).map(([output, field]): [string, Field] => {
    const path = `${name}.on.${output}`
    checkName(path, 'output', output, faults)
    if (!outputKinds.includes(field.kind)) faults.add(path, `it is ${field.kind}`, outputKinds.join(', '))
    if (Object.hasOwn(predictionFields, output)) {
      faults.add(path, 'every prediction has a field of this name', 'an output of another name')
    }
    return [output, field.nullable()]
  })
  return { ...Object.fromEntries(outputs), ...predictionFields }
}

function checkRule({ name, when }: Action, fields: Fields, faults: FaultList): void {
  const path = `${name}.when`
  const scope = { kind: 'event', stream: `the predictions of ${name}`, fields } as const
  const found = typeOf(when, { scope, path, faults })
  if (found === null || found.type.kind === 'boolean') return
  faults.add(path, `it gives ${nameOfType(found.type)}`, 'a condition: p.score.gt(0.8)')
}

function compileTarget({ name, to }: Action, streams: readonly Stream[], faults: FaultList): ActionTarget {
  const path = `${name}.to`
  if (to.type === 'webhook') return compileWebhook(path, to, faults)
  checkTopic(path, to.topic, faults)
  if (isOwnTopic(to.topic)) faults.add(path, `millrace itself writes to ${to.topic}`, 'a topic of another name')
  const reader = streams.find((stream) => stream.topic === to.topic)
  // An action that feeds the features of its own model would never come to rest.
  if (reader !== undefined)
    faults.add(path, `stream "${reader.name}" reads ${to.topic}`, 'a topic that no stream reads')
  return { type: 'topic', topic: to.topic }
}

function compileWebhook(path: string, webhook: Webhook, faults: FaultList): ActionTarget {
  const { secret, perSecond, atOnce, attempts } = webhook
  const url = URL.parse(webhook.url)
  const allowed = 'http:// or https://, without user, password and fragment'
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    faults.add(`${path}.url`, `it is ${JSON.stringify(webhook.url)}`, allowed)
  } else if (url.username !== '' || url.password !== '' || url.hash !== '') {
    // Not shown: it may hold a secret.
    faults.add(`${path}.url`, 'it holds more than a place', allowed)
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(secret.env)) {
    faults.add(`${path}.secret`, JSON.stringify(secret.env), "env('NAME_OF_A_VARIABLE')")
  }
  if (!(perSecond >= 0.001 && perSecond <= 10_000)) {
    faults.add(`${path}.perSecond`, `it is ${perSecond}`, 'a number from 0.001 to 10,000')
  }
  for (const [member, value, max] of [
    ['atOnce', atOnce, 256],
    ['attempts', attempts, 100],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= 1 && value <= max) continue
    faults.add(`${path}.${member}`, `it is ${value}`, `a whole number from 1 to ${max}`)
  }
  const timeoutMs = checkDuration(`${path}.timeout`, webhook.timeout, faults)
  if (timeoutMs > 60_000 || parseDuration(webhook.timeout) === 0) {
    faults.add(`${path}.timeout`, `it is ${webhook.timeout}`, '1ms to 60s')
  }
  const withinMs = checkDuration(`${path}.within`, webhook.within, faults)
  if (parseDuration(webhook.within) === 0) faults.add(`${path}.within`, 'it is 0', 'at least 1ms')
  return {
    type: 'webhook',
    url: webhook.url,
    secretFrom: secret.env,
    perSecond,
    atOnce,
    attempts,
    timeoutMs,
    withinMs,
  }
}
