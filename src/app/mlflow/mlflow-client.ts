import { type Clock } from '../../base/clock.ts'
import { MillraceError, messageOf } from '../../base/faults.ts'

export type MlflowOptions = {
  /** Of the tracking server, such as `http://127.0.0.1:5000`. */
  readonly url: string
  /** Where MLFLOW_TRACKING_TOKEN, or …_USERNAME and …_PASSWORD, are looked up. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Of each request, answer included. Default 2 minutes. */
  readonly timeoutMs?: number
}

const timeoutMsDefault = 120_000
const answerBytesMax = 8 * 1024 * 1024
const redirectsMax = 3

/**
 * Asks an MLflow tracking server. What it answers is another's: it is bounded, and it sends nobody elsewhere, since a
 * redirect to another origin would take the credentials along.
 */
export class MlflowClient {
  /** Of the server, without a path. */
  readonly origin: string
  readonly #base: URL
  readonly #authorization: string | null
  readonly #options: MlflowOptions

  /** Throws `REQUEST_MALFORMED`. */
  constructor(options: MlflowOptions) {
    this.#base = baseOf(options.url)
    this.origin = this.#base.origin
    this.#authorization = authorizationOf(options.environment)
    this.#options = options
  }

  /** An answer of the REST API; null when it has no such thing. Throws `MLFLOW_UNREACHABLE`, `MLFLOW_REFUSED`. */
  async get(path: string, query: Readonly<Record<string, string>>): Promise<unknown> {
    const body = await this.#fetch(`api/2.0/mlflow/${path}?${String(new URLSearchParams(query))}`, answerBytesMax)
    if (body === null) return null
    try {
      return JSON.parse(Buffer.from(body).toString()) as unknown
    } catch (error) {
      throw this.#refused(`it answers ${path} without JSON, so it is no MLflow`, error)
    }
  }

  /** A file that the server keeps; null when there is none. */
  async artefact(path: string, bytesMax: number): Promise<Uint8Array | null> {
    const encoded = path.split('/').map(encodeURIComponent).join('/')
    return await this.#fetch(`api/2.0/mlflow-artifacts/artifacts/${encoded}`, bytesMax)
  }

  async #fetch(path: string, bytesMax: number): Promise<Uint8Array | null> {
    const headers: Record<string, string> = { accept: '*/*' }
    if (this.#authorization !== null) headers['authorization'] = this.#authorization
    const stop = new AbortController()
    const answered = new AbortController()
    const timeoutMs = this.#options.timeoutMs ?? timeoutMsDefault
    void this.#options.clock.sleep(timeoutMs, answered.signal).then(() => stop.abort(), ignore)
    try {
      const response = await this.#follow(new URL(path, this.#base), { headers, signal: stop.signal })
      if (response.status === 404) {
        await response.body?.cancel()
        return null
      }
      if (response.status !== 200) throw await this.#refusedAnswer(response)
      return await this.#read(response, bytesMax)
    } catch (error) {
      if (error instanceof MillraceError) throw error
      // `fetch` says no more than "fetch failed"; what failed is in the cause.
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      const detail = stop.signal.aborted ? `there was no whole answer within ${timeoutMs} ms` : messageOf(cause)
      throw new MillraceError('MLFLOW_UNREACHABLE', { url: this.origin, detail }, { cause: error })
    } finally {
      answered.abort()
    }
  }

  async #follow(url: URL, init: RequestInit): Promise<Response> {
    for (let hops = 0; ; hops++) {
      const response = await fetch(url, { ...init, redirect: 'manual' })
      if (response.status < 300 || response.status > 399) return response
      await response.body?.cancel()
      const to = new URL(response.headers.get('location') ?? '', url)
      if (to.origin !== this.origin) throw this.#refused(`it redirects to ${to.origin}, and is not followed there`)
      if (hops === redirectsMax) throw this.#refused(`it redirects more than ${redirectsMax} times`)
      url = to
    }
  }

  async #read(response: Response, bytesMax: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let size = 0
    for await (const piece of response.body ?? []) {
      size += piece.length
      if (size > bytesMax)
        throw new MillraceError('REQUEST_TOO_LARGE', { size: 'too many', unit: 'bytes', limit: bytesMax })
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  }

  async #refusedAnswer(response: Response): Promise<MillraceError> {
    const { status } = response
    const isOverloaded = status >= 500 || status === 429
    const text = Buffer.from(await this.#read(response, answerBytesMax)).toString()
    const said = status === 401 || status === 403 ? `it answers ${status}: the credentials are missing or wrong` : null
    const detail = said ?? `it answers ${status}: ${messageIn(text)}`
    if (isOverloaded) return new MillraceError('MLFLOW_UNREACHABLE', { url: this.origin, detail })
    return this.#refused(detail)
  }

  #refused(detail: string, cause?: unknown): MillraceError {
    return new MillraceError('MLFLOW_REFUSED', { url: this.origin, detail }, { cause })
  }
}

function ignore(): void {
  // The sleep was ended because the answer is there.
}

function baseOf(text: string): URL {
  const allowed = 'Give the address of a tracking server, such as http://127.0.0.1:5000.'
  let url: URL
  try {
    url = new URL(text.endsWith('/') ? text : `${text}/`)
  } catch (error) {
    throw new MillraceError(
      'REQUEST_MALFORMED',
      { detail: 'the address of MLflow is no URL', allowed },
      { cause: error },
    )
  }
  if (url.username !== '' || url.password !== '') {
    const detail = 'the address of MLflow holds credentials'
    const instead = 'Give them by the environment: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.'
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: instead })
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') return url
  throw new MillraceError('REQUEST_MALFORMED', { detail: `the address of MLflow begins with ${url.protocol}`, allowed })
}

function authorizationOf(environment: MlflowOptions['environment']): string | null {
  const token = environment['MLFLOW_TRACKING_TOKEN']
  const [user, password] = [environment['MLFLOW_TRACKING_USERNAME'], environment['MLFLOW_TRACKING_PASSWORD']]
  if (user !== undefined && password !== undefined) {
    return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  }
  return token === undefined || token === '' ? null : `Bearer ${token}`
}

/** What MLflow says of its own faults; of any other server no more than a little. */
function messageIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    if (typeof message === 'string') return message.slice(0, 300)
  } catch {
    // Then it is no MLflow that answers: what it says is shown as it is.
  }
  return JSON.stringify(text.slice(0, 100))
}
