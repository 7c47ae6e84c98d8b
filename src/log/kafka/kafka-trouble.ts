import { protocolErrors, protocolErrorsCodesById } from '@platformatic/kafka'
import { MillraceError } from '../../base/faults.ts'
import type { KafkaSettings } from './kafka-options.ts'

/** What went wrong with a request, whether the broker said so or nobody answered. */
export type Trouble = {
  /** Kafka's name for an error, such as `NOT_LEADER_OR_FOLLOWER`; `UNREACHABLE` when no broker said anything. */
  readonly name: string
  /** Whether the same request may succeed later, maybe at another broker. */
  readonly passes: boolean
  readonly detail: string
}

export const unreachable = 'UNREACHABLE'

/** Of an error that came back with a request, with everything it wraps. */
export function troubleOf(error: unknown): Trouble {
  const all = [...causesOf(error)]
  const said = all.find((one) => typeof one['apiId'] === 'string')
  if (said !== undefined) {
    const trouble = troubleNamed(String(said['apiId']))
    const more = said['serverErrorMessage']
    return typeof more === 'string' && more !== '' ? { ...trouble, detail: `${trouble.name}: ${more}` } : trouble
  }
  const refused = all.findIndex(({ code }) => code === 'PLT_KFK_AUTHENTICATION')
  // A connection that breaks in the middle of it is no refusal.
  if (refused !== -1 && !all.slice(refused).some(({ code }) => code === 'PLT_KFK_NETWORK' || code === 'PLT_KFK_USER')) {
    return { name: 'SASL_AUTHENTICATION_FAILED', passes: false, detail: String(all[refused]!['message']) }
  }
  const messages = all.flatMap(({ message, code }) => {
    const text = message === undefined || message === '' ? code : message
    return typeof text === 'string' ? [text] : []
  })
  const detail = [...new Set(messages)].slice(0, 3).join(': ')
  // Options that do not fit the listener, and our mistakes, do not pass by waiting.
  const usage = all.some(({ code }) => typeof code === 'string' && /^PLT_KFK_USER|CERT|^ERR_(SSL|TLS)_/.test(code))
  const mistake = error instanceof TypeError || error instanceof RangeError || usage
  return { name: unreachable, passes: !mistake, detail }
}

/** Of a code that stands in an answer. */
export function troubleOfCode(code: number): Trouble {
  return troubleNamed(protocolErrorsCodesById[code] ?? `error ${code}`)
}

/** The fault for a trouble that waiting does not mend, or has not mended. */
export function kafkaFault(
  trouble: Trouble,
  settings: KafkaSettings,
  doing: { readonly action: string; readonly operation?: string; readonly topic?: string; readonly group?: string },
  cause?: unknown,
): MillraceError {
  const { brokers, sasl } = settings
  const { name, detail } = trouble
  const { action, operation = 'All', topic, group } = doing
  const options = { cause }
  const user = sasl === null ? 'a client without a name' : 'username' in sasl ? `user "${sasl.username}"` : 'the token'
  if (name === 'SASL_AUTHENTICATION_FAILED' || name === 'UNSUPPORTED_SASL_MECHANISM') {
    const mechanism = sasl?.mechanism ?? 'no mechanism'
    return new MillraceError('KAFKA_AUTHENTICATION_REFUSED', { brokers, user, mechanism, detail }, options)
  }
  if (name.endsWith('AUTHORIZATION_FAILED')) {
    const [kind, named] = topic === undefined ? ['group', group] : ['topic', topic]
    const resource = named === undefined ? 'the cluster' : `${kind} "${named}"`
    const option = named === undefined ? '--cluster' : `--${kind} ${named}`
    return new MillraceError('KAFKA_ACCESS_DENIED', { user, action, resource, operation, option }, options)
  }
  if (name === unreachable) return new MillraceError('KAFKA_UNREACHABLE', { brokers, detail }, options)
  const what = topic === undefined ? action : `${action} topic "${topic}"`
  return new MillraceError('KAFKA_REQUEST_REFUSED', { action: what, detail }, options)
}

/** `NOT_LEADER_OR_FOLLOWER: …`, as Kafka's documentation has it. */
function troubleNamed(name: string): Trouble {
  const known = protocolErrors[name]
  if (known === undefined) return { name, passes: false, detail: name }
  return { name, passes: known.canRetry || alsoPasses.has(name), detail: `${name}: ${known.message}` }
}

/** While a topic spreads through the cluster its id may not be known to each broker yet. */
const alsoPasses = new Set(['UNKNOWN_TOPIC_ID', 'INCONSISTENT_TOPIC_ID', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH'])

function* causesOf(error: unknown): Generator<Record<string, unknown>> {
  if (typeof error !== 'object' || error === null) return
  yield error as Record<string, unknown>
  const { errors, cause } = error as { errors?: unknown; cause?: unknown }
  if (Array.isArray(errors)) for (const one of errors) yield* causesOf(one)
  yield* causesOf(cause)
}
