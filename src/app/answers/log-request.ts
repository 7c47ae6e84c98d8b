import { MillraceError } from '../../base/faults.ts'
import type { LogRecord, RecordInput } from '../../log/log.ts'
import { deadLetterTopic } from '../../plan/topics.ts'
import { describe, type JsonObject, parseObject } from '../../schema/decode.ts'
import { formatInstant, parseInstant } from '../../schema/instant.ts'
import type { EntityKeys } from '../../serve/entity-key.ts'
import type { VectorReader } from '../../serve/vector-reader.ts'
import type { Answer, Request } from '../../stream/answerer.ts'
import { type Reason, rejectionRecord } from '../../stream/rejection.ts'

/** What requests have in common that come through the log. Members that nobody asks for are let be. */
export type LogRequest = {
  readonly object: JsonObject
  readonly requestId: string
  /** For whom, where the request says so: given back as it came. */
  readonly userId: string | number | null
  readonly keys: EntityKeys
  /** Undefined: now. */
  readonly asOf: number | 'latest' | undefined
}

/** What answers are made of: the reader of the plan that is served, and the clock's instant. */
export type AnswerSource = { readonly reader: VectorReader; now(): number }

/** Why a request gets no answer of substance. */
export class Refused extends Error {
  readonly reason: Reason

  constructor(code: string, path: string, came: string, allowed: string) {
    super(`${path}: ${came}, allowed ${allowed}`)
    this.reason = { code, path, came, allowed }
  }
}

const requestIdCharsMax = 256

/**
 * `{"request_id":…,"user_id":…,"keys":{…},"as_of":…}`; without `keys` the member `user_id` is the key. Throws `Refused`.
 */
export function parseLogRequest({ value, timestampMs }: LogRecord): LogRequest {
  if (value === null) throw new Refused('SHAPE', '', 'a record without a value', 'a JSON object')
  const parsed = parseObject(value)
  if ('refusals' in parsed) {
    const { code, path, came, allowed } = parsed.refusals[0]!
    throw new Refused(code, path, came, allowed)
  }
  const { object } = parsed
  const requestId = textMember(object, 'request_id', requestIdCharsMax)
  const userId = userIdOf(object)
  const given = memberOf(object, 'keys') ?? (userId === null ? undefined : { user_id: userId })
  if (given === undefined) throw new Refused('MISSING', 'keys', 'missing', 'an object of join keys')
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    throw new Refused('TYPE', 'keys', describe(given), 'an object of join keys')
  }
  return { object, requestId, userId, keys: given as EntityKeys, asOf: asOfIn(object, timestampMs) }
}

function userIdOf(object: JsonObject): string | number | null {
  const userId = memberOf(object, 'user_id') ?? null
  if (userId === null || typeof userId === 'string' || typeof userId === 'number') return userId
  throw new Refused('TYPE', 'user_id', describe(userId), 'text or a number')
}

/** A member that is text. Throws `Refused`. */
export function textMember(object: JsonObject, name: string, charsMax: number): string {
  const value = memberOf(object, name)
  if (value === undefined) throw new Refused('MISSING', name, 'missing', 'text')
  if (typeof value !== 'string' || value.length === 0) throw new Refused('TYPE', name, describe(value), 'text')
  if (value.length > charsMax) throw new Refused('SIZE', name, `${value.length} long`, `at most ${charsMax}`)
  return value
}

/** Own members only: nothing is found on a prototype. */
export function memberOf(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function asOfIn(object: JsonObject, requestedMs: number): LogRequest['asOf'] {
  const asOf = memberOf(object, 'as_of')
  if (asOf === undefined || asOf === null || asOf === 'now') return undefined
  if (asOf === 'latest') return asOf
  if (asOf === 'request') return requestedMs
  const ms = typeof asOf === 'string' || typeof asOf === 'number' ? parseInstant(asOf, 'ms') : null
  if (ms !== null) return ms
  const allowed = 'epoch milliseconds, ISO 8601 text with a zone, "now", "request" or "latest"'
  throw new Refused('TIME', 'as_of', describe(asOf), allowed)
}

/** What is said to whoever asks wrongly; anything that is no fault of theirs is thrown on. */
export function reasonOf(error: unknown): Reason {
  if (error instanceof Refused) return error.reason
  if (!(error instanceof MillraceError) || error.kind === 'internal') throw error
  const path = { NAME_UNDECLARED: 'service', KEY_MALFORMED: 'keys', AS_OF_TOO_OLD: 'as_of' }[error.code as string] ?? ''
  return { code: error.code, path, came: error.message, allowed: error.hint }
}

/** The answer to a request that is refused, and the request itself among the dead letters. */
export function refuse(
  { record, found }: Request,
  reason: Reason,
  about: { readonly name: string; readonly topic: string; readonly partition: number; readonly nowMs: number },
): Answer {
  const { name, topic, partition, nowMs } = about
  const value = {
    request_id: requestIdIn(record),
    outcome: 'refused',
    reason: reason.code,
    path: reason.path,
    detail: reason.path === '' ? reason.came : `${reason.path}: ${reason.came}`,
    timestamp: formatInstant(nowMs),
  }
  const answer = answerRecord(record, JSON.stringify(value), nowMs)
  if (found.has(deadLetterTopic)) return { answer }
  const why = { verdict: 'refused', refusals: [reason] } as const
  const letter = rejectionRecord({ stream: name, topic, partition, record, why })
  return { answer, besides: [{ topic: deadLetterTopic, record: letter }] }
}

/** An answer has the key of its request, so that it can be found by it; without one, the id. */
export function answerRecord(request: LogRecord, json: string, nowMs: number): RecordInput {
  const id = request.key === null ? requestIdIn(request) : null
  const key = request.key ?? (id === null ? null : Buffer.from(id))
  return { key, value: Buffer.from(json), timestampMs: nowMs }
}

/** Whatever else is wrong with it: whoever waits for an answer looks for this. */
function requestIdIn({ value }: LogRecord): string | null {
  const parsed = value === null ? null : parseObject(value)
  if (parsed === null || 'refusals' in parsed) return null
  const id = memberOf(parsed.object, 'request_id')
  return typeof id === 'string' && id.length <= requestIdCharsMax ? id : null
}
