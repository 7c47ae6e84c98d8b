import type { ModelChangeRequest, ModelPushRequest } from '../http-service.ts'
import { came, checkMembers, type JsonObject, malformed, own, parseObject } from './request-body.ts'

/** A line of JSON, and after it the artefact as it is. */
export const modelType = 'application/vnd.millrace.model.v1'

const pushExample = '{"description": …, "note": "…"} in one line, and after the line break the artefact'
const changeExample = '{"promote": 2}, {"promote": 2, "to": "shadow"}, {"rollback": true} or {"retire": 1}'
const newline = 0x0a

/** The body of `POST /v1/models/:model/versions`, but for the description in it. Throws `REQUEST_MALFORMED`. */
export function parseModelPush(body: Uint8Array): Omit<ModelPushRequest, 'model'> {
  const end = body.indexOf(newline)
  if (end < 0) throw malformed('there is no line break after its first line', `Send ${pushExample}.`)
  const request = parseObject(body.subarray(0, end), pushExample)
  checkMembers(request, ['description', 'expected', 'note'], 'the first line')
  const description = own(request, 'description')
  return { description, artefact: body.subarray(end + 1), ...parseShared(request, pushExample) }
}

/** The body of `POST /v1/models/:model`. Throws `REQUEST_MALFORMED`. */
export function parseModelChange(body: Uint8Array): Omit<ModelChangeRequest, 'model'> {
  const request = parseObject(body, changeExample)
  checkMembers(request, ['promote', 'to', 'rollback', 'retire', 'allowLive', 'expected', 'note'], 'the request')
  return { action: parseAction(request), ...parseShared(request, changeExample) }
}

function parseAction(request: JsonObject): ModelChangeRequest['action'] {
  const allowed = `Send ${changeExample}.`
  const kinds = ['promote', 'rollback', 'retire'].filter((name) => own(request, name) !== undefined)
  if (kinds.length !== 1) {
    const detail = kinds.length === 0 ? 'it says nothing to do' : `it has both "${kinds[0]}" and "${kinds[1]}"`
    throw malformed(detail, allowed)
  }
  const [promote, rollback, retire] = [own(request, 'promote'), own(request, 'rollback'), own(request, 'retire')]
  const [to, allowLive] = [own(request, 'to'), own(request, 'allowLive')]
  if (to !== undefined && promote === undefined) throw malformed('"to" is without "promote"', allowed)
  if (allowLive !== undefined && retire === undefined) throw malformed('"allowLive" is without "retire"', allowed)
  if (promote !== undefined) {
    const stage = to ?? 'live'
    if (stage !== 'live' && stage !== 'shadow' && stage !== 'candidate') {
      throw malformed(`"to" is ${came(to)}`, 'Give live, shadow or candidate.')
    }
    return { promote: countOf(promote, 'promote', allowed), to: stage }
  }
  if (rollback !== undefined) {
    if (rollback !== true) throw malformed(`"rollback" is ${came(rollback)}`, allowed)
    return { rollback }
  }
  if (allowLive !== undefined && typeof allowLive !== 'boolean') {
    throw malformed(`"allowLive" is ${came(allowLive)}`, 'Give true or false.')
  }
  return { retire: countOf(retire, 'retire', allowed), allowLive: allowLive === true }
}

function parseShared(request: JsonObject, example: string): { expected?: number; note?: string } {
  const [expected, note] = [own(request, 'expected'), own(request, 'note')]
  if (note !== undefined && typeof note !== 'string') throw malformed(`"note" is ${came(note)}`, 'Give text.')
  return {
    ...(expected === undefined ? {} : { expected: countOf(expected, 'expected', `Send ${example}.`) }),
    ...(note === undefined ? {} : { note }),
  }
}

function countOf(value: unknown, name: string, allowed: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw malformed(`"${name}" is ${came(value)}`, allowed)
}
