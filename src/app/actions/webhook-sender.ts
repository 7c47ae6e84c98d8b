import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/faults.ts'
import type { WebhookPlan } from '../../plan/plan.ts'
import { Pace } from './pace.ts'
import { signatureOf } from './signature.ts'

export type Delivery = {
  /** The same for every attempt, also after a crash: by it a receiver knows what it has had. */
  readonly id: string
  readonly body: Uint8Array
  /** When the prediction was made. */
  readonly predictedMs: number
}

export type Delivered =
  | { readonly outcome: 'delivered'; readonly status: number; readonly attempts: number }
  | { readonly outcome: 'dead'; readonly reason: DeadReason; readonly detail: string; readonly attempts: number }

/** The receiver refuses it; all attempts failed; it is older than a prediction may be. */
export type DeadReason = 'WEBHOOK_REFUSED' | 'WEBHOOK_FAILED' | 'WEBHOOK_LATE'

export type WebhookSenderOptions = {
  readonly plan: WebhookPlan
  readonly secret: string
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  /** Told of each attempt beyond the first. */
  readonly retried: () => void
}

type Attempt = { readonly status: number; readonly retryAfterMs: number } | { readonly trouble: string }

/** Of an answer's body, which is of no interest: more ends the connection. */
const answerBytesMax = 64 * 1024
const [pauseMsMin, pauseMsMax] = [500, 60_000]
/** What a receiver may ask for, at most. */
const retryAfterMsMax = 3_600_000
/** These say that another attempt may succeed, as every 5xx does. */
const retriedStatus = [408, 425, 429]

/**
 * Sends signed requests to one receiver until it takes them, refuses them, or there is no point any more. At least once:
 * an answer that is lost on its way is an attempt that failed.
 */
export class WebhookSender {
  readonly #options: WebhookSenderOptions
  readonly #pace: Pace
  readonly #agent: HttpAgent | HttpsAgent

  constructor(options: WebhookSenderOptions) {
    this.#options = options
    this.#pace = new Pace(options.clock, options.plan)
    const settings = { keepAlive: true, maxSockets: options.plan.atOnce, maxFreeSockets: options.plan.atOnce }
    this.#agent = isSecure(options.plan) ? new HttpsAgent(settings) : new HttpAgent(settings)
  }

  /** Begins no attempt once `signal` aborts; null: it was held up by that. What is under way is waited for. */
  async deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered | null> {
    const { plan, clock, random, retried } = this.#options
    let trouble = ''
    for (let attempts = 0; ; ) {
      const made = await this.#pace.run(signal, async () => {
        if (clock.now() > delivery.predictedMs + plan.withinMs) return 'late'
        if (attempts > 0) retried()
        return await this.#attempt(delivery, attempts + 1)
      })
      if (made === null) return null
      if (made === 'late') {
        const detail = `the prediction is older than it may be${trouble === '' ? '' : `; at last ${trouble}`}`
        return { outcome: 'dead', reason: 'WEBHOOK_LATE', detail, attempts }
      }
      attempts += 1
      if ('status' in made && made.status >= 200 && made.status < 300) {
        return { outcome: 'delivered', status: made.status, attempts }
      }
      trouble = 'status' in made ? `status ${made.status}` : made.trouble
      if ('status' in made && made.status < 500 && !retriedStatus.includes(made.status)) {
        return { outcome: 'dead', reason: 'WEBHOOK_REFUSED', detail: trouble, attempts }
      }
      if (attempts >= plan.attempts) {
        return {
          outcome: 'dead',
          reason: 'WEBHOOK_FAILED',
          detail: `${attempts} attempts, at last ${trouble}`,
          attempts,
        }
      }
      const retryAfterMs = 'status' in made ? made.retryAfterMs : 0
      // What a receiver asks for holds for whatever it is sent.
      if (retryAfterMs > 0) this.#pace.hold(retryAfterMs)
      const pauseMs = Math.min(pauseMsMax, pauseMsMin * 2 ** (attempts - 1)) * (0.5 + random() / 2)
      await clock.sleep(Math.max(pauseMs, retryAfterMs), signal)
      if (signal.aborted) return null
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #attempt({ id, body }: Delivery, attempt: number): Promise<Attempt> {
    const { plan, secret, clock } = this.#options
    const headers = {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'user-agent': 'millrace',
      'millrace-delivery': id,
      'millrace-attempt': String(attempt),
      'millrace-signature': signatureOf(secret, body, clock.now()),
    }
    const [over, done] = [new AbortController(), new AbortController()]
    void clock.sleep(plan.timeoutMs, done.signal).then(() => {
      if (!done.signal.aborted) over.abort()
    })
    try {
      const send = isSecure(plan) ? httpsRequest : httpRequest
      const request = send(plan.url, { method: 'POST', agent: this.#agent, headers, signal: over.signal })
      const answer = await answerTo(request, body)
      return { status: answer.statusCode ?? 0, retryAfterMs: retryAfter(answer.headers['retry-after'], clock.now()) }
    } catch (error) {
      return { trouble: over.signal.aborted ? `no answer within ${plan.timeoutMs} ms` : messageOf(error) }
    } finally {
      done.abort()
    }
  }
}

function isSecure({ url }: WebhookPlan): boolean {
  return new URL(url).protocol === 'https:'
}

/** The head of the answer; its body is read to its end where it is short, so that the connection can be used again. */
async function answerTo(request: ClientRequest, body: Uint8Array): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (answer) => {
      let size = 0
      answer.on('data', (piece: Buffer) => {
        size += piece.length
        if (size > answerBytesMax) request.destroy()
      })
      // What becomes of the rest changes nothing: the answer is there.
      answer.on('error', () => undefined)
      answer.on('close', () => resolve(answer))
    })
    request.end(body)
  })
}

/** Seconds, or a date. */
function retryAfter(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), retryAfterMsMax)
}
