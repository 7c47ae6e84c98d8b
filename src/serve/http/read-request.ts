import { describe } from '../../schema/decode.ts'
import { parseInstant } from '../../schema/instant.ts'
import type { ForgetRequest, PredictRequest, ReadRequest } from '../http-service.ts'
import { memberBytes } from './json-scan.ts'
import {
  came,
  checkCount,
  checkMembers,
  isObject,
  type JsonObject,
  malformed,
  own,
  parseObject,
} from './request-body.ts'

export type ReadLimits = { readonly entitiesMax: number; readonly featuresMax: number }

const members = ['service', 'features', 'entities', 'asOf', 'with', 'full']

/**
 * The body of `POST /v1/features`, checked. Names and keys are only checked in shape: whoever reads knows them.
 * Throws `REQUEST_MALFORMED` and `REQUEST_TOO_LARGE`.
 */
export function parseReadRequest(body: Uint8Array, limits: ReadLimits): ReadRequest {
  const request = parseObject(body, '{"service":"fraud_v1","entities":[{"customerId":1}]}')
  checkMembers(request, members, 'the request')
  return {
    target: parseTarget(request, limits),
    entities: parseEntities(own(request, 'entities'), limits),
    ...parseMoment(request, body),
    full: parseFull(own(request, 'full')),
  }
}

/** The body of `POST /v1/predict`, as `parseReadRequest`. */
export function parsePredictRequest(body: Uint8Array, limits: Pick<ReadLimits, 'entitiesMax'>): PredictRequest {
  const request = parseObject(body, '{"model":"fraud","entities":[{"customerId":1}]}')
  checkMembers(request, ['model', 'entities', 'ids', 'asOf', 'with', 'deadlineMs'], 'the request')
  const model = own(request, 'model')
  const deadlineMs = own(request, 'deadlineMs')
  if (typeof model !== 'string' || model.length === 0) throw malformed(`"model" is ${came(model)}`, 'Give its name.')
  if (deadlineMs !== undefined && typeof deadlineMs !== 'number') {
    throw malformed(`"deadlineMs" is ${describe(deadlineMs)}`, 'Give whole milliseconds, or leave it out.')
  }
  return {
    model,
    entities: parseEntities(own(request, 'entities'), limits),
    ...parseMoment(request, body),
    ...parseIds(own(request, 'ids')),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  }
}

function parseIds(ids: unknown): Pick<PredictRequest, 'ids'> {
  if (ids === undefined) return {}
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return { ids }
  throw malformed(`"ids" is ${describe(ids)}`, 'Give a list of texts, one for each entity, or leave it out.')
}

/** What a read is as of, and with. */
function parseMoment(request: JsonObject, body: Uint8Array): Pick<ReadRequest, 'asOf' | 'with'> {
  const added = own(request, 'with')
  const asOf = own(request, 'asOf')
  return {
    ...(asOf === undefined ? {} : { asOf: parseAsOf(asOf) }),
    ...(added === undefined ? {} : { with: parseWith(added, memberBytes(body, 'with')!) }),
  }
}

/** The body of `POST /v1/forget`, checked in shape. Throws `REQUEST_MALFORMED`. */
export function parseForgetRequest(body: Uint8Array): ForgetRequest {
  const request = parseObject(body, '{"entity":"customer","keys":{"customerId":1}}')
  checkMembers(request, ['entity', 'keys'], 'the request')
  const entity = own(request, 'entity')
  const keys = own(request, 'keys')
  if (typeof entity !== 'string') throw malformed(`"entity" is ${describe(entity)}`, 'Give the name of an entity.')
  if (!isObject(keys)) throw malformed(`"keys" is ${describe(keys)}`, 'Give its join keys: {"customerId":1}.')
  return { entity, keys }
}

function parseTarget(request: JsonObject, { featuresMax }: ReadLimits): ReadRequest['target'] {
  const service = own(request, 'service')
  const features = own(request, 'features')
  if ((service === undefined) === (features === undefined)) {
    const detail = service === undefined ? 'it has neither "service" nor "features"' : 'it has "service" and "features"'
    throw malformed(detail, 'Give one of the two: the name of a feature service, or a list of "view:feature".')
  }
  if (service !== undefined) {
    if (typeof service === 'string' && service.length > 0) return { service }
    throw malformed(`"service" is ${describe(service)}`, 'Give the name of a feature service or a view.')
  }
  const allowed = 'Give a list of names such as "customer_spending:payments_1d".'
  if (!Array.isArray(features) || features.length === 0) {
    throw malformed(`"features" is ${Array.isArray(features) ? 'an empty array' : describe(features)}`, allowed)
  }
  checkCount(features.length, 'features', featuresMax)
  features.forEach((feature: unknown, index) => {
    if (typeof feature === 'string' && /^[^:]+:[^:]+$/.test(feature)) return
    throw malformed(`"features" ${index} is ${describe(feature)}`, allowed)
  })
  return { features: features as string[] }
}

function parseEntities(entities: unknown, { entitiesMax }: Pick<ReadLimits, 'entitiesMax'>): ReadRequest['entities'] {
  const allowed = `Give a list of 1 to ${entitiesMax} objects of join keys, such as [{"customerId":1,"terminalId":2}].`
  if (!Array.isArray(entities) || entities.length === 0) {
    const came = entities === undefined ? 'missing' : Array.isArray(entities) ? 'an empty array' : describe(entities)
    throw malformed(`"entities" is ${came}`, allowed)
  }
  checkCount(entities.length, 'entities', entitiesMax)
  entities.forEach((entity: unknown, index) => {
    if (!isObject(entity)) throw malformed(`"entities" ${index} is ${describe(entity)}`, allowed)
  })
  return entities as JsonObject[]
}

function parseAsOf(asOf: unknown): number | 'latest' {
  if (asOf === 'latest') return asOf
  const ms = typeof asOf === 'string' || typeof asOf === 'number' ? parseInstant(asOf, 'ms') : null
  if (ms !== null) return ms
  throw malformed(
    `"asOf" is ${describe(asOf)}`,
    'Give epoch milliseconds or ISO 8601 text with a zone, in [1970, 2100), or "latest"; leave it out for now.',
  )
}

function parseWith(added: unknown, bytes: Uint8Array): NonNullable<ReadRequest['with']> {
  const allowed = 'Give {"stream": name, "event": object}: an event as it would be sent to that stream.'
  if (!isObject(added)) throw malformed(`"with" is ${describe(added)}`, allowed)
  checkMembers(added, ['stream', 'event'], '"with"')
  const stream = own(added, 'stream')
  if (typeof stream !== 'string' || stream.length === 0) throw malformed(`"with.stream" is ${came(stream)}`, allowed)
  const event = own(added, 'event')
  if (!isObject(event)) throw malformed(`"with.event" is ${came(event)}`, allowed)
  // The bytes that came, not the parsed value written again: 1e999 must meet the same verdict here as in the log.
  return { stream, event: memberBytes(bytes, 'event')! }
}

function parseFull(full: unknown): boolean {
  if (full === undefined || typeof full === 'boolean') return full ?? true
  throw malformed(`"full" is ${describe(full)}`, 'Give true for status and age of every value, false for values only.')
}
