import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Clock } from '../../base/clock.ts'
import { type Answer, type Answers, jsonType, retryAfterSeconds } from './answers.ts'

/** A request whose head is plain enough to be answered here, with what of it matters. */
type Direct = {
  readonly route: 'POST /v1/features' | 'POST /v1/predict' | 'POST /v1/events/:stream'
  readonly stream: string
  readonly framing: 'json' | 'ndjson'
  readonly size: number
  readonly bodyBytesMax: number
}

export type DirectOptions = {
  readonly answers: Answers
  readonly limits: { readonly bodyBytesMax: number; readonly readBytesMax: number }
  readonly clock: Clock
  /** Asked before the body is read; where it says no, the framework answers. */
  readonly isReady: () => boolean
  readonly isDraining: () => boolean
  readonly requestId: (request: IncomingMessage) => string
  readonly faultAnswer: (error: unknown, context: { requestId: string; bodyBytesMax: number }) => Answer
  readonly observe: (answer: { readonly route: string; readonly status: number; readonly seconds: number }) => void
}

const eventsPath = '/v1/events/'
/** The names that streams may have: anything else, percent signs and queries included, is left to the framework. */
const streamPattern = /^[A-Za-z_]\w{0,127}$/

/**
 * Answers the requests that come often before the framework sees them, which costs as much as all the rest of such
 * a request. Only where their head is plain: everything else about them (other types, no length, too large, not ready)
 * goes the framework's way, whose answers these are byte for byte.
 */
export function addDirectRoutes(server: Server, options: DirectOptions): void {
  const [others] = server.listeners('request') as [RequestListener]
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const direct = directOf(request, options.limits)
    if (direct === null || options.isDraining() || !options.isReady()) others(request, response)
    else new DirectRequest(direct, options, { request, response }).collect()
  })
}

function directOf({ method, url = '', headers }: IncomingMessage, limits: DirectOptions['limits']): Direct | null {
  if (method !== 'POST') return null
  const isRead = url === '/v1/features' || url === '/v1/predict'
  const stream = isRead ? '' : url.slice(eventsPath.length)
  if (!isRead && !(url.startsWith(eventsPath) && streamPattern.test(stream))) return null
  const framing = framingOf(headers['content-type'])
  if (framing === null || (isRead && framing === 'ndjson')) return null
  const length = headers['content-length']
  const bodyBytesMax = isRead ? limits.readBytesMax : limits.bodyBytesMax
  const size = length === undefined ? Number.NaN : Number(length)
  if (!(size <= bodyBytesMax) || headers['content-encoding'] !== undefined) return null
  const route = isRead ? (`POST ${url}` as const) : 'POST /v1/events/:stream'
  return { route, stream, framing, size, bodyBytesMax }
}

function framingOf(type: string | undefined): 'json' | 'ndjson' | null {
  if (type === 'application/json' || type === jsonType) return 'json'
  return type === 'application/x-ndjson' || type === 'application/ndjson' ? 'ndjson' : null
}

type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse }

/** From the head of a request to its answer. */
class DirectRequest {
  readonly #direct: Direct
  readonly #options: DirectOptions
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #requestId: string
  readonly #startedAt: number

  constructor(direct: Direct, options: DirectOptions, { request, response }: Exchange) {
    this.#direct = direct
    this.#options = options
    this.#request = request
    this.#response = response
    this.#requestId = options.requestId(request)
    this.#startedAt = options.clock.elapsed()
  }

  /** Waits for the body, which comes in one piece unless it is large. One that breaks off is never answered. */
  collect(): void {
    const pieces: Buffer[] = []
    this.#request.on('data', (piece: Buffer) => pieces.push(piece))
    this.#request.on('end', () => this.#answer(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)))
  }

  #answer(body: Uint8Array): void {
    const { route, stream, framing } = this.#direct
    const { answers } = this.#options
    const fail = (error: unknown): void => this.#send(this.#faultAnswer(error))
    if (route === 'POST /v1/events/:stream') {
      answers.events({ stream, body, framing, requestId: this.#requestId }).then((answer) => this.#send(answer), fail)
      return
    }
    if (route === 'POST /v1/predict') {
      answers.predictions(body).then((answer) => this.#send(answer), fail)
      return
    }
    let answer: Answer
    try {
      answer = answers.features(body, this.#request.headers.accept)
    } catch (error) {
      fail(error)
      return
    }
    this.#send(answer)
  }

  #faultAnswer(error: unknown): Answer {
    return this.#options.faultAnswer(error, { requestId: this.#requestId, bodyBytesMax: this.#direct.bodyBytesMax })
  }

  #send({ status, type, body }: Answer): void {
    const { isDraining, observe, clock } = this.#options
    const headers = [
      'content-type',
      type,
      'content-length',
      String(Buffer.byteLength(body)),
      'x-request-id',
      this.#requestId,
    ]
    if (status === 503) headers.push('retry-after', String(retryAfterSeconds))
    // A connection that is kept open would keep the server from closing.
    if (isDraining()) headers.push('connection', 'close')
    this.#response.writeHead(status, headers)
    this.#response.end(body)
    observe({ route: this.#direct.route, status, seconds: (clock.elapsed() - this.#startedAt) / 1_000 })
  }
}
