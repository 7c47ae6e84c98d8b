import type { FastifyReply, FastifyRequest } from 'fastify'
import { MillraceError } from '../../base/faults.ts'
import type { HttpService } from '../http-service.ts'
import { type Answer, jsonType } from './answers.ts'
import type { HttpLimits } from './http-limits.ts'

/** What routes are made of. */
export type RouteParts = { readonly service: HttpService; readonly limits: HttpLimits; readonly checkReady: () => void }

/** Runs before the body is read: what will be refused anyway need not be uploaded first. */
export function readiness(checkReady: () => void) {
  return (_request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    checkReady()
    done()
  }
}

export function answer(reply: FastifyReply, status: number, body: object): FastifyReply {
  return reply.code(status).type(jsonType).send(JSON.stringify(body))
}

export function send(reply: FastifyReply, { status, type, body }: Answer): FastifyReply {
  return reply.code(status).type(type).send(body)
}

export function rawBody(request: FastifyRequest, allowed: readonly string[]): { body: Uint8Array; type: string } {
  const header = request.headers['content-type'] ?? ''
  const type = header.split(';')[0]!.trim().toLowerCase()
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (!allowed.includes(type) || encoding !== 'identity') {
    const came = `${type === '' ? 'no content-type' : type.slice(0, 100)}${encoding === 'identity' ? '' : ', compressed'}`
    throw new MillraceError('REQUEST_TYPE_UNSUPPORTED', { came, allowed: allowed.join(' or ') })
  }
  return { body: request.body instanceof Uint8Array ? request.body : new Uint8Array(0), type }
}
