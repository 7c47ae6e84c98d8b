import type { Socket } from 'node:net'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { type Clock, systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { HttpService } from '../http-service.ts'
import { faultBody, faultOf } from './answer-fault.ts'
import { type Answer, Answers, faultAnswer, jsonType, retryAfterSeconds } from './answers.ts'
import { addActionRoutes } from './action-routes.ts'
import { parseApplyRequest } from './apply-request.ts'
import { addDirectRoutes } from './direct-routes.ts'
import { type HttpLimits, limitsDefault } from './http-limits.ts'
import { addModelRoutes } from './model-routes.ts'
import { parseForgetRequest } from './read-request.ts'
import { parseFixRequest, parseReplayRequest } from './replay-request.ts'
import { answer, rawBody, readiness, type RouteParts, send } from './route.ts'

export type { HttpLimits }

export type HttpServerOptions = {
  readonly limits?: Partial<HttpLimits>
  readonly logger?: HttpLogger
  /** Times answers. Default: the machine's clock. */
  readonly clock?: Clock
  /** Told of every answer; `route` is one of `httpRoutes`, or `unknown`. */
  readonly observe?: (answer: HttpAnswer) => void
}

/** Silent by default. Only what an operator should see comes here: no line per request. */
export type HttpLogger = {
  error(fields: Readonly<Record<string, unknown>>, text: string): void
}

export type HttpAnswer = {
  readonly route: string
  readonly status: number
  readonly seconds: number
  /** Whether it went past the framework: `direct-routes.ts`. */
  readonly isDirect: boolean
}

export type HttpServer = {
  /** Resolves with the address, such as `http://127.0.0.1:8080`, once connections are taken. Port 0 picks a free one. */
  listen(port: number, host: string): Promise<string>
  /** Null before `listen`. */
  readonly address: string | null
  /** Takes no more connections, answers 503 to new requests on open ones, resolves when all others are answered. */
  close(): Promise<void>
  /** Answers a request without a socket, for tests. */
  readonly inject: FastifyInstance['inject']
}

export const httpRoutes = [
  'POST /v1/events/:stream',
  'POST /v1/features',
  'POST /v1/predict',
  'POST /v1/forget',
  'GET /v1/registry',
  'GET /v1/registry/:number',
  'POST /v1/registry',
  'GET /v1/models',
  'GET /v1/models/:model',
  'POST /v1/models/:model',
  'POST /v1/models/:model/versions',
  'GET /v1/actions',
  'POST /v1/actions/:name/stop',
  'POST /v1/actions/:name/resume',
  'POST /v1/dead-letters/replay',
  'POST /v1/dead-letters/fix',
  'GET /health',
  'GET /ready',
  'GET /metrics',
]

/** Not text/plain: a web page of anyone may send that from a visitor's browser without asking. */
const ndjsonTypes = ['application/x-ndjson', 'application/ndjson']

export function makeHttpServer(service: HttpService, options: HttpServerOptions = {}): HttpServer {
  const limits = { ...limitsDefault, ...options.limits }
  const state = { draining: false, address: null as string | null }
  const answers = new Answers(service, limits)
  const requestId = makeRequestIds()
  const server = fastify({
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    // Requests on open connections are answered by `refuseWhileDraining`, in the shape of all other faults.
    return503OnClosing: false,
    genReqId: requestId,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, request, reply) => {
      answerFault(error, request as FastifyRequest, reply as FastifyReply)
    },
    clientErrorHandler: answerBrokenRequest,
  })

  /** The answer to what was thrown; logged when it is not the client's doing. */
  function answerOfFault(error: unknown, context: { requestId: string; bodyBytesMax: number }): Answer {
    const answer = faultAnswer(error, context)
    const isNotReady = error instanceof MillraceError && error.code === 'SERVICE_NOT_READY'
    if (answer.status >= 500 && !isNotReady) {
      const { code } = faultOf(error, context)
      options.logger?.error({ requestId: context.requestId, code, error }, 'request failed')
    }
    return answer
  }

  function answerFault(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const bodyBytesMax = request.routeOptions?.bodyLimit ?? limits.bodyBytesMax
    const given = answerOfFault(error, { requestId: request.id, bodyBytesMax })
    if (given.status === 503) reply.header('retry-after', retryAfterSeconds)
    send(reply, given)
  }

  function checkReady(): void {
    const { ready, reasons } = state.draining ? { ready: false, reasons: ['it is shutting down'] } : service.ready()
    if (!ready) throw new MillraceError('SERVICE_NOT_READY', { reasons: reasons.join(', ') })
  }

  server.setErrorHandler(answerFault)
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]!.slice(0, 200)
    const details = { method: request.method, path, routes: httpRoutes.join(', ') }
    answerFault(new MillraceError('ROUTE_UNKNOWN', details), request, reply)
  })
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    if (state.draining) reply.header('connection', 'close')
    done()
  })
  server.addHook('onSend', (_request, reply, _payload, done) => {
    // A connection that is kept open would keep `close` waiting.
    if (state.draining) reply.header('connection', 'close')
    done()
  })
  if (options.observe !== undefined) observeAnswers(server, options.observe)
  keepRawBodies(server)
  addIngestion(server, { answers, checkReady })
  addReads(server, { answers, limits, checkReady })
  addPredictions(server, { answers, limits, checkReady })
  addForgetting(server, { service, limits, checkReady })
  addRegistry(server, { service, limits, checkReady })
  addModelRoutes(server, { service, limits, checkReady })
  addActionRoutes(server, { service, limits, checkReady })
  addReplays(server, { service, limits, checkReady })
  addProbes(server, { service, checkReady })
  addDirectRoutes(server.server, {
    answers,
    limits,
    clock: options.clock ?? systemClock,
    isReady: () => !state.draining && service.ready().ready,
    isDraining: () => state.draining,
    requestId,
    faultAnswer: answerOfFault,
    observe: (given) => options.observe?.({ ...given, isDirect: true }),
  })

  return {
    async listen(port, host) {
      state.address = await server.listen({ port, host })
      return state.address
    },
    get address() {
      return state.address
    },
    async close() {
      state.draining = true
      await server.close()
    },
    inject: server.inject.bind(server) as FastifyInstance['inject'],
  }
}

