import type { FastifyInstance } from 'fastify'
import { describe } from '../../schema/decode.ts'
import type { ResumeOptions } from '../http-service.ts'
import { checkMembers, malformed, own, parseObject } from './request-body.ts'
import { answer, rawBody, readiness, type RouteParts } from './route.ts'

type Named = { readonly Params: { readonly name: string } }

/** What is done about predictions: listed, stopped and resumed. */
export function addActionRoutes(server: FastifyInstance, { service, limits, checkReady }: RouteParts): void {
  const settings = { onRequest: readiness(checkReady), bodyLimit: limits.readBytesMax }
  server.get('/v1/actions', (_request, reply) => answer(reply, 200, { actions: service.actions() }))
  server.post<Named>('/v1/actions/:name/stop', settings, async (request, reply) => {
    const { note } = parseActionRequest(rawBody(request, ['application/json']).body, ['note'])
    return answer(reply, 200, await service.stopAction(request.params.name, note))
  })
  server.post<Named>('/v1/actions/:name/resume', settings, async (request, reply) => {
    const asked = parseActionRequest(rawBody(request, ['application/json']).body, ['note', 'skip'])
    return answer(reply, 200, await service.resumeAction(request.params.name, asked))
  })
}

const example = '{"note":"the receiver is down"}'

/** Throws `REQUEST_MALFORMED`. */
function parseActionRequest(body: Uint8Array, members: readonly ('note' | 'skip')[]): Required<ResumeOptions> {
  const request = parseObject(body, example)
  checkMembers(request, members, 'the request')
  const [note = null, skip = false] = [own(request, 'note'), own(request, 'skip')]
  if (note !== null && typeof note !== 'string') throw malformed(`"note" is ${describe(note)}`, `Send ${example}.`)
  if (typeof skip !== 'boolean') throw malformed(`"skip" is ${describe(skip)}`, 'Give true or false.')
  return { note, skip }
}
