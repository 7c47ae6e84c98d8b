import { parseLossless } from '../../base/lossless-json.ts'
import { describe, eventDepthMax, isDeeperThan } from '../../schema/decode.ts'
import type { FixRequest, OutputPlace, RejectionKind, ReplayRequest } from '../http-service.ts'
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

export type ReplayLimits = { readonly placesMax: number; readonly replayMax: number }

const examples = {
  replay: '{"places":["2@17"]} or {"all":true,"stream":"payments"}',
  fix: '{"place":"2@17","set":{"amount":12.5}} or {"place":"2@17","event":{"amount":12.5}}',
}

/** The body of `POST /v1/dead-letters/replay`, checked. Throws `REQUEST_MALFORMED` and `REQUEST_TOO_LARGE`. */
export function parseReplayRequest(body: Uint8Array, { placesMax, replayMax }: ReplayLimits): ReplayRequest {
  const request = parseObject(body, examples.replay)
  checkMembers(request, ['places', 'all', 'stream', 'reason', 'from', 'limit', 'late'], 'the request')
  const kind = parseKind(request)
  const [places, all] = [own(request, 'places'), own(request, 'all')]
  if ((places === undefined) === (all === undefined)) {
    const detail = places === undefined ? 'it has neither "places" nor "all"' : 'it has "places" and "all"'
    throw malformed(detail, `Send one of them: ${examples.replay}.`)
  }
  if (places !== undefined) {
    const narrowing = ['stream', 'reason', 'from', 'limit'].find((name) => own(request, name) !== undefined)
    if (narrowing !== undefined)
      throw malformed(`it has "places" and "${narrowing}"`, `"${narrowing}" goes with "all".`)
    if (!Array.isArray(places) || places.length === 0) {
      throw malformed(`"places" is ${Array.isArray(places) ? 'an empty array' : describe(places)}`, placesAllowed)
    }
    checkCount(places.length, 'places', placesMax)
    return { kind, target: { places: places.map((place, index) => parsePlace(place, `"places" ${index}`)) } }
  }
  if (all !== true) throw malformed(`"all" is ${describe(all)}`, 'Give true, or "places" instead.')
  const [stream, reason] = [parseText(request, 'stream'), parseText(request, 'reason')]
  const from = own(request, 'from')
  return {
    kind,
    target: {
      all: {
        ...(stream === undefined ? {} : { stream }),
        ...(reason === undefined ? {} : { reason }),
        from: from === undefined ? { partition: 0, offset: 0 } : parsePlace(from, '"from"'),
        countMax: parseLimit(own(request, 'limit'), replayMax),
      },
    },
  }
}

/** The body of `POST /v1/dead-letters/fix`, checked. Throws `REQUEST_MALFORMED`. */
export function parseFixRequest(body: Uint8Array): FixRequest {
  const request = parseObject(body, examples.fix)
  checkMembers(request, ['place', 'set', 'event', 'late'], 'the request')
  const place = parsePlace(own(request, 'place'), '"place"')
  const kind = parseKind(request)
  const [set, event] = [own(request, 'set'), own(request, 'event')]
  if ((set === undefined) === (event === undefined)) {
    const detail = set === undefined ? 'it has neither "set" nor "event"' : 'it has "set" and "event"'
    throw malformed(detail, `Send one of them: ${examples.fix}.`)
  }
  // The bytes that came, not the parsed value written again: 1e999 must meet the same verdict here as in the log.
  if (event !== undefined) return { kind, place, mended: { event: memberBytes(body, 'event')! } }
  const allowed = 'Give an object of dotted paths and their new values: {"amount":12.5,"customer.id":7}.'
  if (!isObject(set) || Object.keys(set).length === 0) {
    throw malformed(`"set" is ${isObject(set) ? 'an empty object' : describe(set)}`, allowed)
  }
  for (const path of Object.keys(set)) {
    if (path.split('.').every((step) => step.length > 0)) continue
    throw malformed(`"set" has the path ${JSON.stringify(path.slice(0, 40))}, with an empty step`, allowed)
  }
  const bytes = memberBytes(body, 'set')!
  if (isDeeperThan(bytes, eventDepthMax)) throw malformed(`"set" is nested deeper than ${eventDepthMax}`, allowed)
  const values = parseLossless(Buffer.from(bytes).toString()) as Readonly<Record<string, unknown>>
  return { kind, place, mended: { set: values } }
}

const placesAllowed = 'Give places as the dead letters list them: ["2@17"].'

function parsePlace(place: unknown, where: string): OutputPlace {
  const [, partition, offset] = typeof place === 'string' ? (/^(\d{1,9})@(\d{1,15})$/.exec(place) ?? []) : []
  if (offset !== undefined) return { partition: Number(partition), offset: Number(offset) }
  throw malformed(`${where} is ${came(place)}`, 'Give PARTITION@OFFSET as text, such as "2@17".')
}

function parseKind(request: JsonObject): RejectionKind {
  const late = own(request, 'late') ?? false
  if (typeof late === 'boolean') return late ? 'late' : 'refused'
  throw malformed(`"late" is ${describe(late)}`, 'Give true for late events, false for refused ones.')
}

function parseText(request: JsonObject, name: string): string | undefined {
  const value = own(request, name)
  if (value === undefined || (typeof value === 'string' && value.length > 0 && value.length <= 256)) return value
  throw malformed(`"${name}" is ${describe(value)}`, 'Give a name of at most 256 characters, or leave it out.')
}

function parseLimit(limit: unknown, max: number): number {
  if (limit === undefined) return max
  if (typeof limit === 'number' && Number.isInteger(limit) && limit >= 1 && limit <= max) return limit
  throw malformed(`"limit" is ${describe(limit)}`, `Give a whole number from 1 to ${max}.`)
}