type AnswerParts = { readonly answers: Answers; readonly checkReady: () => void }

function addIngestion(server: FastifyInstance, { answers, checkReady }: AnswerParts): void {
  const allowed = ['application/json', ...ndjsonTypes]
  const onRequest = readiness(checkReady)
  server.post<{ Params: { stream: string } }>('/v1/events/:stream', { onRequest }, async (request, reply) => {
    const { body, type } = rawBody(request, allowed)
    const framing = type === 'application/json' ? 'json' : 'ndjson'
    return send(reply, await answers.events({ stream: request.params.stream, body, framing, requestId: request.id }))
  })
}

function addReads(
  server: FastifyInstance,
  { answers, limits, checkReady }: AnswerParts & Pick<RouteParts, 'limits'>,
): void {
  const settings = { onRequest: readiness(checkReady), bodyLimit: limits.readBytesMax }
  server.post('/v1/features', settings, (request, reply) => {
    const { body } = rawBody(request, ['application/json'])
    send(reply, answers.features(body, request.headers.accept))
  })
}

function addPredictions(
  server: FastifyInstance,
  { answers, limits, checkReady }: AnswerParts & Pick<RouteParts, 'limits'>,
): void {
  const settings = { onRequest: readiness(checkReady), bodyLimit: limits.readBytesMax }
  server.post('/v1/predict', settings, async (request, reply) => {
    const { body } = rawBody(request, ['application/json'])
    return send(reply, await answers.predictions(body))
  })
}

function addForgetting(server: FastifyInstance, { service, limits, checkReady }: RouteParts): void {
  const settings = { onRequest: readiness(checkReady), bodyLimit: limits.readBytesMax }
  server.post('/v1/forget', settings, async (request, reply) => {
    const { body } = rawBody(request, ['application/json'])
    const { entity, prefix, at } = await service.forget(parseForgetRequest(body))
    return answer(reply, 200, { entity, prefix, at })
  })
}

function addRegistry(server: FastifyInstance, { service, limits, checkReady }: RouteParts): void {
  const settings = { onRequest: readiness(checkReady), bodyLimit: limits.applyBytesMax }
  server.get('/v1/registry', (_request, reply) => answer(reply, 200, service.registry()))
  server.get<{ Params: { number: string } }>('/v1/registry/:number', (request, reply) => {
    const { number } = request.params
    if (/^\d{1,9}$/.test(number)) return answer(reply, 200, service.version(Number(number)))
    const detail = `the path names version "${number.slice(0, 40)}"`
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Give the number of a version.' })
  })
  server.post('/v1/registry', settings, async (request, reply) => {
    const { body } = rawBody(request, ['application/json'])
    return answer(reply, 200, await service.apply(parseApplyRequest(body)))
  })
}

function addReplays(server: FastifyInstance, { service, limits, checkReady }: RouteParts): void {
  const allowed = ['application/json']
  // A mended event is one event, and the request a little more.
  const settings = { onRequest: readiness(checkReady), bodyLimit: limits.eventBytesMax + 64 * 1024 }
  server.post('/v1/dead-letters/replay', settings, async (request, reply) => {
    const { body } = rawBody(request, allowed)
    return answer(reply, 200, await service.replay(parseReplayRequest(body, limits)))
  })
  server.post('/v1/dead-letters/fix', settings, async (request, reply) => {
    const { body } = rawBody(request, allowed)
    return answer(reply, 200, await service.fix(parseFixRequest(body)))
  })
}

function addProbes(server: FastifyInstance, { service, checkReady }: Omit<RouteParts, 'limits'>): void {
  server.get('/health', (_request, reply) => {
    const health = service.health()
    answer(reply, health.healthy ? 200 : 503, health)
  })
  server.get('/ready', (_request, reply) => {
    checkReady()
    answer(reply, 200, service.ready())
  })
  server.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await service.metrics()
    return reply.type(contentType).send(body)
  })
}

/** Bodies are kept as bytes, of whatever type; routes say which types they take. */
function keepRawBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body)
  })
}

/** A client's own id where it is short and plain, otherwise a number in this process. */
function makeRequestIds(): (request: { headers: { [name: string]: string | string[] | undefined } }) => string {
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && /^[\w.:-]{1,100}$/.test(given)) return given
    count += 1
    return `r${count}`
  }
}

function observeAnswers(server: FastifyInstance, observe: (answer: HttpAnswer) => void): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { url } = request.routeOptions
    // HEAD is answered as GET is.
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = httpRoutes.find((one) => one === `${method} ${url}`) ?? 'unknown'
    observe({ route, status: reply.statusCode, seconds: reply.elapsedTime / 1_000, isDirect: false })
    done()
  })
}

/** Bytes that are no HTTP, or a request that took too long: there is no request yet to answer as one. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const detail = late ? 'it did not arrive in time' : 'it is not HTTP/1.1'
  const fault = new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Send a whole HTTP/1.1 request.' })
  const body = JSON.stringify(faultBody(fault, ''))
  const status = late ? '408 Request Timeout' : '400 Bad Request'
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: ${jsonType}\r\ncontent-length: ${Buffer.byteLength(body)}`
  socket.end(`${head}\r\n\r\n${body}`)
}
