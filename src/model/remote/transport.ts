import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

export type HttpRequest = {
  readonly method: 'GET' | 'POST'
  /** Below the server's place, with a slash before it. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
}

export type HttpAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
}

/** The answer is longer than is taken. */
export class AnswerTooLong extends Error {}

export type TransportOptions = {
  readonly url: string
  readonly connectionsMax: number
  readonly answerBytesMax: number
  readonly headers: Readonly<Record<string, string>>
}

/** Requests to one server, over a bounded number of connections that are kept. Follows no redirects. */
export class Transport {
  readonly #options: TransportOptions
  readonly #url: URL
  readonly #agent: HttpAgent | HttpsAgent

  constructor(options: TransportOptions) {
    this.#options = options
    this.#url = new URL(options.url)
    const { connectionsMax: maxSockets } = options
    const settings = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets, scheduling: 'lifo' } as const
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings)
  }

  /** Rejects where there is no whole answer: not reached, broken off, too long, or `signal` aborted. */
  async send({ method, path, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest
    const url = new URL(this.#url)
    url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`
    return await new Promise((resolve, reject) => {
      const length = body === null ? {} : { 'content-length': String(body.length) }
      const options = {
        method,
        agent: this.#agent,
        signal,
        headers: { ...headers, ...length, ...this.#options.headers },
      }
      const request = send(url, options, (answer) => {
        readAnswer(answer, this.#options.answerBytesMax).then(resolve, (error: unknown) => {
          request.destroy()
          reject(error)
        })
      })
      request.on('error', reject)
      request.end(body ?? undefined)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

async function readAnswer(answer: IncomingMessage, bytesMax: number): Promise<HttpAnswer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bytesMax) throw new AnswerTooLong(`the answer has more than ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }
}
