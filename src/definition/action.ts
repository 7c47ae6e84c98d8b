import type { Duration } from '../base/duration.ts'
import type { Expression } from '../schema/expression.ts'
import { type Field, type Fields, int, string, timestamp } from '../schema/field.ts'
import type { Model, ModelInput } from './declared-model.ts'
import { type BooleanExpression, expressionOf } from './expressions.ts'
import type { EventExpressions } from './feature-view.ts'

/**
 * What is done about the predictions of a model that meet a rule. Plain data, like all definitions: of the model it
 * keeps the name and the outputs, so that it means the same wherever the model itself is not at hand.
 */
export interface Action<Name extends string = string> {
  readonly type: 'action'
  readonly name: Name
  readonly on: { readonly model: string; readonly output: Fields }
  readonly when: Expression
  readonly to: ActionTopic | Webhook
}

/** One record per prediction that meets the rule. Made by `topic`. */
export type ActionTopic = { readonly type: 'topic'; readonly topic: string }

/** A signed request per prediction that meets the rule. Made by `webhook`. */
export type Webhook = {
  readonly type: 'webhook'
  readonly url: string
  /** The environment variable that holds the secret; the secret itself is never part of a definition. */
  readonly secret: EnvironmentVariable
  readonly perSecond: number
  readonly atOnce: number
  readonly attempts: number
  readonly timeout: string
  readonly within: string
}

export type EnvironmentVariable = { readonly env: string }

/** What a rule sees of a prediction beside the outputs of its model, by the names it has in `predictions`. */
export const predictionFields = {
  outcome: string(),
  reason: string().nullable(),
  request_id: string(),
  user_id: string().nullable(),
  model_version: int(),
  experiment_id: string().nullable(),
  variant: string().nullable(),
  timestamp: timestamp(),
  event_time: timestamp().nullable(),
} as const satisfies Fields

/** The outputs of a prediction that was refused or failed are null. */
type Outputs<Output extends Fields> = { readonly [K in keyof Output]: Field<Output[K]['kind']> }

export type PredictionExpressions<Output extends Fields> = EventExpressions<Outputs<Output> & typeof predictionFields>

export interface ActionOptions<Output extends Fields> {
  readonly on: Pick<Model<string, ModelInput, Output>, 'type' | 'name' | 'output'>
  /** Which predictions: those for which it is true. On null, as where there is no output, it is not. */
  readonly when: (prediction: PredictionExpressions<Output>) => BooleanExpression
  readonly to: ActionTopic | Webhook
}

/** `action('block', { on: fraud, when: (p) => p.score.gt(0.8), to: topic('blocked-payments') })` */
export function action<const Name extends string, const Output extends Fields>(
  name: Name,
  { on, when, to }: ActionOptions<Output>,
): Action<Name> {
  const fields = Object.keys({ ...predictionFields, ...on.output })
  const prediction = Object.fromEntries(fields.map((field) => [field, expressionOf({ op: 'field', name: field })]))
  return Object.freeze({
    type: 'action',
    name,
    on: Object.freeze({ model: on.name, output: Object.freeze({ ...on.output }) }),
    when: when(prediction as PredictionExpressions<Output>).tree,
    to,
  })
}

/** A topic of its own, created where there is none: `to: topic('blocked-payments')`. */
export function topic(name: string): ActionTopic {
  return Object.freeze({ type: 'topic', topic: name })
}

export interface WebhookOptions {
  /** `http://` or `https://`; redirects are not followed. */
  readonly url: string
  /** What requests are signed with: `env('BLOCK_SECRET')`. */
  readonly secret: EnvironmentVariable
  /** Requests begun in a second, those that are sent again included; what is over waits in the log. Default 10. */
  readonly perSecond?: number
  /** Requests under way at once. Default 8. */
  readonly atOnce?: number
  /** For one prediction, the first included; then it is a dead letter. Default 10, which takes three minutes. */
  readonly attempts?: number
  /** Of one attempt. Default 10 s. */
  readonly timeout?: Duration
  /** How old a prediction may be when an attempt begins; an older one is a dead letter. Default 1 h. */
  readonly within?: Duration
}

/** `to: webhook({ url: 'https://payments.example/block', secret: env('BLOCK_SECRET') })` */
export function webhook(options: WebhookOptions): Webhook {
  return Object.freeze({
    type: 'webhook',
    url: options.url,
    secret: Object.freeze({ ...options.secret }),
    perSecond: options.perSecond ?? 10,
    atOnce: options.atOnce ?? 8,
    attempts: options.attempts ?? 10,
    timeout: options.timeout ?? '10s',
    within: options.within ?? '1h',
  })
}

/** The value of an environment variable, looked up where it is needed, and never written down. */
export function env(name: string): EnvironmentVariable {
  return Object.freeze({ env: name })
}
